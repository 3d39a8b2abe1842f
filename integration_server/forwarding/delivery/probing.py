"""Which parcels may be the reason why a receiver seems to be down. Pure."""

from __future__ import annotations

from integration_server.forwarding.delivery.parcels import Parcel

#: Failed probes of one event until the next one is tried: it may be the event's fault.
PROBES_OF_ONE = 3


class Probing:
    """What was probed with while a receiver rests."""

    def __init__(self) -> None:
        self._suspects: dict[str, Parcel] = {}
        self._last: tuple[str, int] = ("", 0)

    def fail(self, parcel: Parcel) -> None:
        """A probe with this one failed; after some in a row it is passed over."""
        key, count = self._last
        self._last = (parcel.id, count + 1 if key == parcel.id else 1)
        if self._last[1] >= PROBES_OF_ONE:
            self._suspects[parcel.id] = parcel

    def answered(self) -> None:
        """The receiver is there."""
        self._last = ("", 0)

    def is_suspect(self, parcel: Parcel) -> bool:
        return parcel.id in self._suspects

    def lanes(self) -> frozenset[str]:
        """Lanes whose first event is passed over."""
        return frozenset(parcel.units[0][0].lane for parcel in self._suspects.values() if not parcel.is_batch)

    def forget(self, parcel: Parcel) -> None:
        self._suspects.pop(parcel.id, None)

    def release(self) -> list[Parcel]:
        """Those that were passed over, which are suspects no longer."""
        if not self._suspects:
            return []
        suspects, self._suspects = list(self._suspects.values()), {}
        return suspects
