"""The one way out: HTTP to receivers, with every address checked before it is connected to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from integration_server.sdk.deadline import Deadline, Watchdog


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a receiver answered; ``body`` is cut."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Keeps connections. Thread-safe. Close it."""

    def __init__(self, allow_networks: Sequence[str], watchdog: Watchdog) -> None:
        raise NotImplementedError

    def post(self, url: str, body: bytes, headers: Mapping[str, str], deadline: Deadline) -> HttpAnswer:
        """The answer, whatever its status; redirects are not followed. Raises DeliveryFailed's family."""
        raise NotImplementedError

    def close(self) -> None:
        """Close every connection."""
        raise NotImplementedError
