"""The HTTP server of one process: waitress with a loop that keeps deadlines and stops gently."""

from __future__ import annotations

import errno
import gc
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any
from wsgiref.types import WSGIApplication

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from integration_server.server.channel import Channel
from integration_server.server.heads import Heads
from integration_server.server.leading import Leading
from integration_server.server.limits import HAS_POLL, ServerLimits, usable_connection_limit
from integration_server.server.pace import Pace
from integration_server.server.task import constant_environment

logger = logging.getLogger(__name__)

IDENT = "integration-server"

BUFFERED_ANSWER_BYTES = 64 * 1024 * 1024
"""An answer that is no file is taken off its worker thread up to this size (past 1 MiB in a temporary
file)."""

BUFFERED_BODY_BYTES = 64 * 1024
"""Larger request bodies wait in a temporary file: a thousand callers must not fill the memory."""

LOOP_SECONDS = 1.0
WARN_SECONDS = 60.0


class Workers(ThreadedTaskDispatcher):  # type: ignore[misc]
    """The worker threads, which complain once a minute, and only when all of them are busy.

    Requests wait in a queue that is written in C: with waitress's own, to hand one over took as long as to look up a
    person.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count
        self._tasks: SimpleQueue[Any] = SimpleQueue()
        self._warned_at = float("-inf")

    def start(self) -> None:
        for number in range(self._count):
            self.threads.add(number)
            self.start_new_thread(self.handler_thread, number)

    def handler_thread(self, thread_no: int) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task.service()
            except BaseException:
                logger.exception("a worker thread failed")
            # It would keep a request and its answer for as long as nobody asks something else.
            del task
        with self.lock:
            self.threads.discard(thread_no)
            self.thread_exit_cv.notify()

    def add_task(self, task: Any) -> None:
        self._tasks.put(task)
        waiting = self._tasks.qsize()
        if waiting <= self._count:
            return
        now = time.monotonic()
        if now - self._warned_at >= WARN_SECONDS:
            self._warned_at = now
            logger.warning("%d requests wait for one of the %d worker threads", waiting, self._count)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """Let the threads end, for up to ``timeout`` seconds; whether all have. Requests that wait are not begun."""
        with suppress(Empty):
            while cancel_pending:
                self._tasks.get_nowait().cancel()
        for _ in range(self._count):
            self._tasks.put(None)
        with self.lock:
            return bool(self.thread_exit_cv.wait_for(lambda: not self.threads, timeout))


#: A process accepts so much later for each connection that it has, up to so many.
_YIELD_SECONDS = 0.001
_MOST_YIELDS = 4
#: Afterwards it is its turn; if nobody is there by then, the next caller waits again.
_YIELD_LASTS = 0.005


class HttpServer(TcpWSGIServer):  # type: ignore[misc]
    """Serves ``app`` on a listening socket, which it closes. ``run`` blocks until ``stop`` is called."""

    channel_class = Channel

    def __init__(
        self,
        app: WSGIApplication,
        sock: socket.socket,
        limits: ServerLimits,
        on_turn: Callable[[], None] | None = None,
        *,
        has_siblings: bool = False,
    ) -> None:
        """``has_siblings``: other processes accept on the same socket."""
        self.limits = limits
        self._has_siblings = has_siblings
        self._on_turn = on_turn
        self._connection_limit = usable_connection_limit(limits.connection_limit)
        self._is_stopping = False
        self._is_cut_off = False
        self._is_closed = False
        self._trigger_lock = threading.RLock()  # reentrant, as a signal handler may pull the trigger at any point
        self._checked_at = 0.0
        self._accept_after = 0.0
        self._warned_full_at = float("-inf")
        workers = Workers(limits.threads)
        self.heads = Heads()
        self._leading = Leading(self._turn, workers.add_task, Pace())
        super().__init__(
            app,
            map={},
            _start=False,
            _sock=sock,
            dispatcher=workers,
            adj=self._adjustments(sock, limits),
            bind_socket=False,
            sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
        )
        self.constant_environment = constant_environment(self)

    @staticmethod
    def _adjustments(sock: socket.socket, limits: ServerLimits) -> Adjustments:
        return Adjustments(
            sockets=[sock],
            ident=IDENT,
            server_name=IDENT + ".invalid",  # for HTTP/1.0 without Host
            # waitress refuses what is as large as its limits; ours are the largest allowed
            max_request_body_size=limits.max_body_bytes + 1,
            max_request_header_size=limits.max_header_bytes + 1,
            inbuf_overflow=BUFFERED_BODY_BYTES,
            outbuf_high_watermark=BUFFERED_ANSWER_BYTES,
            channel_request_lookahead=0,
            # The web room decides whom to believe about the caller (see web/proxy.py), for more than one
            # proxy.
            clear_untrusted_proxy_headers=False,
        )

    # The loop.

    def run(self) -> None:
        """Serve until ``stop`` was called and the running requests are done, or ``stop_seconds`` have
        passed."""
        self.task_dispatcher.start()
        self.accept_connections()
        try:
            self._leading.run()
            self._drain()
        finally:
            self._shut_down()

    def stop(self, *, cut_off: bool = False) -> None:
        """End ``run``, gently or at once. For any thread, and for signal handlers."""
        self._is_stopping = True
        self._is_cut_off |= cut_off
        self._leading.stop()
        self.pull_trigger()

    @property
    def is_stopping(self) -> bool:
        return self._is_stopping

    def _turn(self, is_waiting: bool) -> None:
        if self._on_turn is not None:
            self._on_turn()
        wait = min(LOOP_SECONDS, self.limits.check_interval()) if is_waiting else 0.0
        if (left := self._accept_after - time.monotonic()) > 0:
            # poll() counts whole milliseconds, and cuts.
            wait = min(wait, left + 0.001)
        wasyncore.loop(timeout=wait, map=self._map, use_poll=HAS_POLL, count=1)
        now = time.monotonic()
        is_full = len(self.active_channels) >= self._connection_limit
        if is_full:
            self._make_room(now)
        if is_full or now - self._checked_at >= self.limits.check_interval():
            self._checked_at = now
            for channel in list(self.active_channels.values()):
                due = channel.due()
                if due is not None and now >= due:
                    channel.expire()

    def _make_room(self, now: float) -> None:
        """Close the connections that have been idle or dripping longest: others come with whole requests."""
        if now - self._warned_full_at >= WARN_SECONDS:
            self._warned_full_at = now
            logger.warning(
                "all %d connections are in use; idle and slow ones are closed for new ones",
                self._connection_limit,
            )
        waiting = [(channel.expendable_since(), channel) for channel in self.active_channels.values()]
        oldest = sorted(((since, channel) for since, channel in waiting if since is not None), key=lambda pair: pair[0])
        for _, channel in oldest[: max(1, self._connection_limit // 20)]:
            channel.handle_close()

    def _drain(self) -> None:
        self.accepting = False
        self.del_channel()
        self.socket.close()
        deadline = time.monotonic() + self.limits.stop_seconds
        while not self._is_cut_off and time.monotonic() < deadline:
            for channel in list(self.active_channels.values()):
                if not (channel.is_busy() or channel.is_about_to_ask()):
                    channel.handle_close()
            if not self.active_channels:
                return
            wasyncore.loop(timeout=0.1, map=self._map, use_poll=HAS_POLL, count=1)
            self._leading.hand_over_all()
        logger.warning("%d connections were cut off while their requests ran", len(self.active_channels))

    def _shut_down(self) -> None:
        self.task_dispatcher.shutdown(timeout=0.5)
        self._leading.close(timeout=0.5)
        for channel in list(self.active_channels.values()):
            channel.handle_close()
        with self._trigger_lock:
            self._is_closed = True
            self.close()

    # What waitress calls.

    def add_task(self, task: Channel) -> None:
        self._leading.add(task)

    def readable(self) -> bool:
        is_full = len(self.active_channels) >= self._connection_limit
        return bool(self.accepting) and not is_full and time.monotonic() >= self._accept_after

    def _leaves_it_to_others(self) -> bool:
        """Whether a caller waits a little, so that a process with fewer connections takes it.

        Else whoever wakes first takes it, and of two processes one may have all callers who keep their connections.
        """
        now = time.monotonic()
        if now - self._accept_after < _YIELD_LASTS:
            # It did wait.
            self._accept_after = 0.0
            return False
        pause = _YIELD_SECONDS * min(len(self.active_channels), _MOST_YIELDS)
        self._accept_after = now + pause
        return pause > 0

    def handle_accept(self) -> None:
        if self._has_siblings and self._leaves_it_to_others():
            return
        try:
            accepted = self.accept()
            if accepted is None:
                return
            connection, address = accepted
            self.set_socket_options(connection)
        except OSError as exc:
            if exc.errno in (errno.EMFILE, errno.ENFILE):
                # The listener stays ready, so the loop would spin.
                self._accept_after = time.monotonic() + LOOP_SECONDS
                logger.error("no file descriptor is left for a new connection: raise the limit of open files")
            else:
                logger.debug("a caller left before it was accepted: %s", exc)
            return
        self.channel_class(self, connection, self.fix_addr(address), self.adj, map=self._map)

    def fix_addr(self, addr: Any) -> Any:
        """An IPv4 caller of a socket for both families is an IPv4 caller."""
        return (addr[0].removeprefix("::ffff:"), *addr[1:]) if "." in addr[0] else addr

    def set_reuse_addr(self) -> None:
        """The listener has done that."""

    def pull_trigger(self) -> None:
        # A thread that outlives the server must not write into whatever file has the number of its pipe by then.
        with self._trigger_lock:
            if not self._is_closed:
                super().pull_trigger()


def serve(
    app: WSGIApplication,
    sock: socket.socket,
    limits: ServerLimits,
    *,
    on_started: Callable[[], None] | None = None,
    on_stop: Callable[[], None] | None = None,
    on_turn: Callable[[], None] | None = None,
    has_siblings: bool = False,
) -> None:
    """Serve ``app`` on the listening ``sock`` until SIGTERM, SIGINT or (Windows) SIGBREAK; closes ``sock``.

    Requests that run by then are finished, up to ``limits.stop_seconds``; a second SIGINT cuts them off.
    ``on_started`` is called when callers are about to be answered, ``on_stop`` within the signal's handler: it
    must take no lock, ``on_turn`` each time that the loop turns, at least every second or so. Outside the main
    thread no signal is heard. ``has_siblings``: see HttpServer.
    """
    server = HttpServer(app, sock, limits, on_turn, has_siblings=has_siblings)
    spare_the_collector()
    with _stopped_by_signals(server, on_stop):
        if on_started is not None:
            on_started()
        server.run()


def spare_the_collector() -> None:
    """Take what was loaded at the start out of the garbage collector's rounds, and make rounds rare.

    A list makes and drops thousands of rows per batch; with the usual threshold of 700 the collector walks through
    all loaded modules again and again meanwhile, which cost a third of the whole time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@contextmanager
def _stopped_by_signals(server: HttpServer, on_stop: Callable[[], None] | None) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts = 0

    def handle(number: int, frame: object) -> None:
        # Only a person is impatient: SIGTERM may come from the supervisor and from systemd at the same time.
        nonlocal interrupts
        interrupts += number != signal.SIGTERM
        if on_stop is not None:
            on_stop()
        server.stop(cut_off=interrupts > 1)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)]
    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
