"""`burnish`: the root command, and the one place where errors become a line and an exit code."""

from __future__ import annotations

import os
import sys

import click

from burnish.errors import BurnishError, Interrupted, nearest
from burnish.registry import Method, load, methods, resolve

_COMMANDS = {
    "list": ("burnish.cli.list_methods:command", "What there is, and what each method needs."),
    "show": ("burnish.cli.show:command", "A method's settings, presets, claims, last verdicts."),
    "run": ("burnish.cli.run:command", "Run a method, or all of them, and check its claims."),
    "report": ("burnish.cli.report:command", "One self-contained HTML page from run folders."),
    "assets": ("burnish.cli.assets:assets", "The pinned weights and data a method needs."),
}


class Commands(click.Group):
    """burnish's own commands and the verbs of every method, each imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Own commands first, then the methods that have verbs."""
        return [*_COMMANDS, *self.with_verbs()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name; for a method, the group of its verbs."""
        found: click.Command | None = None
        if cmd_name in _COMMANDS:
            found = resolve(_COMMANDS[cmd_name][0])
        elif method := self.with_verbs().get(cmd_name):
            found = load(method, method.cli)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with the nearest name for one that is not there."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            ctx.fail(f"unknown command {name!r}; {nearest(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from what is known without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in _COMMANDS.items()])
        if own := self.with_verbs():
            with formatter.section("Verbs of single methods"):
                formatter.write_dl([(name, method.summary) for name, method in own.items()])

    def with_verbs(self) -> dict[str, Method]:
        """The registered methods that bring verbs of their own."""
        return {name: method for name, method in methods().items() if method.cli}


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 the work failed, 2 the call was wrong.\n\nCompletion: "
    'eval "$(_BURNISH_COMPLETE=bash_source burnish)" (or zsh_source, fish_source).',
)
@click.version_option(package_name="burnish", message="burnish %(version)s")
def cli() -> None:
    """Run published methods for refining foundation models, and check their papers' claims."""


def main() -> None:
    """Entry point of the `burnish` command; exits with 0, 1, 2 or 130."""
    sys.exit(_outcome())


def _outcome() -> int:
    try:
        code = cli.main(prog_name="burnish", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        where = f" (see: {error.ctx.command_path} --help)" if error.ctx else ""
        return _complain(f"{error.format_message()}{where}", error.exit_code)
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _complain("interrupted", Interrupted.exit_code)
    except BurnishError as error:
        return _complain(str(error), error.exit_code)
    except BrokenPipeError:
        # The reader went away, as in `burnish list | head -1`; Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int) -> int:
    click.echo(f"burnish: {' '.join(message.split())}", err=True)
    return code


if __name__ == "__main__":
    main()
