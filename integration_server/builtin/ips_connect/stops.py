"""The slaves of a network as chains see them: where a browser can be sent to, and whether it would come back."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field

from integration_server import BackendTimeout, Deadline, DeliveryError, HttpClient, Receiver
from integration_server.builtin.ips_connect.keys import key_of_id
from integration_server.builtin.ips_connect.places import plain_url, with_query
from integration_server.builtin.ips_connect.settings import SlaveSettings

#: Seconds that one look may take, and that what it saw counts.
LOOK_SECONDS = 2.0
_REMEMBERED = 60.0
_AT_ONCE = 16
_MOST_LOOKS = 1000


@dataclass(frozen=True, slots=True)
class Stop:
    """A slave. ``tag`` names it in what browsers carry: eight letters, made of its subscription's ``id``.

    ``url`` is what it registered, letter for letter. ``is_told``: it takes part in chains. ``is_up``: it took the last
    change that it was handed. ``has_ended``: it left the network.
    """

    tag: str
    id: str
    url: str = field(repr=False)
    key: str = field(repr=False)
    allow_networks: tuple[str, ...]
    is_told: bool
    is_up: bool
    has_ended: bool

    def visit_url(self, method: str, id: str, origin: str, return_to: str) -> str:
        """Where a browser is sent to be logged in or out there. ``return_to`` is where the slave sends it then."""
        parameters = [("do", method), ("key", key_of_id(self.key, id)), ("id", id), ("slaveCall", "1")]
        return with_query(plain_url(self.url), [*parameters, ("url", origin), ("returnTo", return_to)])


def stops(receivers: Iterable[Receiver], backend: str) -> list[Stop]:
    """The slaves of one network, in the order in which they came."""
    return [
        _stop(receiver, receiver.settings)
        for receiver in receivers
        if isinstance(receiver.settings, SlaveSettings)
        and receiver.settings.backend == backend
        and _is_url(receiver.settings.url)
    ]


def _stop(receiver: Receiver, settings: SlaveSettings) -> Stop:
    return Stop(
        tag=base64.urlsafe_b64encode(hashlib.sha256(receiver.id.encode()).digest()[:6]).decode("ascii"),
        id=receiver.id,
        url=settings.url,
        key=settings.key.get_secret_value(),
        allow_networks=settings.allow_networks,
        is_told=receiver.is_told,
        is_up=receiver.is_up,
        has_ended=receiver.state == "ended",
    )


def _is_url(url: str) -> bool:
    try:
        return bool(plain_url(url))
    except ValueError:
        return False


class Looks:
    """Whether slaves answer at all, seen with our own eyes shortly before a browser goes there. Thread-safe.

    All slaves of a chain are looked at beside each other, each once a minute at most, whoever wants to know. A look
    sends nothing but the URL that the slave registered, so any certificate will do: whether the browser trusts it, only
    the browser knows.
    """

    def __init__(self, http: HttpClient, clock: Callable[[], float] = time.time) -> None:
        self._http = http
        self._clock = clock
        # Threads are started when there is something to see, and end with this object.
        self._pool = ThreadPoolExecutor(_AT_ONCE, "ips_connect look")
        self._seen: dict[Stop, tuple[float, Future[bool]]] = {}

    def begin(self, stops: Sequence[Stop]) -> None:
        """Look at those of which nothing recent is known; returns at once."""
        for stop in stops:
            self._verdict(stop)

    def is_alive(self, stop: Stop, deadline: Deadline) -> bool:
        """Whether the slave answered HTTP, whatever it said. One of which that is not known when the deadline is over
        did not."""
        verdict = self._verdict(stop)
        try:
            return verdict.result(0 if verdict.done() else deadline.remaining())
        except (FutureTimeout, BackendTimeout):
            return False

    def _verdict(self, stop: Stop) -> Future[bool]:
        now = self._clock()
        # Two threads may both find nothing, and look twice: that does no harm, and a lock would have to be waited for.
        at, verdict = self._seen.get(stop, (now, None))
        if verdict is not None and (not verdict.done() or 0 <= now - at < _REMEMBERED):
            return verdict
        if len(self._seen) >= _MOST_LOOKS:
            self._seen.clear()
        verdict = self._pool.submit(self._look, stop)
        self._seen[stop] = (now, verdict)
        return verdict

    def _look(self, stop: Stop) -> bool:
        try:
            self._http.get(
                stop.url,
                "",
                {},
                Deadline(LOOK_SECONDS),
                allow_networks=stop.allow_networks,
                is_verified=False,
                answer_limit=1000,
            )
        except DeliveryError:
            return False
        return True
