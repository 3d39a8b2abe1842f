"""One caller's connection: waitress's channel, with deadlines, and without threads that wait for callers."""

from __future__ import annotations

import logging
import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.utilities import InternalServerError

from integration_server.server.limits import ServerLimits
from integration_server.server.request import StrictRequest
from integration_server.server.task import Task

logger = logging.getLogger(__name__)

SEND_BYTES = 256 * 1024
"""Read from a file and offered to the socket at once."""

TURN_BYTES = 1024 * 1024
"""Sent to one caller before the others have their turn: a fast reader must not hold the loop for a list."""

LINGER_SECONDS = 2.0
"""How long input is thrown away after a refusal, so that a caller who still sends can read it: RFC 9112 §9.6."""

PATIENCE_SECONDS = 1.0
"""How long a caller may be silent or slow before it can lose its connection to another, when all are used."""

_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_RESET = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection. The thread that turns the loop owns it; only ``service`` and ``write_soon`` run in any thread.

    One request is worked on at a time, and the next one (pipelined) only when the answer before it has left: a
    worker thread never finds the output of an earlier request in its way, so a caller who does not read costs
    a connection and an open file, and nothing else. The loop listens to the caller meanwhile, so that it need not be
    woken when an answer has left, which would take as long as reading the next request.
    """

    task_class = Task
    request: StrictRequest | None
    requests: list[StrictRequest]
    current_outbuf_count: int
    sent_continue: bool

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:
        self._limits: ServerLimits = server.limits
        self._rest_since = time.monotonic()  # when the last request was done with
        self._sent_at = self._rest_since  # when the caller last took something
        self._made_at = self._rest_since
        self._head_since: float | None = None  # first byte of the request that is being received
        self._body_since: float | None = None
        self._linger_until: float | None = None
        self._was_refused = False
        self._unread = b""  # what came after a complete request
        self._is_at_end = False  # the caller sends no more, but may wait for its answer
        super().__init__(server, sock, addr, adj, map=map)

    # What the loop asks.

    def readable(self) -> bool:
        if self._linger_until is not None:
            return True
        is_ending = self.will_close or self.close_when_flushed or self._is_at_end
        return not (is_ending or self._unread or self.total_outbufs_len)

    def writable(self) -> bool:
        if self._linger_until is not None:
            return False
        return bool(super().writable() or self._has_next())

    def is_busy(self) -> bool:
        """Whether a request is being worked on, or its answer has not left yet."""
        return bool(self.requests or self.total_outbufs_len or self.close_when_flushed)

    def is_about_to_ask(self) -> bool:
        """Whether the first request of a new connection, or the rest of one that has begun, may come in this moment."""
        if self._body_since is not None or self._unread:
            return True
        is_new = self._rest_since == self._made_at or self._head_since is not None
        since = self._made_at if self._head_since is None else self._head_since
        return is_new and time.monotonic() - since < PATIENCE_SECONDS

    def idle_since(self) -> float:
        return max(self._rest_since, self._sent_at)

    def expendable_since(self) -> float | None:
        """Since when the caller has kept us waiting for a head; None while that is not long.

        Heads come in one piece, so nobody is missed who has not sent a whole one after a second.
        """
        if self.is_busy() or self._unread or self._body_since is not None:
            return None
        since = self.idle_since() if self._head_since is None else self._head_since
        return since if time.monotonic() - since > PATIENCE_SECONDS else None

    def due(self) -> float | None:
        """The moment (monotonic) by which the caller must have done its part; None while it is our turn."""
        limits = self._limits
        if self._linger_until is not None:
            return self._linger_until
        if self.writable():
            return self.idle_since() + limits.send_stall_seconds
        if self.requests:
            return None
        if self._body_since is not None:
            return self._body_since + limits.body_seconds
        if self._head_since is not None:
            return self._head_since + limits.header_seconds
        return self.idle_since() + limits.idle_seconds

    def expire(self) -> None:
        """Close the connection of a caller that missed its deadline."""
        if self.writable():
            logger.info("%s took nothing of its answer for %g s", self.addr[0], self._limits.send_stall_seconds)
            with suppress(OSError):  # the kernel would keep the unsent rest for minutes
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        elif self._head_since is not None:
            logger.info("%s did not complete its request in time", self.addr[0])
            with suppress(OSError):
                self.socket.send(_TOO_SLOW)
        self.handle_close()

    # What the loop tells.

    def handle_read(self) -> None:
        try:
            data = self.socket.recv(self.adj.recv_bytes)
        except BlockingIOError:
            return
        except OSError as exc:
            logger.debug("reading from %s failed: %s", self.addr[0], exc)
            self.handle_close()
            return
        if not data:
            self._end()
        elif self._linger_until is None:
            self.received(data)

    def _end(self) -> None:
        """The caller sends no more; who has asked something may still read (RFC 9112 §9.6)."""
        if self._linger_until is None and self.is_busy():
            self._is_at_end = True
        else:
            self.handle_close()

    def received(self, data: bytes) -> bool:
        """Take what the caller sent, up to the end of one request."""
        with self.requests_lock:
            # The worker may have decided to close since the loop looked.
            if self.will_close or self.close_when_flushed:
                return False
            while data and not self.requests:
                self._note_progress(data)
                if self.request is None:
                    self.request = StrictRequest(self.adj, self.server.heads)
                data = data[self.request.received(data) :]
                self._take_request()
            self._unread = b"" if self._was_refused else data
        return True

    def _note_progress(self, data: bytes) -> None:
        # Empty lines before a request (RFC 9112 §2.2) are none of its bytes, and keep no connection alive.
        if self._head_since is None and data.strip(b"\r\n"):
            self._head_since = time.monotonic()

    def _take_request(self) -> None:
        """Hand the request that is being received to the workers, if it is complete."""
        request = self.request
        assert request is not None
        if request.headers_finished and self._body_since is None and not request.empty:
            self._body_since = time.monotonic()
        if not request.completed:
            if request.expect_continue and not self.sent_continue:
                self.send_continue()
            return
        self.request = None
        self.sent_continue = False
        if request.empty:
            return
        self._head_since = self._body_since = None
        if request.error:
            self._was_refused = True
            logger.info("refused a request of %s: %s, %s", self.addr[0], request.error.reason, request.error.body)
        self.requests.append(request)
        self.server.add_task(self)

    def handle_write(self) -> None:
        self._flush_exception(self._flush_some_if_lockable if self.requests else self._flush_some)
        if self.will_close:
            self.handle_close()
        elif not self.connected or self.total_outbufs_len:
            return
        elif self.close_when_flushed:
            self._finish()
        elif self._has_next():
            if self._unread:
                self.received(self._unread)
            else:
                self.handle_close()

    def handle_expt(self) -> None:
        # Urgent data has no place in HTTP, and would wake the loop for ever.
        self.handle_close()

    def handle_close(self) -> None:
        super().handle_close()
        self._unread = b""
        request, self.request = self.request, None
        if request is not None:
            request.close()

    def _has_next(self) -> bool:
        return bool((self._unread or self._is_at_end) and not self.requests)

    def _finish(self) -> None:
        """Close, all being sent; gently where the caller may be sending still."""
        if not self._was_refused:
            self.handle_close()
            return
        self.close_when_flushed = False
        self._linger_until = time.monotonic() + min(LINGER_SECONDS, self._limits.body_seconds)
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()

    # Sending.

    def write_soon(self, data: Any) -> int:
        size = len(data)
        if not self.total_outbufs_len:
            self._sent_at = time.monotonic()
            if isinstance(data, bytes):
                data = data[self._sent_at_once(data) :]
        if data:
            super().write_soon(data)
        return size

    def _sent_at_once(self, data: bytes) -> int:
        """How much of an answer the system took, before any of it went into a buffer."""
        with self.outbuf_lock:
            if not self.connected:
                raise ClientDisconnected
            # Whatever is wrong shows again, and is dealt with, when the rest is sent.
            with suppress(OSError):
                return int(self.send(data[:SEND_BYTES], do_close=False))
        return 0

    @property
    def path(self) -> str:
        """What the request that has come asks for."""
        return self.requests[0].path

    def service(self) -> None:
        """Answer the request that has come. In whichever thread."""
        request = self.requests[0]
        task = self._answered(self.error_task_class if request.error else self.task_class, request)
        if not task.close_on_finish and self.current_outbuf_count:
            # The next answer gets a buffer of its own, so that a large one does not stay for as long as the connection.
            self.current_outbuf_count = self.adj.outbuf_high_watermark
        request.close()
        self._rest_since = time.monotonic()
        with self.requests_lock:
            self.close_when_flushed |= task.close_on_finish
            self.requests = []
        if self.connected and self._needs_the_loop():
            self.server.pull_trigger()

    def _needs_the_loop(self) -> bool:
        """Whether the loop, which may be waiting for this caller's next request, has something else to do first."""
        return bool(self.writable() or self.server.is_stopping)

    def _answered(self, task_class: Callable[..., Any], request: StrictRequest) -> Any:
        task = task_class(self, request)
        try:
            if self.connected:
                task.service()
            else:
                task.close_on_finish = True
        except ClientDisconnected:
            logger.debug("%s left before it had its answer", self.addr[0])
            task.close_on_finish = True
        except BaseException:
            # Whatever somebody's code raises, also to end a thread or a coroutine: the caller waits for an answer.
            logger.exception("answering a request of %s failed", self.addr[0])
            if task.wrote_header or task_class is self.error_task_class:
                task.close_on_finish = True
            else:
                request.error = InternalServerError("The server encountered an unexpected internal server error")
                return self._answered(self.error_task_class, request)
        return task

    def _flush_exception(self, flush: Callable[..., bool], do_close: bool = True) -> tuple[bool, bool]:
        """Run ``flush``; whether it sent something, and whether it failed. Callers may leave at any time."""
        try:
            return flush(do_close=do_close), False
        except OSError as exc:
            logger.debug("sending to %s failed: %s", self.addr[0], exc)
        except Exception:
            logger.exception("sending to %s failed", self.addr[0])
        self.will_close = True
        return False, True

    def _flush_some(self, do_close: bool = True) -> bool:
        """Send what the caller takes, at most a turn's worth; whether that was anything."""
        sent = 0
        while sent < TURN_BYTES:
            outbuf = self.outbufs[0]
            if not outbuf.__len__():  # len() is too small for large files on 32 bits
                if len(self.outbufs) == 1:
                    break
                self.outbufs.pop(0).close()
                continue
            chunk = outbuf.get(SEND_BYTES)
            if not chunk:
                raise RuntimeError("a file became shorter while it was sent")
            taken = self.send(chunk, do_close=do_close)
            if not taken:
                break
            outbuf.skip(taken, True)
            self.total_outbufs_len -= taken
            sent += taken
            if taken < len(chunk):
                break
        if sent:
            self._sent_at = time.monotonic()
        return sent > 0
