"""How far long work has got: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

_LINE_SECONDS = 10.0


class Progress(Protocol):
    """A context manager that is told of every piece of work done."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def advance(self, amount: int = 1) -> None:
        """`amount` more pieces are done."""


def progress(total: int, label: str) -> Progress:
    """Progress of `total` pieces of work, on standard error."""
    return _Bar(total, label) if sys.stderr.isatty() else _Lines(total, label)


class _Lines:
    def __init__(self, total: int, label: str) -> None:
        self.total, self.label, self.done = total, label, 0
        self.begun = self.told = time.monotonic()

    def __enter__(self) -> Self:
        self.begun = self.told = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._tell()

    def advance(self, amount: int = 1) -> None:
        self.done += amount
        if time.monotonic() - self.told >= _LINE_SECONDS:
            self._tell()

    def _tell(self) -> None:
        self.told = time.monotonic()
        seconds = max(self.told - self.begun, 1e-9)
        rate = self.done / seconds
        left = (
            f", {(self.total - self.done) / rate:.0f} s left" if 0 < self.done < self.total else ""
        )
        print(
            f"{self.label}: {self.done}/{self.total}, {rate:.3g}/s, {seconds:.0f} s so far{left}",
            file=sys.stderr,
            flush=True,
        )


class _Bar:
    def __init__(self, total: int, label: str) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(escape(label), total=total, rate="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, amount: int = 1) -> None:
        speed = self._bar.tasks[0].speed
        self._bar.update(self._task, advance=amount, rate=f"{speed:.3g}/s" if speed else "")
