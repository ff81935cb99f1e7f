"""What the verbs of several methods share: options in bundles, and one line or JSON to say."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def options(*each: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several options as one decorator, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(each):
            command = option(command)
        return command

    return decorate


def say(data: Mapping[str, Any], as_json: bool, line: str) -> None:
    """Data as JSON on standard output, or a line on the other."""
    click.echo(json.dumps(data, ensure_ascii=False) if as_json else line, err=not as_json)
