"""The root command: finds the others, and turns every error into a message and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import click

from integration_server import IntegrationError, __version__
from integration_server.cli.exits import ExitCode, exit_code_of

if TYPE_CHECKING:
    from integration_server.cli.plugin_commands import Found

#: Command -> the module that holds it, as an attribute called ``command``.
COMMANDS = {
    "serve": "serve",
    "work": "work",
    "relay": "relay",
    "init": "init",
    "check": "check",
    "users": "users",
    "auth": "auth",
    "guard": "guard",
    "throttle": "throttle",
    "accounts": "accounts",
    "memberships": "memberships",
    "sync": "sync",
    "changes": "changes",
    "subscriptions": "subscriptions",
    "deliveries": "deliveries",
    "token": "tokens",
    "admin": "admins",
    "db": "db",
    "service": "service",
    "backup": "backup",
    "restore": "restore",
    "config": "config",
    "plugins": "plugins",
    "hash-password": "passwords",
    "outbox-script": "outbox_script",
}

#: Key of a context's ``meta``: what plugins bring, once it was looked for.
_FOUND = "integration_server.cli.plugin_commands"

_EPILOG = """\b
Exit codes:
  0    done; the answer is yes
  1    done; the answer is no
  2    the command was typed wrongly
  3    the configuration is wrong
  4    unavailable: a backend or the store could not be asked
  70   a fault in the program itself
  130  interrupted with Ctrl-C
"""


class CommandLine(click.Group):
    """Loads a command's module when the command is named, and plugins when it is none of the server's own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = _of_plugins(ctx)
        if found.fault is not None:
            _warn(f"commands of the configuration's plugins are left out: {found.fault}")
        return [*COMMANDS, *sorted(found.commands)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            found = _of_plugins(ctx)
            if name not in found.commands and found.fault is not None:
                # It may be one of those that could not be asked for.
                raise found.fault
            return found.commands.get(name)
        command = importlib.import_module(f"integration_server.cli.{COMMANDS[name]}").command
        assert isinstance(command, click.Command)
        return command

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        _survive_any_text()
        sys.exit(self._run(list(sys.argv[1:] if args is None else args), prog_name, extra))

    def _run(self, args: list[str], prog_name: str | None, extra: dict[str, Any]) -> int:
        is_debug = "--debug" in args[:1]
        try:
            found = super().main(args, prog_name, standalone_mode=False, **extra)
            if sys.stdout is not None:
                sys.stdout.flush()
            return int(found) if isinstance(found, int) else ExitCode.OK
        except click.ClickException as exc:
            exc.show()
            return exc.exit_code
        except click.Abort:
            return ExitCode.INTERRUPTED
        except IntegrationError as exc:
            if is_debug:
                _traceback()
            _complain(str(exc))
            return exit_code_of(exc)
        except Exception as exc:
            if _is_unread(exc):
                # The interpreter must not flush into the broken pipe again.
                with suppress(OSError, ValueError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return ExitCode.NO
            if is_debug:
                _traceback()
            _complain(f"{type(exc).__name__}: {exc}")
            _complain("this is a fault in the program; 'integration-server --debug COMMAND' shows where")
            return ExitCode.FAULT


def _is_unread(exc: Exception) -> bool:
    """Whether whoever read our output has enough of it, as ``more`` and ``head`` have."""
    if isinstance(exc, BrokenPipeError):
        return True
    # Windows: nothing but a pipe without a reader; wrong names of files come with the name.
    is_invalid = isinstance(exc, OSError) and exc.errno == errno.EINVAL and exc.filename is None
    return sys.platform == "win32" and is_invalid


def _of_plugins(ctx: click.Context) -> Found:
    from integration_server.cli.plugin_commands import find

    if _FOUND not in ctx.meta:
        ctx.meta[_FOUND] = find(COMMANDS)
    found: Found = ctx.meta[_FOUND]
    return found


def _complain(message: str) -> None:
    for line in message.splitlines():
        click.echo(f"error: {line}", err=True)


def _warn(message: str) -> None:
    for line in message.splitlines():
        click.echo(f"warning: {line}", err=True)


def _traceback() -> None:
    import traceback

    traceback.print_exc()


def _survive_any_text() -> None:
    """A name that the terminal's code page lacks is shown with question marks; it does not end the command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


@click.group(cls=CommandLine, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="integration-server %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and log everything.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Let MailStore, and whatever else speaks its Application Integration protocol, use the directory you have."""
    ctx.obj = debug
