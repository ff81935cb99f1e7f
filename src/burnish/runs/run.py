"""A run that is being made: the one thing a method's `run(config, run)` talks to."""

from __future__ import annotations

import math
import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout
from pydantic import ValidationError

from burnish.errors import UsageError
from burnish.evidence import Interval, Point
from burnish.registry import Method
from burnish.runs import machine
from burnish.runs.figures import Chart, Table
from burnish.runs.progress import Progress, progress
from burnish.runs.record import (
    ARTIFACTS,
    FIGURES,
    MANIFEST,
    POINTS,
    Figure,
    Finding,
    Manifest,
    key,
    read_manifest,
    read_points,
    to_json,
)
from burnish.runs.settings import as_dict, as_overrides

LOCK = ".lock"
UNITS = frozenset(
    {
        *("percent", "share", "ratio", "x", "count", "score", "points", "rank", "rate", "cosine"),
        *(
            "bits",
            "nats",
            "loss",
            "perplexity",
            "usd",
            "seconds",
            "ms",
            "minutes",
            "hours",
            "hz",
            "db",
        ),
        *("bytes", "kb", "mb", "gb", "items", "samples", "tokens", "words", "characters", "lines"),
        *("steps", "rounds", "epochs", "parameters"),
    }
)
_SAVE_SECONDS = 5.0  # a killed run loses at most this much of its wall time in the manifest


class Run:
    """A run folder open for writing, and locked against every other process.

    Attributes:
        folder: where it is.
        seed: what every generator of the method derives from.
        resumed: whether an earlier process began this run; its points are in `points()`.
        manifest: what `manifest.json` holds.
    """

    def __init__(self, folder: Path, manifest: Manifest, lock: FileLock, *, resumed: bool) -> None:
        self.folder, self.manifest, self.resumed = folder, manifest, resumed
        self.seed = manifest.seed
        self._lock = lock
        self._was_finished = manifest.status == "finished"
        self._earlier = manifest.seconds
        self._begun = self._saved = time.monotonic()
        self._points, whole = read_points(folder)
        (folder / ARTIFACTS).mkdir(exist_ok=True)
        self._file = (folder / POINTS).open("ab")
        self._file.truncate(whole)

    @classmethod
    def open(
        cls, folder: Path, method: Method, config: object, *, preset: str, seed: int, resume: bool
    ) -> Self:
        """Begin a run in a new or empty folder, or go on with the one that is there.

        With `resume` and nothing to go on with, the run begins.

        Raises:
            UsageError: the folder holds something and `resume` is False; it holds no run, or one
                with another method, seed or setting; or another process is writing it.
        """
        lock = _locked(folder)
        try:
            resumed = _occupied(folder)
            if resumed and not resume:
                raise UsageError(
                    f"{folder} is not empty; add --resume to go on with the run in it, or name "
                    "another folder with --out"
                )
            wanted = _new_manifest(method, config, preset, seed, folder)
            manifest = _continued(folder, wanted) if resumed else wanted
            run = cls(folder, manifest, lock, resumed=resumed)
        except BaseException:
            lock.release()
            raise
        run.save()
        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            self.manifest.status = "failed"
            self.manifest.error = " ".join(f"{type(error).__name__}: {error}".split())
        elif error is not None:
            self.manifest.status = "interrupted"
        self.close()

    def log(
        self, name: str, value: float | None, /, *, step: int = 0, **tags: str | int | float | bool
    ) -> None:
        """Record a measurement; it is on disk when this returns.

        Args:
            name: what was measured; ends in its unit, e.g. "accuracy_percent" or
                "tokens_per_second".
            value: None means not scored. NaN and infinity are recorded as not scored, with the
                reason beside the value in `points.jsonl`.
            step: training step, round or 0. The same step, name and tags replace an earlier value.
            tags: what it was measured on; text, finite numbers or truth values.

        Raises:
            UsageError: the name does not end in a unit, or a tag is of another type.
        """
        _check_name(name)
        _check_tags(name, tags)
        number = None if value is None else float(value)
        extra = {}
        if number is not None and not math.isfinite(number):
            number, extra = None, {"reason": str(number)}
        point = Point(int(step), name, number, tags)
        self._points[key(point)] = point
        self._file.write((to_json(asdict(point) | extra) + "\n").encode())
        self._file.flush()
        self._beat()

    def log_interval(
        self,
        name: str,
        interval: Interval | None,
        /,
        *,
        step: int = 0,
        **tags: str | int | float | bool,
    ) -> None:
        """Record an estimate with its bounds as the tags `low` and `high`, rounded to 1e-6."""
        if interval is None:
            self.log(name, None, step=step, **tags)
            return
        low, high = (round(bound, 6) for bound in interval.bounds)
        self.log(name, round(interval.estimate, 6), step=step, **tags, low=low, high=high)

    def points(self) -> tuple[Point, ...]:
        """Every measurement, in order of first appearance, the last value of each."""
        return tuple(self._points.values())

    def artifact(self, name: str) -> Path:
        """Where to write something for other tools to read; the folder above it is there.

        Args:
            name: a relative path such as "model" or "suite/test.jsonl".

        Raises:
            UsageError: the name leaves the artifacts folder or is one that burnish uses.
        """
        parts = PurePosixPath(name).parts
        if not parts or parts[0] in ("/", FIGURES) or ".." in parts or "\\" in name or ":" in name:
            raise UsageError(
                f"an artifact needs a relative path below {ARTIFACTS}/ (and not {FIGURES}/), "
                f"got {name!r}"
            )
        path = (self.folder / ARTIFACTS).joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def chart(self, chart: Chart) -> None:
        """Declare a chart of the report; one of the same title is replaced."""
        self._declare("chart", chart.title, asdict(chart))

    def table(self, table: Table) -> None:
        """Declare a table of the report; one of the same title is replaced."""
        self._declare("table", table.title, asdict(table))

    def note(self, name: str, value: object) -> None:
        """Record in the manifest what the run used, e.g. "model_sha256" and the hash.

        Raises:
            ValueError: the value is NaN, or not JSON.
        """
        to_json(value)
        self.manifest.notes[name] = value
        self.save()

    def progress(self, total: int, label: str) -> Progress:
        """A context manager with `advance(amount=1)`: a bar on a terminal, lines in a log."""
        return _Beating(progress(total, label), self._beat)

    def _beat(self) -> None:
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self.save()

    def conclude(self, claims: Sequence[Finding]) -> None:
        """The work is done, and this is what it says of the claims."""
        self.manifest.claims = list(claims)
        self.manifest.status, self.manifest.error = "finished", ""

    def save(self) -> None:
        """Bring `manifest.json` up to date; readers see the old one or the new one, whole."""
        self._saved = time.monotonic()
        if not self._was_finished:
            self.manifest.seconds = round(self._earlier + self._saved - self._begun, 2)
            self.manifest.peak_mb = max(self.manifest.peak_mb, machine.peak_mb())
        _replace(self.folder / MANIFEST, self.manifest.model_dump_json(indent=1) + "\n")

    def close(self) -> None:
        """Save and unlock; nothing can be logged afterwards."""
        if not self._was_finished:
            self.manifest.versions = machine.versions()
            self.manifest.hardware = machine.hardware()
        self.save()
        self._file.close()
        self._lock.release()

    def _declare(self, kind: str, title: str, content: dict[str, Any]) -> None:
        try:
            text = to_json({kind: content})
            Figure.model_validate_json(text)
        except (TypeError, ValueError, ValidationError) as error:
            reason = " ".join(str(error).split())
            raise UsageError(f"{kind} {title!r} cannot be drawn: {reason}") from None
        slug = f"{kind}-{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')[:80]}"
        home = self.folder / ARTIFACTS / FIGURES
        home.mkdir(exist_ok=True)
        _replace(home / f"{slug}.json", text + "\n")
        if slug not in self.manifest.figures:
            self.manifest.figures.append(slug)
        self.save()


class _Beating:
    """A progress that keeps the manifest's wall time up to date, for runs that are killed."""

    def __init__(self, inner: Progress, beat: Callable[[], None]) -> None:
        self._inner, self._beat = inner, beat

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inner.__exit__(kind, error, trace)

    def advance(self, amount: int = 1) -> None:
        self._inner.advance(amount)
        self._beat()


def _check_name(name: str) -> None:
    parts = name.split("_")
    if not re.fullmatch(r"[a-z0-9_]+", name) or not ({parts[-1]} & UNITS or "per" in parts[1:-1]):
        raise UsageError(
            f"a measurement's name is in lower case and ends in its unit, e.g. accuracy_percent or "
            f"tokens_per_second, got {name!r}; units are {', '.join(sorted(UNITS))}"
        )


def _check_tags(name: str, tags: dict[str, str | int | float | bool]) -> None:
    for tag, value in tags.items():
        finite = not isinstance(value, float) or math.isfinite(value)
        if not isinstance(value, str | int | float) or not finite:
            raise UsageError(
                f"{name}: tag {tag} must be text, a finite number or a truth value, got {value!r} "
                f"({type(value).__name__})"
            )


def _locked(folder: Path) -> FileLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(
            f"another process is writing {folder}; wait for it, or name another folder with --out"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}; name another folder with --out"
        ) from None
    return lock


def _occupied(folder: Path) -> bool:
    return any(path.name != LOCK and path.suffix != ".partial" for path in folder.iterdir())


def _new_manifest(method: Method, config: object, preset: str, seed: int, folder: Path) -> Manifest:
    settings = [f"--set {shlex.quote(text)}" for text in as_overrides(config, preset)]
    command = ["burnish run", method.name, f"--preset {preset}", f"--seed {seed}", *settings]
    return Manifest(
        method=method.name,
        title=method.title,
        paper=method.paper,
        summary=method.summary,
        preset=preset,
        config=as_dict(config),
        seed=seed,
        command=" ".join([*command, f"--out {shlex.quote(str(folder))}"]),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _continued(folder: Path, wanted: Manifest) -> Manifest:
    """The manifest that is there, if it is of the wanted run."""
    if not (folder / MANIFEST).is_file():
        raise UsageError(f"{folder} holds something that is not a run; name another with --out")
    found = read_manifest(folder)
    have = {"method": found.method, "seed": found.seed, **found.config}
    want = {"method": wanted.method, "seed": wanted.seed, **wanted.config}
    for name in dict.fromkeys([*want, *have]):
        if have.get(name) != want.get(name):
            raise UsageError(
                f"{folder} was begun with {name} = {have.get(name)!r}, and now it is "
                f"{want.get(name)!r}; use what it was begun with, or name another folder with --out"
            )
    if found.status != "finished":
        found.status, found.error = "running", ""
    return found


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
