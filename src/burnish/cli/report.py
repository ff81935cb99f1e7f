"""`burnish report`."""

from __future__ import annotations

from pathlib import Path

import click

from burnish.errors import UsageError


@click.command("report")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    default="report.html",
    show_default=True,
    help="The page to write.",
)
def command(runs: tuple[Path, ...], target: Path) -> None:
    """One self-contained HTML page from run folders.

    Files among RUN... are left out, so that `runs/*` may hold an earlier page.
    """
    folders = [run for run in runs if not run.is_file()]
    if not folders:
        raise UsageError("a report needs at least one run folder, got only files")
    from burnish.runs import write_report

    click.echo(f"report: {write_report(folders, target)}", err=True)
