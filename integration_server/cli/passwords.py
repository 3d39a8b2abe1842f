"""``integration-server hash-password``."""

from __future__ import annotations

import click

from integration_server.cli.prompts import read_password


def _schemes(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    from integration_server.sdk.passwords import schemes

    if value not in schemes():
        raise click.BadParameter(f"{value!r} is not made here; choose one of {', '.join(schemes())}")
    return value


@click.command()
@click.option("--scheme", default="argon2", show_default=True, callback=_schemes, help="Or bcrypt, ssha512 and others.")
@click.option("--stdin", "is_piped", is_flag=True, help="Read the password from standard input (one line).")
def command(scheme: str, is_piped: bool) -> None:
    """Print a password's hash, for password_hash of a frontend or a password column. Asks for the password."""
    from integration_server.sdk.passwords import hash_password

    password = read_password("Password", is_piped, "--stdin", is_new=True)
    try:
        hashed = hash_password(password, scheme)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None
    click.echo(hashed)
