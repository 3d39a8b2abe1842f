"""How the suites ask: a backend opened as the server opens it, time limits, many threads, hostile names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from integration_server.sdk.contracts import Backend, BackendContext
from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import Batch, Entry, User, normalize_name
from integration_server.sdk.storage import Storage, Tables, no_storage

T = TypeVar("T")

#: How many threads ask at once where the suites look for answers that get mixed up.
THREADS = 8

#: Names that nobody has, each of which has a meaning in some query language, protocol or encoding.
HOSTILE_NAMES: tuple[str, ...] = (
    *("", " ", "*", "%", "_", "?", "'", '"', "\\", "(", ")", "&", "|", "#", "=", ",", ":", ";"),
    *("\0", "\n", "\r\n", "\ud800", "\udcff", "\u202enna", "e\u0301", "\ufeff", "\U0001f600"),
    *("' OR '1'='1", "') OR 1=1 --", "*)(objectClass=*", "*)(|(uid=*", "\\2a", "../../etc/passwd"),
    *("{0}", "%(x)s", ":name", "None", "NULL"),
    *("x" * 1_000_000, "\xe4" * 100_000),
)


def open_backend(
    backend_class: type[Backend],
    table: Mapping[str, Any],
    base_dir: Path,
    *,
    name: str = "test",
    watchdog: Watchdog | None = None,
    storage: Callable[[Tables], Storage] = no_storage,
) -> Backend:
    """The backend that an admin's table describes, opened as the server does it. The caller closes it."""
    settings = backend_class.Settings.model_validate(dict(table), context={"base_dir": base_dir})
    data_dir = base_dir / "data"
    data_dir.mkdir(exist_ok=True)
    mapper = Mapper(name, settings.map, backend_class.default_mapping(settings))
    context = BackendContext(name, mapper.attributes, base_dir, data_dir, watchdog or Watchdog(), storage)
    return backend_class(settings, context)


def open_mapper(
    backend_class: type[Backend], table: Mapping[str, Any], base_dir: Path, *, name: str = "test"
) -> Mapper:
    """The mapper that goes with ``open_backend`` of the same table."""
    settings = backend_class.Settings.model_validate(dict(table), context={"base_dir": base_dir})
    return Mapper(name, settings.map, backend_class.default_mapping(settings))


def list_users(backend: Backend, mapper: Mapper, deadline: Deadline) -> list[User]:
    """Everybody whom the backend lists, mapped, in its order."""
    with closing(closable(backend.users(deadline))) as batches:
        return [user for batch in batches for user in mapper.page(batch).users()]


def closable(batches: Iterator[Batch]) -> Any:
    """The iterator of ``users()``; the test fails where it cannot be closed."""
    if not hasattr(batches, "close"):
        pytest.fail("users() must return an iterator with close(), such as a generator")
    return batches


def resolve(backend: Backend, mapper: Mapper, username: str, deadline: Deadline) -> tuple[Entry, User] | None:
    """Who is listed as ``username``, asked for as the server does it at a login."""
    for lookup in mapper.lookups(username):
        entry = backend.find(lookup, deadline)
        if entry is not None and (user := mapper.entry_page(entry).user(0)).username == username:
            return entry, user
    return None


def hostile_names(usernames: Sequence[str]) -> list[str]:
    """Names that belong to nobody of ``usernames``, many of them one character away from somebody's."""
    near: list[str] = []
    for name in usernames[:3]:
        head, tail = name[0], name[1:]
        wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name)
        near += [f" {name}", f"{name} ", f"{name}\t", f"{name}\n", f"{name}\0", f"{name}\0x", f"{name}\u200b"]
        near += [f"{name}*", f"{name}%", f"{head}*", f"{head}%", "_" * len(name), f"\\{name}", f"{name},{name}"]
        near += [f"{head}\u0301{tail}", wide, f"{name}'--", f"{name})(cn=*"]
    known = {normalize_name(name) for name in usernames}
    return [name for name in (*HOSTILE_NAMES, *near) if normalize_name(name) not in known]


def in_background(call: Callable[[], T]) -> Future[T]:
    """Start the call in a daemon thread, so that a call that never returns cannot stop the test run."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as exc:
            done.set_exception(exc)

    threading.Thread(target=run, name="conformance", daemon=True).start()
    return done


def settle(done: Future[T], seconds: float, what: str) -> T:
    """What a call in the background returns or raises; the test fails when nothing comes within ``seconds``."""
    try:
        return done.result(seconds)
    except TimeoutError:
        if done.done():
            raise
    pytest.fail(f"{what}: neither an answer nor an error within {seconds:g} s")


def within(seconds: float, what: str, call: Callable[[], T]) -> T:
    """What the call returns or raises; the test fails when nothing comes within ``seconds``."""
    return settle(in_background(call), seconds, what)


def in_threads(work: Callable[[int], object], threads: int = THREADS) -> None:
    """Run ``work(number)`` in threads that start together; raises the first exception of any of them."""
    barrier = threading.Barrier(threads)

    def run(number: int) -> None:
        barrier.wait(30)
        work(number)

    crowd = [in_background(lambda number=number: run(number)) for number in range(threads)]  # type: ignore[misc]
    for done in crowd:
        settle(done, 120, "a backend asked by several threads")
