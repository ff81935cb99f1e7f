"""Methods and how they are found: the entry-point group `burnish.methods`.

The methods that ship with burnish use the door that third-party packages use. Listing them
imports the module that holds each record and nothing heavier: `run`, `claims` and `cli` stay
import strings until somebody needs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any

from burnish.errors import BurnishError, MissingExtra, UsageError, nearest

GROUP = "burnish.methods"


@dataclass(frozen=True, kw_only=True)
class Method:
    """One published method, as data.

    Attributes:
        name: identifier on the command line and in `from burnish import NAME`.
        title: the paper's short title.
        paper: citation, one line, with an address.
        summary: what a user gets, one line.
        config: frozen dataclass whose fields are the settings, with the class attribute
            `presets`, see `burnish.runs.settings`.
        run: "module:function", called as `run(config, run)` with a `burnish.runs.Run`.
        claims: "module:NAME", a sequence of `burnish.evidence.Claim`.
        extra: name of the optional-dependency group it needs.
        cli: "module:NAME" of a click group with the method's own verbs, or "" for none.
        assets: names of the assets its `quick` preset needs.
        package: module that `from burnish import NAME` gives.
    """

    name: str
    title: str
    paper: str
    summary: str
    config: type[Any]
    run: str
    claims: str
    package: str
    extra: str = ""
    cli: str = ""
    assets: tuple[str, ...] = ()


def resolve(target: str) -> Any:
    """The object an import string such as "package.module:name" points at."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


@contextmanager
def method_imports(method: Method) -> Iterator[None]:
    """Turns the failed import of something a method needs into the command that installs it.

    Raises:
        MissingExtra: in place of a `ModuleNotFoundError` for another package than the method's.
    """
    own = method.package.partition(".")[0]
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or own).partition(".")[0] == own:
            raise
        packages = metadata.packages_distributions().get(own, [own])
        wanted = f"{packages[0]}[{method.extra}]" if method.extra else str(error.name)
        raise MissingExtra(
            f"{method.name} needs the package {error.name}, which is not installed; "
            f'run: pip install "{wanted}"'
        ) from error


def load(method: Method, target: str) -> Any:
    """What one of a method's import strings points at.

    Raises:
        MissingExtra: something it imports is not installed.
    """
    with method_imports(method):
        return resolve(target)


def methods() -> dict[str, Method]:
    """Every registered method by name, sorted.

    Raises:
        BurnishError: two packages register one name, or an entry point is not a `Method`.
    """
    found: dict[str, Method] = {}
    origin: dict[str, str] = {}
    for point in metadata.entry_points(group=GROUP):
        method = point.load()
        if not isinstance(method, Method):
            raise BurnishError(
                f"entry point {point.value!r} in group {GROUP} must be a burnish.registry.Method, "
                f"but is a {type(method).__name__}; uninstall or mend the package that has it"
            )
        if origin.setdefault(method.name, point.value) != point.value:
            raise BurnishError(
                f"two packages register the method {method.name!r}: {origin[method.name]} and "
                f"{point.value}; uninstall one of them"
            )
        found[method.name] = method
    return dict(sorted(found.items()))


def method(name: str) -> Method:
    """One method by name.

    Raises:
        UsageError: no such method; the message names the nearest, or lists the registered ones.
    """
    found = methods()
    if name not in found:
        raise UsageError(f"unknown method {name!r}; {nearest(name, found)}")
    return found[name]
