"""One open connection: octets in and out, every wait bounded by a deadline, answers matched to their questions."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Sequence

from integration_server import BackendTimeout, Deadline
from integration_server.builtin.ldap import messages
from integration_server.builtin.ldap.ber import SEQUENCE, Malformed, integer, length_at
from integration_server.builtin.ldap.changes import Write
from integration_server.builtin.ldap.entries import EntryDecoder, Row
from integration_server.builtin.ldap.messages import Message, Result, Search
from integration_server.builtin.ldap.results import SUCCESS, ServerFailed, describe
from integration_server.builtin.ldap.settings import Address
from integration_server.builtin.ldap.timed import TimedSocket

logger = logging.getLogger(__name__)

#: How much is received at a time: at first, and once there was more. The memory for it is taken before it comes.
_RECEIVE_FIRST = 1 << 13
_RECEIVE_MORE = 1 << 18
#: No entry of a person is as large; a length beyond this is nonsense, or an attempt to fill the memory.
_LARGEST_MESSAGE = 64 << 20
_ENTRY = bytes((messages.SEARCH_ENTRY,))


class Wire:
    """A connection that is open, used by one thread at a time with one question under way.

    ``server`` is the URI of ``address``, for messages. After any exception but one about a result code the state is
    unknown: close it. Whoever opened it closes it.
    """

    def __init__(self, sock: socket.socket, address: Address) -> None:
        self.socket = sock
        self.address = address
        self.server = address.uri
        self._timed = TimedSocket(sock)
        self._room = _RECEIVE_FIRST
        self._data = b""
        self._position = 0
        self._last_id = 0

    def go_on_with(self, sock: socket.socket) -> None:
        """Use this socket from now on, which is the former one within TLS."""
        self.socket = sock
        self._timed = TimedSocket(sock)

    def close(self) -> None:
        """Say goodbye and close. May be called twice."""
        with contextlib.suppress(OSError, ValueError):
            self.socket.setblocking(False)
            self.socket.send(messages.unbind_request(self._last_id + 1))
        with contextlib.suppress(OSError):
            self.socket.close()

    def is_quiet(self) -> bool:
        """Whether the connection looks fit for a question: neither closed by the server nor with words unasked for."""
        return self._position == len(self._data) and self._timed.is_quiet()

    def bind(self, dn: str, password: bytes, deadline: Deadline) -> tuple[Result, int | None]:
        """The result of a simple bind and the password policy's error, if it has one to tell."""
        message_id = self._next_id()
        self._send(messages.bind_request(message_id, dn, password), deadline)
        answer = self._answer(message_id, messages.BIND_RESPONSE, deadline)
        try:
            return messages.parse_result(answer.body), messages.parse_policy_error(answer.controls)
        except Malformed as exc:
            raise self._nonsense(exc) from exc

    def bind_external(self, deadline: Deadline) -> Result:
        """The result of a bind as whom our certificate stands for, or our user id on a Unix socket."""
        message_id = self._next_id()
        self._send(messages.external_bind_request(message_id), deadline)
        answer = self._answer(message_id, messages.BIND_RESPONSE, deadline)
        try:
            return messages.parse_result(answer.body)
        except Malformed as exc:
            raise self._nonsense(exc) from exc

    def who_am_i(self, deadline: Deadline) -> str | None:
        """Whom the server takes us for, such as ``dn:cn=reader``, empty for nobody; None where it does not tell."""
        message_id = self._next_id()
        self._send(messages.who_am_i_request(message_id), deadline)
        answer = self._answer(message_id, messages.EXTENDED_RESPONSE, deadline)
        try:
            if messages.parse_result(answer.body).code != SUCCESS:
                return None
            return (messages.response_value(answer.body) or b"").decode("utf-8", "replace")
        except Malformed as exc:
            raise self._nonsense(exc) from exc

    def start_tls(self, deadline: Deadline) -> Result:
        """The answer to StartTLS. On success the caller secures the socket before anything else is said."""
        message_id = self._next_id()
        self._send(messages.start_tls_request(message_id), deadline)
        answer = self._answer(message_id, messages.EXTENDED_RESPONSE, deadline)
        if self._position != len(self._data):
            # Words spoken before the encryption must not count as spoken within it.
            raise ServerFailed(f"{self.server}: the server went on in plain text after StartTLS")
        try:
            return messages.parse_result(answer.body)
        except Malformed as exc:
            raise self._nonsense(exc) from exc

    def write(self, request: Write, deadline: Deadline) -> Result:
        """The result of a request that changes something. After an exception it may have been carried out."""
        message_id = self._next_id()
        self._send(messages.write_request(message_id, request.operation), deadline)
        answer = self._answer(message_id, request.answer, deadline)
        try:
            return messages.parse_result(answer.body)
        except Malformed as exc:
            raise self._nonsense(exc) from exc

    def put(self, inquiry: messages.Inquiry, asked: bytes, deadline: Deadline) -> int:
        """Send a search for what this filter says and return its message id; ``read`` then gives the answers."""
        message_id = self._next_id()
        self._send(inquiry.request(message_id, asked), deadline)
        return message_id

    def ask(
        self,
        search: Search,
        attributes: Sequence[str],
        deadline: Deadline,
        page: tuple[int, bytes] | None = None,
        controls: Sequence[bytes] = (),
    ) -> int:
        """Send a search for these attributes and return its message id; ``read`` then gives the answers."""
        message_id = self._next_id()
        self._send(messages.search_request(message_id, search, attributes, page, controls), deadline)
        return message_id

    def next(self, deadline: Deadline, *message_ids: int) -> Message:
        """The next message that answers one of these questions, intermediate ones included (RFC 4511 §4.13).

        Raises ServerFailed for nonsense and a closed connection, BackendTimeout.
        """
        try:
            while True:
                message = self._next_message()
                if message is None:
                    self._receive(deadline)
                elif message.id in message_ids:
                    return message
                else:
                    self._is_answer(message, message_ids[0])
        except Malformed as exc:
            raise self._nonsense(exc) from exc

    def read(self, message_id: int, decoder: EntryDecoder, rows: list[Row], deadline: Deadline) -> Message | None:
        """Decode entries as they come into ``rows``; returns the first other answer, None when more is to come.

        Raises ServerFailed for nonsense and a closed connection, BackendTimeout.
        """
        head = integer(message_id) + _ENTRY
        try:
            self._position = decoder.take(self._data, self._position, head, rows)
            if self._position == len(self._data):
                self._receive(deadline)
                return None
            if (plain := self._plain_success(message_id, messages.SEARCH_DONE)) is not None:
                return plain
            message = self._next_message()
            if message is None:
                self._receive(deadline)
                return None
            if not self._is_answer(message, message_id):
                return None
            if message.kind == messages.SEARCH_ENTRY:
                # Written in an unusual but legal way, so the quick path left it.
                decoder.take_body(message.body, rows)
                return None
        except Malformed as exc:
            raise self._nonsense(exc) from exc
        return message

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _plain_success(self, message_id: int, kind: int) -> Message | None:
        """The next message where it is one."""
        found = messages.plain_success(self._data, self._position, message_id, kind)
        if found is None:
            return None
        message, self._position = found
        return message

    def _answer(self, message_id: int, kind: int, deadline: Deadline) -> Message:
        if self._position == len(self._data):
            self._receive(deadline)
        if (plain := self._plain_success(message_id, kind)) is not None:
            return plain
        try:
            while (message := self._next_message()) is None or not self._is_answer(message, message_id):
                if message is None:
                    self._receive(deadline)
            if message.kind != kind:
                raise Malformed(f"an answer is of type {message.kind:#04x}")
        except Malformed as exc:
            raise self._nonsense(exc) from exc
        return message

    def _is_answer(self, message: Message, message_id: int) -> bool:
        """Whether it answers our question; other ids are nonsense, but a server may speak unasked under id 0."""
        if message.id == message_id:
            return message.kind != messages.INTERMEDIATE_RESPONSE
        if message.id:
            raise Malformed(f"question {message_id} was asked and {message.id} is answered")
        if messages.response_name(message.body) == messages.NOTICE_OF_DISCONNECTION:
            said = describe(messages.parse_result(message.body))
            raise ServerFailed(f"{self.server}: the server ends the connection, {said}")
        logger.info("%s: the server speaks unasked (type %#04x); ignored", self.server, message.kind)
        return False

    def _nonsense(self, exc: Malformed) -> ServerFailed:
        return ServerFailed(f"{self.server}: the server's answer cannot be understood: {exc}")

    def _next_message(self) -> Message | None:
        """The next message, None when it has not come as a whole yet. Raises Malformed."""
        end = self._position + self._announced()
        if end == self._position or end > len(self._data):
            return None
        begin, self._position = self._position, end
        return messages.parse_message(self._data, begin, end)

    def _announced(self) -> int:
        """How long the next message says that it is, 0 when too little has come to tell."""
        if self._position == len(self._data):
            return 0
        if self._data[self._position] != SEQUENCE:
            raise Malformed("no message begins where one should")
        try:
            size, begin = length_at(self._data, self._position + 1)
        except IndexError:
            return 0
        if size > _LARGEST_MESSAGE:
            raise Malformed(f"a message claims {size} bytes")
        return begin - self._position + size

    def _send(self, data: bytes, deadline: Deadline) -> None:
        try:
            self._timed.send(data, deadline)
        except TimeoutError as exc:
            raise BackendTimeout(f"{self.server}: the server takes no question") from exc
        except OSError as exc:
            raise ServerFailed(f"{self.server}: the connection broke: {exc}") from exc

    def _receive(self, deadline: Deadline) -> None:
        """Wait for more, and for as much as the next message lacks."""
        if self._position == len(self._data):
            self._data, self._position = self._receive_some(deadline), 0
            return
        chunks = [self._data[self._position :]]
        missing = max(self._announced() - len(chunks[0]), 1)
        while missing > 0:
            chunk = self._receive_some(deadline)
            chunks.append(chunk)
            missing -= len(chunk)
        self._data, self._position = b"".join(chunks), 0

    def _receive_some(self, deadline: Deadline) -> bytes:
        try:
            chunk = self._timed.receive(self._room, deadline)
        except TimeoutError as exc:
            raise BackendTimeout(f"{self.server}: no answer within the time limit") from exc
        except OSError as exc:
            raise ServerFailed(f"{self.server}: the connection broke: {exc}") from exc
        if not chunk:
            raise ServerFailed(f"{self.server}: the server closed the connection")
        if len(chunk) == self._room:
            self._room = _RECEIVE_MORE
        return chunk
