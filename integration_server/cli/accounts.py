"""``integration-server accounts``: people whom callers made, and whom only an administrator takes away again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server import AccountRemover, BackendError, Deadline
from integration_server.cli.exits import ExitCode
from integration_server.cli.opening import chosen, installation
from integration_server.cli.options import config_option
from integration_server.cli.output import shown
from integration_server.cli.prompts import confirmed

if TYPE_CHECKING:
    from integration_server.directory.source import Source


@click.group()
def command() -> None:
    """Look after people whom callers made. 'integration-server users --backend NAME' lists them."""


@command.command()
@click.argument("backend")
@click.argument("address")
@config_option
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.pass_context
def delete(ctx: click.Context, backend: str, address: str, folder: Path, is_sure: bool) -> None:
    """Delete the person with this ADDRESS from BACKEND, and the memberships that are kept of them.

    Receivers of changes are told after the next comparison, which the guard may hold where few people are left; see
    'integration-server sync show'. Exit code 1 where nobody has the address.
    """
    with installation(folder, ctx.obj) as found:
        source = found.sources[chosen(backend, list(found.sources), "backend", "BACKEND")]
        remover = source.backend
        if not isinstance(remover, AccountRemover):
            raise click.UsageError(f"[backends.{backend}] is of type {source.settings.type}: delete people there")
        person_id = _person(source, address)
        if person_id is None:
            click.echo(f"nobody in {backend} has the address {shown(address)}", err=True)
            ctx.exit(ExitCode.NO)
        question = f"Delete {shown(address)} ({person_id}) from {backend}?"
        if not is_sure and not confirmed(question):
            ctx.exit(ExitCode.NO)
        lookup = source.mapper.id_lookup(person_id)
        entry = source.write(lambda deadline: source.backend.find(lookup, deadline))
        is_removed = entry is not None and source.write(lambda deadline: remover.remove_account(entry, deadline))
        found.store.kept_memberships.forget(backend, person_id)
        if source.settings.sync is not None:
            found.store.watches.want_scan(backend)
    click.echo(f"deleted {shown(address)}" if is_removed else f"{shown(address)} was gone already")
    ctx.exit(ExitCode.OK if is_removed else ExitCode.NO)


def _person(source: Source, address: str) -> str | None:
    """The id of whoever has the address, in scope or not. Raises BackendError."""
    page = source.with_address(address, Deadline(source.settings.auth_seconds))
    if len(page) > 1:
        raise BackendError(f"backend {source.name}: several people have the address {address!r}")
    return page.ids[0] if len(page) else None
