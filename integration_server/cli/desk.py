"""What the command line lends to plugins' commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from integration_server import BackendDesk, Backlog, Desk, FrontendDesk
from integration_server.cli import files, options, output, prompts
from integration_server.cli.opening import chosen, installation
from integration_server.sdk.commands import F

if TYPE_CHECKING:
    from integration_server.config import Config
    from integration_server.store import Store


class CommandDesk(Desk):
    """Opens and prints as the server's own commands do. Loads nothing heavy before a command runs."""

    def config_option(self, function: F) -> F:
        return options.config_option(function)

    def json_option(self, function: F) -> F:
        return options.json_option(function)

    @contextmanager
    def frontend(self, folder: Path, type: str, name: str | None) -> Iterator[FrontendDesk]:
        with installation(folder, _is_debug()) as found:
            own = [one for one, mount in found.mounts.items() if mount.settings.type == type]
            one = chosen(name, own, f"frontend of type {type}", "--mount")
            settings, table = found.mounts[one].settings, found.config.frontends[one]
            yield FrontendDesk(
                settings,
                found.gateway(one),
                f"{table.file}: {table.path}",
                _url(found.config, settings.path),
                lambda id: _backlog(found.store, id),
            )

    @contextmanager
    def backend(self, folder: Path, type: str, name: str | None) -> Iterator[BackendDesk]:
        with installation(folder, _is_debug()) as found:
            own = [one for one, source in found.sources.items() if source.settings.type == type]
            one = chosen(name, own, f"backend of type {type}", "--backend")
            yield BackendDesk(one, found.sources[one].settings, found.store.storage)

    def print_json(self, value: object) -> None:
        output.print_json(value)

    def print_table(self, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        output.print_table(headers, rows)

    def shown(self, value: object) -> str:
        return output.shown(value)

    def confirmed(self, question: str) -> bool:
        return prompts.confirmed(question)

    def read_secret(self, prompt: str, is_piped: bool, option: str) -> str:
        return prompts.read_password(prompt, is_piped, option)

    def data_output(self) -> BinaryIO:
        return output.binary_output()

    def new_file(self, path: Path) -> AbstractContextManager[BinaryIO]:
        return files.new_file(path)


def _is_debug() -> bool:
    return bool(click.get_current_context().find_root().obj)


def _url(config: Config, path: str) -> str | None:
    """None where the port is any free one."""
    from integration_server.cli.serve import base_url

    server = config.core.server
    return base_url(server.host, server.port) + path if server.port else None


def _backlog(store: Store, id: str) -> Backlog:
    """Raises StoreUnavailable. Nothing waits for a receiver that is not there."""
    one = store.subscriptions.get(id)
    if one is None:
        return Backlog()
    counts = store.deliveries.counts().get(id, {})
    after = store.journal.counts(one.cursor, id)
    unread = sum(
        count
        for (type, backend), count in after.items()
        if one.wants_type(type) and one.resource.backend in (None, backend)
    )
    return Backlog(one.failing_since, counts.get("parked", 0), counts.get("held", 0), counts.get("dead", 0), unread)
