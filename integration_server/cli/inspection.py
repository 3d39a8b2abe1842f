"""The steps of ``check``. Each says what it found; only what makes the next ones impossible ends them."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from integration_server.cli.findings import Line, frontend_lines, readable_secret_lines, server_lines
from integration_server.cli.group import COMMANDS
from integration_server.cli.output import moment, number
from integration_server.cli.plugin_commands import commands_of
from integration_server.cli.receiver_findings import (
    receiver_lines,
    receiver_tables,
    store_state_lines,
    watching_lines,
)
from integration_server.config import Config, Table, load
from integration_server.directory.mount import Mount
from integration_server.directory.source import Source
from integration_server.directory.survey import Survey, asking, survey
from integration_server.directory.unindexed import Unindexed
from integration_server.plugins import Plugins
from integration_server.sdk.contracts import Authenticator
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendError, BackendUnavailable, ConfigError, IntegrationError
from integration_server.sdk.settings import FrontendSettings, TokenSettings
from integration_server.server.installation import frontend_settings, open_installation, plugins_of
from integration_server.server.sources import make_sources
from integration_server.store import Store
from integration_server.web.callers import is_loopback
from integration_server.web.proxy import TrustedProxies

#: How long after its deadline a backend may still take to say that it gave up.
_GRACE_SECONDS = 5.0


def inspect(folder: Path, seconds: float, is_listing: bool) -> Iterator[Line]:
    """Every finding. ``seconds`` is each backend's time for its own check; listings have their configured time."""
    try:
        config = load(folder)
        plugins = plugins_of(config)
        commands_of(plugins.commands, COMMANDS)
    except ConfigError as exc:
        yield from _errors("configuration", exc)
        return
    yield Line("configuration", "ok", f"{number(len(config.files), 'file')}: {_names(config.files)}")
    yield Line("plugins", "ok", ", ".join(plugin.name for plugin in plugins.loaded))
    with _opened_store(config) as (store, faults):
        store_lines = list(_store_lines(config, store) if store is not None else faults)
        yield from store_lines
        sources: dict[str, Source] = {}
        backend_errors: list[Line] = []
        for table in config.backends.values():
            backend_errors += _make(config, plugins, table, store, sources)
        yield from backend_errors
        frontends, frontend_errors = _frontends(config, plugins)
        yield from frontend_errors
        receivers, receiver_errors = receiver_tables(config, plugins, frontends)
        yield from receiver_errors
        errors = (*store_lines, *backend_errors, *frontend_errors, *receiver_errors)
        if not any(line.level == "error" for line in errors):
            yield from _whole_lines(folder)
        yield from _backend_lines(config, sources, frontends, seconds, is_listing)
        yield from _frontend_lines(config, frontends, sources)
        yield from receiver_lines(config, receivers)


def _errors(where: str, exc: Exception) -> Iterator[Line]:
    for line in str(exc).splitlines():
        yield Line(where, "error", line.removeprefix(f"{where}: "))


def _names(files: Sequence[Path]) -> str:
    return ", ".join(path.name for path in files)


# -- the core --------------------------------------------------------------------------------------------------------


@contextmanager
def _opened_store(config: Config) -> Iterator[tuple[Store | None, list[Line]]]:
    """The store, or why it cannot be opened."""
    url = config.core.store.url
    try:
        store = Store(url.get_secret_value() if url is not None else "", config.data_dir)
    except ConfigError as exc:
        yield None, list(_errors("[store]", exc))
        return
    try:
        yield store, []
    finally:
        store.close()


def _store_lines(config: Config, store: Store) -> Iterator[Line]:
    where = "[store]"
    try:
        # Nobody has this name, so nothing is removed; but a store that cannot be written to says so.
        store.failed_logins.forget("")
        with tempfile.TemporaryFile(dir=config.data_dir):
            pass
        yield Line(where, "ok", f"writable, its schema is this version's; data in {config.data_dir}")
        for name in config.frontends:
            held = store.name_lists.held(name)
            if held is not None:
                since = moment(held.first_at)
                message = f"the guard holds a list since {since}: {held.reason}; see 'integration-server guard show'"
                yield Line(f"[frontends.{name}]", "warning", message)
        yield from store_state_lines(config, store)
    except IntegrationError as exc:
        yield from _errors(where, exc)
    except OSError as exc:
        yield Line(where, "error", f"{config.data_dir} cannot be written to: {exc.strerror or exc}")


def _whole_lines(folder: Path) -> Iterator[Line]:
    """What shows only when everything is put together, as the server does it."""
    try:
        installation = open_installation(folder)
        try:
            TrustedProxies(installation.app(), installation.config.core.server.trusted_proxies)
        finally:
            installation.close()
    except ConfigError as exc:
        yield from _errors("configuration", exc)


# -- backends --------------------------------------------------------------------------------------------------------


def _make(
    config: Config, plugins: Plugins, table: Table, store: Store | None, sources: dict[str, Source]
) -> list[Line]:
    """Make one backend, so that its faults do not hide those of the others."""
    try:
        sources.update(make_sources(config, plugins, Unindexed(), store, only=(table.name,)))
    except ConfigError as exc:
        return list(_errors(f"[{table.path}]", exc))
    return []


@dataclass(slots=True)
class _Task:
    """One backend being asked in a thread of its own."""

    source: Source
    thread: threading.Thread
    lines: list[Line] = field(default_factory=list)
    give_up_at: float = 0.0


def _backend_lines(
    config: Config, sources: dict[str, Source], frontends: dict[str, FrontendSettings], seconds: float, is_listing: bool
) -> Iterator[Line]:
    tasks = [_start(source, seconds, is_listing) for source in sources.values()]
    used = {name for settings in frontends.values() for name in settings.backends}
    for task in tasks:
        where = f"[backends.{task.source.name}]"
        task.thread.join(max(0.0, task.give_up_at - time.monotonic()))
        if task.thread.is_alive():
            yield Line(where, "unavailable", "it neither answers nor gives up, as it should after its time limit")
        yield from list(task.lines)
        yield from _settings_lines(where, task.source)
        if not any(line.level == "error" for line in task.lines):
            yield from watching_lines(where, task.source)
        yield from readable_secret_lines(config.backends[task.source.name], task.source.settings, is_demo=False)
        if frontends and task.source.name not in used and task.source.settings.sync is None:
            yield Line(where, "warning", "no frontend names this backend in its backends, so it is never asked")
    for source in sources.values():
        source.close()
    if not config.backends:
        yield Line("backends", "warning", "none is configured")


def _start(source: Source, seconds: float, is_listing: bool) -> _Task:
    """Ask in a daemon thread: a plugin that ignores its deadline must not keep the others' findings back."""
    task = _Task(source, threading.current_thread())

    def run() -> None:
        task.lines += _asked(source, lambda: _own_lines(source, Deadline(seconds)))
        if is_listing:
            task.lines += _asked(source, lambda: _survey_lines(source))

    task.thread = threading.Thread(target=run, name=f"check {source.name}", daemon=True)
    task.give_up_at = time.monotonic() + seconds + _GRACE_SECONDS
    if is_listing:
        task.give_up_at += source.settings.list_seconds + _GRACE_SECONDS
    task.thread.start()
    return task


def _asked(source: Source, ask: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    where = f"[backends.{source.name}]"
    try:
        with asking(source):
            yield from ask()
    except BackendUnavailable as exc:
        yield Line(where, "unavailable", str(exc))
    except BackendError as exc:
        yield Line(where, "error", str(exc))


def _own_lines(source: Source, deadline: Deadline) -> Iterator[Line]:
    for finding in source.backend.check(deadline):
        yield Line(f"[backends.{source.name}]", finding.level, finding.message)


def _settings_lines(where: str, source: Source) -> Iterator[Line]:
    if not source.mapper.has_own_id:
        yield Line(where, "warning", "map has no id: the user name serves, and a rename looks like two people")
        if source.settings.keep_memberships:
            message = (
                "keep_memberships: without an id, who gets the name of somebody who is gone gets their groups, too"
            )
            yield Line(where, "warning", message)
    if not isinstance(source.backend, Authenticator):
        yield Line(where, "warning", f"type {source.settings.type} cannot check passwords: people are listed only")
    if source.settings.username_index:
        yield Line(where, "ok", "username_index: logins find people once a list was made")


def _survey_lines(source: Source) -> Iterator[Line]:
    where = f"[backends.{source.name}]"
    found = survey(source, Deadline(source.settings.list_seconds))
    yield Line(where, "ok", _survey_summary(found))
    for reason in found.bad:
        yield Line(where, "warning", reason)
    if found.bad_count > source.settings.bad_rows_allowed:
        allowed = source.settings.bad_rows_allowed
        message = (
            f"{number(found.bad_count, 'entry', 'entries')} cannot be read, bad_rows_allowed is {allowed}: no list"
        )
        yield Line(where, "error", message)
    if found.duplicate_count:
        names = ", ".join(map(repr, found.duplicates))
        yield Line(where, "warning", f"{number(found.duplicate_count, 'name')} more than once, such as {names}")
    if found.is_canary_missing:
        yield Line(where, "error", f"the canary {source.settings.canary!r} is not in the listing: no list")
    if found.lost:
        lost = ", ".join(map(repr, found.lost[:5]))
        message = (
            f"{len(found.lost)} of {found.tried_back} listed names do not find back to their entry, such as {lost}"
        )
        yield Line(where, "error", f"{message}: these people cannot log in")


def _survey_summary(found: Survey) -> str:
    parts = [f"lists {number(found.people, 'person', 'people')}"]
    parts += [f"{found.inactive} of them disabled or expired"] if found.inactive else []
    parts += [f"{found.out_of_scope} left out by the filter"] if found.out_of_scope else []
    return ", ".join(parts)


# -- frontends -------------------------------------------------------------------------------------------------------


def _frontends(config: Config, plugins: Plugins) -> tuple[dict[str, FrontendSettings], list[Line]]:
    found: dict[str, FrontendSettings] = {}
    lines: list[Line] = []
    for name, table in config.frontends.items():
        try:
            found |= frontend_settings(replace(config, frontends={name: table}), plugins)
        except ConfigError as exc:
            lines += _errors(f"[{table.path}]", exc)
    return found, lines


def _frontend_lines(
    config: Config, frontends: dict[str, FrontendSettings], sources: dict[str, Source]
) -> Iterator[Line]:
    is_local = config.core.server.host == "localhost" or is_loopback(config.core.server.host)
    yield from server_lines(config.core.server, frontends, is_local)
    for name, settings in frontends.items():
        where = f"[frontends.{name}]"
        yield Line(
            where, "ok", f"{settings.type} on {settings.path}, backends: {', '.join(settings.backends) or 'none'}"
        )
        try:
            Mount.of(name, settings, tuple(sources[b] for b in settings.backends if b in sources))
        except ConfigError as exc:
            yield from _errors(where, exc)
        if isinstance(settings, TokenSettings):
            yield from _id_lines(where, [sources[b] for b in settings.backends if b in sources])
        yield from frontend_lines(where, settings, is_open_to_others=not is_local)
        yield from readable_secret_lines(config.frontends[name], settings, settings.demo_password)
    if not config.frontends:
        yield Line("frontends", "warning", "none is configured, so nobody can ask")


def _id_lines(where: str, sources: Sequence[Source]) -> Iterator[Line]:
    """Frontends with a token have people under public ids, behind which these must be found again."""
    for source in sources:
        try:
            source.mapper.id_lookup("")
        except ConfigError as exc:
            yield from _errors(where, exc)
