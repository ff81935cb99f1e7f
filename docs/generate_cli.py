"""Write docs/cli.md from the `--help` of every command: `python docs/generate_cli.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from burnish.cli.main import cli
from burnish.registry import methods

TARGET = Path(__file__).with_name("cli.md")
HEAD = """\
# Command line

<!-- Written by docs/generate_cli.py; a test fails when it has drifted. -->

Exit codes: 0 done, 1 the work failed, 2 the call was wrong. With `--json`, standard output holds
one JSON object; progress, verdicts and errors go to standard error. A wrong call gets one line that
says what was wanted, what came and what to do.
"""


def page() -> str:
    """The page's text; verbs of methods from other packages are left out."""
    # The width must not follow the terminal of whoever writes the page.
    root = click.Context(cli, info_name="burnish", terminal_width=90, **cli.context_settings)
    sections = [f"## `{path}`\n\n```text\n{text}\n```\n" for path, text in _helps(root)]
    return "\n".join([HEAD, *sections])


def _helps(context: click.Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, context.get_help()
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            if _ours(name) and (below := context.command.get_command(context, name)):
                yield from _helps(click.Context(below, info_name=name, parent=context))


def _ours(name: str) -> bool:
    method = methods().get(name)
    return method is None or method.package.partition(".")[0] == "burnish"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
