"""``/snapshot``: everybody as last noticed, with the serial from which to go on."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Literal, cast

import flask
import orjson
from flask import request
from pydantic import Field
from werkzeug.wsgi import wrap_file

from integration_server.sdk.errors import Busy, StoreUnavailable
from integration_server.sdk.events import USER_SNAPSHOT, Event
from integration_server.store.people import Person
from integration_server.store.resources import Resource
from integration_server.store.tokens import Token
from integration_server.web.api.facts import ApiFacts
from integration_server.web.api.model import Cursor, CursorParameter, Limit, Model, Query, Serial
from integration_server.web.api.operation import NDJSON, Operation, answer, wants_lines
from integration_server.web.api.paging import cursor_of, read_cursor
from integration_server.web.api.wire import PersonDocument

_READ_AT_ONCE = 1_000
_BLOCK_BYTES = 1 << 18
#: A token that may see little does not make one request read everybody.
_MOST_READS = 20


class SnapshotPerson(Model):
    """One person as last noticed."""

    backend: str
    person_id: str
    serial: Serial = Field(description="of the last event about this person; 0 where there was none")
    object: PersonDocument


class SnapshotPage(Model):
    """Some people. A page may be empty although there is a next one."""

    serial: Serial = Field(description="the same on all pages: after the last page, go on with events after this one")
    people: list[SnapshotPerson]
    cursor: Cursor


class SnapshotQuery(Query):
    """Which page. NDJSON has everybody in one answer."""

    cursor: CursorParameter
    limit: Limit = 100


class SnapshotBegin(Model):
    """The first line."""

    type: Literal["snapshot.begin"]
    serial: Serial = Field(description="after the last line, go on with events after this one")


class PersonLine(SnapshotPerson):
    """The lines between, one for each person."""

    type: Literal["person"]


class SnapshotEnd(Model):
    """The last line. Without it, the snapshot is not whole."""

    type: Literal["snapshot.end"]
    serial: Serial
    count: Annotated[int, Field(ge=0, description="of people in it")]


SnapshotLine = Annotated[SnapshotBegin | PersonLine | SnapshotEnd, Field(discriminator="type")]


class SnapshotApi:
    """The noun.

    The serial is read before the people. Who changes meanwhile may be in it as before or as after, and is in the events
    after the serial in any case, so whoever applies these to the snapshot ends at what is true.
    """

    def __init__(self, facts: ApiFacts) -> None:
        self._journal = facts.store.journal
        self._spool = facts.spool
        self._slots = threading.BoundedSemaphore(facts.limits.snapshots)
        self._places = threading.BoundedSemaphore(facts.limits.snapshots_kept)

    def operations(self) -> list[Operation]:
        return [
            Operation(
                "GET",
                "/snapshot",
                "getSnapshot",
                "Everybody as last noticed, and the serial from which to go on",
                self.page,
                ("events:read",),
                {200: SnapshotPage},
                query=SnapshotQuery,
                lines=SnapshotLine,
                description="As NDJSON: everybody, whatever limit and cursor say; the last line says that it is whole.",
            )
        ]

    def page(self, token: Token, query: SnapshotQuery) -> flask.Response:
        after, serial = read_cursor(query.cursor, 0, -1)
        return self._whole(token) if wants_lines(request) else self._page(token, after, serial, query.limit)

    def _page(self, token: Token, after: int, serial: int, limit: int) -> flask.Response:
        if serial < 0:
            serial = self._journal.last_serial()
        found: list[Person] = []
        is_more = True
        at_once = limit + 1 if token.may_see(Resource("all")) else _READ_AT_ONCE
        for _ in range(_MOST_READS):
            read = self._journal.people(_only_backend(token), after, at_once)
            visible = [person for person in read if _may_see(token, person)][: limit - len(found)]
            found += visible
            is_more = len(read) == at_once
            if len(found) == limit:
                # Whoever follows on what was read is read again with the next page.
                after, is_more = found[-1].key, is_more or found[-1] is not read[-1]
                break
            if not is_more:
                break
            after = read[-1].key
        cursor = cursor_of(after, serial) if is_more else None
        return answer({"serial": serial, "people": [_shown(person) for person in found], "cursor": cursor})

    def _whole(self, token: Token) -> flask.Response:
        if not self._slots.acquire(blocking=False):
            raise Busy("too many snapshots are being written; ask again in a moment")
        try:
            file = self._spooled(token)
        finally:
            self._slots.release()
        size = file.tell()
        file.seek(0)
        body = wrap_file(request.environ, cast(IO[bytes], file), _BLOCK_BYTES)
        response = flask.Response(body, direct_passthrough=True, content_type=NDJSON)
        response.headers["Content-Length"] = str(size)
        response.headers["Vary"] = "Accept"
        return response

    def _spooled(self, token: Token) -> _Spooled:
        """Written first and handed to the server as a file: a slow reader then occupies no worker thread."""
        if not self._places.acquire(blocking=False):
            raise Busy("too many snapshots wait for their readers to take them; ask again in a moment")
        try:
            self._spool.mkdir(parents=True, exist_ok=True)
            return _Spooled(_written(self._spool, self._lines(token)), self._places)
        except BaseException as exc:
            self._places.release()
            if isinstance(exc, OSError):
                raise StoreUnavailable(f"the snapshot cannot be written: {exc.strerror or exc}") from exc
            raise

    def _lines(self, token: Token) -> Iterator[dict[str, object]]:
        serial, count, after = self._journal.last_serial(), 0, 0
        yield {"type": "snapshot.begin", "serial": serial}
        while people := self._journal.people(_only_backend(token), after, _READ_AT_ONCE):
            after = people[-1].key
            for person in people:
                if _may_see(token, person):
                    count += 1
                    yield {"type": "person", **_shown(person)}
        yield {"type": "snapshot.end", "serial": serial, "count": count}


class _Spooled:
    """A file for a reader to take. Its place is free again when it is closed, or forgotten."""

    def __init__(self, file: IO[bytes], places: threading.BoundedSemaphore) -> None:
        self._file = file
        self._places = places
        self.read, self.seek, self.tell, self.seekable = file.read, file.seek, file.tell, file.seekable

    def close(self) -> None:
        if not self._file.closed:
            self._file.close()
            self._places.release()

    def __del__(self) -> None:
        # Where only headers are wanted, no server closes the body.
        self.close()


def _written(folder: Path, lines: Iterator[dict[str, object]]) -> IO[bytes]:
    """A file without a name that holds the lines, open at its end."""
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
    try:
        for line in lines:
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    except BaseException:
        file.close()
        raise
    return file


def _only_backend(token: Token) -> str | None:
    """The one backend to which everything belongs that a token may see."""
    backends = {resource.backend for resource in token.resources}
    return backends.pop() if len(backends) == 1 else None


def _may_see(token: Token, person: Person) -> bool:
    groups = person.document.get("groups")
    names = tuple(groups) if isinstance(groups, list) else ()
    now = Event(0, "", USER_SNAPSHOT, person.backend, person.person_id, 0.0, groups=names)
    return any(resource.matches(now) for resource in token.resources)


def _shown(person: Person) -> dict[str, object]:
    return {
        "backend": person.backend,
        "person_id": person.person_id,
        "serial": person.serial,
        "object": person.document,
    }
