"""One WebSocket connection: bytes on one side, messages and effects of a session on the other.

There is no task and no buffer for each client: thousands of them are idle at one time. Whatever a client sends, it
costs bounded memory, and little time before somebody else's turn.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from integration_server.builtin.push import relayed, simplepush
from integration_server.builtin.push.first_api import Malformed, decoded
from integration_server.builtin.push.session import (
    IDLE,
    INVALID_TEXT,
    POLICY,
    UNSUPPORTED,
    Ask,
    Attach,
    Effect,
    End,
    Job,
    Message,
    Result,
    Say,
    Session,
)

#: Frames hold what nobody else may know; the library would log them at debug level.
_library_logger = logging.getLogger(f"{__name__}.library")
_library_logger.setLevel(logging.WARNING)

#: Bytes of a message, and of a request with its headers.
LARGEST_MESSAGE = 64 * 1024
_LARGEST_REQUEST = 16 * 1024
#: Bytes that are looked at before it is asked whether the client has had enough.
_BITE = 1024
#: Bytes that a client may leave unread before it gets more.
_MOST_UNREAD = 64 * 1024
#: Headers by which a proxy gives itself away.
_FORWARDING = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
#: Bytes of a close frame, and some.
_LONGEST_FAREWELL = 256
_REQUEST_SECONDS = 10.0
#: From our close frame to the end of the connection.
_CLOSE_SECONDS = 2.0
#: Work that the store may have to do for a client before more is read from it: what waits is bounded, and nobody's
#: turn comes long after.
_MOST_ASKED = 8
#: Frames that a client may send at once, and a second in the long run.
_BURST, _PER_SECOND = 600.0, 10.0


@dataclass(frozen=True, slots=True)
class Manners:
    """What is expected of clients, in seconds; see the settings."""

    hello_seconds: float = 30.0
    silence_seconds: float = 2400.0
    pong_seconds: float = 30.0
    idle_seconds: float = math.inf


class House(Protocol):
    """Where connections belong."""

    manners: Manners

    def now(self) -> float:
        """Seconds of a clock that only runs forward."""
        ...

    def entered(self, connection: Connection) -> bool:
        """A connection was made; whether there is room for it."""
        ...

    def left(self, connection: Connection) -> None:
        """It is over, or about to be. May be called again."""
        ...

    def gone(self, connection: Connection) -> None:
        """Its TCP connection is closed."""
        ...

    def session(self, subprotocol: str | None, is_private: bool) -> Session:
        """For a connection whose protocol is known now; ``is_private``: as far as one can see, nobody reads along."""
        ...

    def ask(self, connection: Connection, job: Job) -> None:
        """Have the store's work done."""
        ...

    def attach(self, connection: Connection, uaids: Iterable[str]) -> None:
        """User agents are reached here from now on."""
        ...


class Connection(asyncio.Protocol):
    """Used by the loop's thread alone."""

    __slots__ = (
        "_allowance",
        "_asked",
        "_counted_at",
        "_deadline",
        "_fragments",
        "_heard_at",
        "_house",
        "_is_text",
        "_request_bytes",
        "_transport",
        "_wire",
        "session",
    )

    def __init__(self, house: House) -> None:
        self._house = house
        self._wire = ServerProtocol(select_subprotocol=_subprotocol, max_size=LARGEST_MESSAGE, logger=_library_logger)
        self._transport: asyncio.Transport | None = None
        self._deadline = math.inf
        self._heard_at = self._counted_at = house.now()
        self._allowance = _BURST
        self._asked = 0
        self._request_bytes = 0
        self._fragments: bytearray | None = None
        self._is_text = True
        #: None until the opening handshake is done.
        self.session: Session | None = None

    # -- what asyncio calls ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._deadline = self._house.now() + min(_REQUEST_SECONDS, self._house.manners.hello_seconds)
        if not self._house.entered(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._house.now()
        if not self._is_listening:
            self._take_farewell(data)
            return
        for start in range(0, len(data), _BITE):
            if not self._is_listening:
                return
            self._wire.receive_data(data[start : start + _BITE])
            if self.session is None:
                self._request_bytes += _BITE
            self._take_events()
            self._flush()
            if self.session is None and self._request_bytes > _LARGEST_REQUEST:
                self.abort()

    def _take_farewell(self, data: bytes) -> None:
        """Where the client answers our close frame, there is nothing more to wait for. What is longer is none."""
        if self._transport is not None and len(data) <= _LONGEST_FAREWELL:
            self._wire.receive_data(data)
            self._wire.events_received()
            self._flush()

    def eof_received(self) -> None:
        self._wire.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._house.left(self)
        self._house.gone(self)

    # -- what the house calls ----------------------------------------------------------------------------------------

    def perform(self, effects: Sequence[Effect]) -> None:
        """Carry out what a session wants, as far as the connection is open."""
        for effect in effects:
            if not (self._is_listening or (isinstance(effect, Ask) and self._has_farewell)):
                continue
            match effect:
                case Say():
                    self._say(effect.message)
                case Ask():
                    self._asked += 1
                    if self._asked == _MOST_ASKED and self._transport is not None:
                        self._transport.pause_reading()
                    self._house.ask(self, effect.job)
                case Attach():
                    self._house.attach(self, effect.uaids)
                case End():
                    self.end(effect.code, effect.reason)

    def answered(self, job: Job, result: Result, now: float) -> None:
        """The store's work was done."""
        self._asked -= 1
        if self._asked == _MOST_ASKED - 1 and self._transport is not None:
            self._transport.resume_reading()
        if self.session is not None:
            self.perform(self.session.answered(job, result, now))

    def look(self, now: float) -> None:
        """Called about once a second: keep deadlines."""
        if self._asked >= _MOST_ASKED:
            # It may be saying much, and it is us who do not read it.
            self._heard_at = now
        if now >= self._deadline:
            self._expire()
        elif self.session is not None and self._is_listening:
            if now >= self.session.due:
                self.perform(self.session.tick(now))
                self._probe(now, self._house.manners.pong_seconds)
            elif self._may_sleep(now):
                self.end(IDLE, "idle; you will be woken when something comes")
            elif now - self._heard_at >= self._house.manners.silence_seconds:
                self._probe(now, 0.0)

    def end(self, code: int, reason: str) -> None:
        """Send a close frame; the connection is gone seconds later, whatever the client does."""
        if self._is_listening and self.session is not None:
            self._wire.send_close(code, reason)
            self._deadline = self._house.now() + _CLOSE_SECONDS
            self._house.left(self)
            self._flush()
        else:
            self.abort()

    def abort(self) -> None:
        """Be gone now."""
        self._house.left(self)
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    # -- within ------------------------------------------------------------------------------------------------------

    @property
    def _is_listening(self) -> bool:
        """Whether messages go both ways still, or the handshake is under way."""
        return self._transport is not None and self._wire.state in (State.OPEN, State.CONNECTING)

    @property
    def _has_farewell(self) -> bool:
        """Whether the client has closed: what it sent just before, such as an acknowledgement, counts all the same."""
        return self._transport is not None and self._wire.close_rcvd_then_sent is True

    def _may_sleep(self, now: float) -> bool:
        """Whether nothing has come for long, nothing is to be acknowledged, and the client can be woken."""
        session = self.session
        is_idle = now - self._heard_at >= self._house.manners.idle_seconds
        return is_idle and session is not None and session.can_sleep and session.due == math.inf

    def _take_events(self) -> None:
        for event in self._wire.events_received():
            if not (self._is_listening or self._has_farewell):
                return
            if isinstance(event, Request):
                self._open(event)
            elif isinstance(event, Frame):
                self._take_frame(event)

    def _open(self, request: Request) -> None:
        response = self._wire.accept(request)
        self._wire.send_response(response)
        if response.status_code != 101:
            return
        self.session = self._house.session(self._wire.subprotocol, self._is_private(request))
        self._deadline = self._house.now() + self._house.manners.hello_seconds

    def _is_private(self, request: Request) -> bool:
        """Whether it comes from this machine; from a proxy here only if that says that it was called with TLS."""
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        if not peer or not ipaddress.ip_address(peer[0].partition("%")[0]).is_loopback:
            return False
        said = request.headers.get_all("X-Forwarded-Proto")
        is_forwarded = any(name in request.headers for name in _FORWARDING)
        return all(one.strip().lower() in ("https", "wss") for one in said) if said else not is_forwarded

    def _take_frame(self, frame: Frame) -> None:
        if not self._has_allowance():
            self.end(POLICY, "too many messages")
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if frame.opcode is not Opcode.CONT:
                self._is_text = frame.opcode is Opcode.TEXT
            if frame.fin and self._fragments is None:
                self._take_message(bytes(frame.data))
                return
            self._fragments = self._fragments or bytearray()
            self._fragments += frame.data
            if frame.fin:
                whole, self._fragments = bytes(self._fragments), None
                self._take_message(whole)

    def _take_message(self, content: bytes) -> None:
        assert self.session is not None
        if not self._is_text:
            self.end(UNSUPPORTED, "text frames only")
            return
        try:
            message = decoded(content.decode("utf-8"))
        except UnicodeDecodeError:
            self.end(INVALID_TEXT, "this is no UTF-8")
        except Malformed as exc:
            self.end(POLICY, str(exc))
        else:
            self.perform(self.session.received(message, self._house.now()))
            if self.session.is_begun and self._is_listening:
                self._deadline = math.inf

    def _has_allowance(self) -> bool:
        now = self._house.now()
        self._allowance = min(_BURST, self._allowance + (now - self._counted_at) * _PER_SECOND) - 1
        self._counted_at = now
        return self._allowance >= 0

    def _say(self, message: Message) -> None:
        if self._transport is not None and self._transport.get_write_buffer_size() > _MOST_UNREAD:
            # It reads nothing; what it does not get now waits in the store.
            self.abort()
            return
        self._wire.send_text(json.dumps(message, separators=(",", ":")).encode("ascii"))
        self._flush()

    def _probe(self, now: float, quiet_seconds: float) -> None:
        """Ask for a pong where nothing came for so long: a peer that is gone does not say so."""
        if self._is_listening and self._deadline == math.inf and now - self._heard_at >= quiet_seconds:
            self._wire.send_ping(b"")
            self._flush()
            self._deadline = now + self._house.manners.pong_seconds

    def _expire(self) -> None:
        is_begun = self.session is not None and self.session.is_begun
        if self._is_listening and is_begun and self._heard_at >= self._deadline - self._house.manners.pong_seconds:
            self._deadline = math.inf
        elif self._is_listening and self.session is not None and not is_begun:
            self.end(POLICY, "no hello came in time")
        else:
            self.abort()

    def _flush(self) -> None:
        for data in self._wire.data_to_send():
            if self._transport is None:
                return
            if data:
                self._transport.write(data)
            else:
                # Not closed at once: a client in the middle of a frame would never read why.
                self._deadline = min(self._deadline, self._house.now() + _CLOSE_SECONDS)
                self._house.left(self)
                self._transport.write_eof()


def _subprotocol(wire: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The first that we speak; a client that names none speaks the older and better known one."""
    known = {simplepush.SUBPROTOCOL, relayed.SUBPROTOCOL}
    return next((name for name in offered if name in known), None)
