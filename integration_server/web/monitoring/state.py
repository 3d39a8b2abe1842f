"""What monitoring is told of lists, backends and receivers, as the store and the spool have it: the same in every
process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from integration_server.directory.listing import Lister
from integration_server.directory.mount import Mount
from integration_server.store import Store

#: Rows of deliveries, and what they wait for.
_WAITING = ("parked", "held", "dead")
_WELL = "ok"

#: A number by the values of its labels.
Values = dict[tuple[str, ...], float]


class State(Collector):
    """Looks when it is asked, and keeps nothing."""

    def __init__(
        self, version: str, store: Store, mounts: Mapping[str, Mount], lister: Lister, clock: Callable[[], float]
    ) -> None:
        self._version = version
        self._store = store
        self._mounts = mounts
        self._lister = lister
        self._clock = clock

    def text(self) -> bytes:
        """In Prometheus' text format. Raises StoreUnavailable."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Once(list(self.collect())))
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        yield _gauge("info", "Always 1; the label says which version runs", {(self._version,): 1.0}, "version")
        yield from self._lists()
        yield from self._backends()
        last = self._store.journal.last_serial()
        events = CounterMetricFamily("integration_server_events", "Serial of the latest event in the journal")
        events.add_metric([], last)
        yield events
        yield from self._receivers(last)

    def _lists(self) -> Iterator[Metric]:
        ended: Values = {}
        people: Values = {}
        seconds: Values = {}
        failed: Values = {}
        for name, mount in self._mounts.items():
            outcome = self._lister.folder(mount).outcome()
            if outcome is None:
                continue
            failed[(name,)] = float(outcome.error is not None)
            if outcome.release is not None:
                ended[(name,)] = outcome.release.ended_at
                people[(name,)] = float(outcome.release.count)
                seconds[(name,)] = outcome.release.ended_at - outcome.release.began_at
        yield _gauge("list_timestamp_seconds", "When the latest whole list was made (Unix seconds)", ended, "frontend")
        yield _gauge("list_people", "People in the latest whole list", people, "frontend")
        yield _gauge("list_seconds", "Time that the latest whole list took to make", seconds, "frontend")
        yield _gauge("list_failed", "1 where the latest try gave no list, or one that is held", failed, "frontend")

    def _backends(self) -> Iterator[Metric]:
        held: Values = {(run.backend,): 1.0 for run in self._store.runs.all()}
        people: Values = {}
        scanned: Values = {}
        seconds: Values = {}
        failed: Values = {}
        for watch in self._store.watches.all():
            key = (watch.backend,)
            held.setdefault(key, 0.0)
            people[key] = float(watch.people_count)
            failed[key] = float(watch.failed_at is not None)
            if watch.scanned_at is not None:
                scanned[key] = watch.scanned_at
            if watch.scan_seconds is not None:
                seconds[key] = watch.scan_seconds
        yield _gauge("sync_people", "People at the latest comparison", people, "backend")
        yield _gauge("sync_timestamp_seconds", "When everybody was last compared (Unix seconds)", scanned, "backend")
        yield _gauge("sync_seconds", "Time that the latest comparison took", seconds, "backend")
        yield _gauge("sync_failed", "1 while no changes are noticed, since the latest look failed", failed, "backend")
        yield _gauge("sync_held", "1 while the guard holds a run until a person decides", held, "backend")

    def _receivers(self, last: int) -> Iterator[Metric]:
        counts = self._store.deliveries.counts()
        now = self._clock()
        lag: Values = {}
        up: Values = {}
        failing: Values = {}
        waiting: Values = {}
        for one in self._store.subscriptions.all():
            name = one.uid or one.id
            lag[(name, one.type)] = float(max(0, last - one.cursor))
            up[(name, one.type)] = float(one.is_active and one.state == _WELL)
            failing[(name, one.type)] = max(0.0, now - one.failing_since) if one.failing_since else 0.0
            for state in _WAITING:
                waiting[(name, state)] = float(counts.get(one.id, {}).get(state, 0))
        labels = ("subscription", "type")
        yield _gauge("subscription_lag", "Serials between the receiver's cursor and the latest event", lag, *labels)
        yield _gauge("subscription_up", "1 where the receiver is told and took what it was handed last", up, *labels)
        yield _gauge("subscription_failing_seconds", "For how long the receiver has taken nothing", failing, *labels)
        yield _gauge("subscription_waiting", "Events that wait, by state", waiting, "subscription", "state")


class _Once(Collector):
    """What was collected already: a failure on the way must not leave half of it in an answer."""

    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        return iter(self._found)


def _gauge(name: str, about: str, values: Values, *labels: str) -> Metric:
    made = GaugeMetricFamily(f"integration_server_{name}", about, labels=labels)
    for key, value in values.items():
        made.add_metric(key, value)
    return made
