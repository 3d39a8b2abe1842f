"""``/healthz``, ``/readyz`` and ``/metrics``.

Whether the server lives and is ready may be asked from anywhere, for that is what load balancers do, and the answer is
one word. The rest is for the networks that the configuration names.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import flask

from integration_server.directory.listing import Lister
from integration_server.directory.mount import Mount
from integration_server.meters import Meters
from integration_server.sdk.errors import CallerRefused, StoreUnavailable
from integration_server.store import Store
from integration_server.web.monitoring.health import BackendHealth
from integration_server.web.monitoring.state import State
from integration_server.web.proxy import IS_FORWARDED

logger = logging.getLogger(__name__)

#: Where no frontend can be mounted.
PATHS = ("/healthz", "/readyz", "/metrics")
#: No frontend can be called so.
_NAME = "(monitoring)"
_TEXT = "text/plain; charset=utf-8"
#: Of Prometheus' text format.
_METRICS = "text/plain; version=0.0.4; charset=utf-8"
_OK, _ERR = "OK", "ERR"


@dataclass(frozen=True, slots=True)
class MonitoringFacts:
    """What monitoring is told from. ``faults`` says which work of this process has ended; ``networks`` are those whose
    monitors may ask for more than a word."""

    version: str
    store: Store
    mounts: Mapping[str, Mount]
    lister: Lister
    meters: Meters
    health: BackendHealth
    faults: Callable[[], Sequence[str]]
    networks: Sequence[str]


def create_monitoring(facts: MonitoringFacts) -> flask.Blueprint:
    """The views as a blueprint, to be mounted at the root."""
    return _Monitoring(facts).blueprint()


class _Monitoring:
    def __init__(self, facts: MonitoringFacts) -> None:
        self._facts = facts
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in facts.networks)
        self._health = facts.health
        self._state = State(facts.version, facts.store, facts.mounts, facts.lister, time.time)

    def blueprint(self) -> flask.Blueprint:
        blueprint = flask.Blueprint(_NAME, __name__)
        live, ready, metrics = PATHS
        blueprint.add_url_rule(live, "live", self._live)
        blueprint.add_url_rule(f"{live}/<backend>", "backend", self._backend)
        blueprint.add_url_rule(ready, "ready", self._ready)
        blueprint.add_url_rule(metrics, "metrics", self._metrics)
        return blueprint

    def _live(self) -> flask.Response:
        return _word(True)

    def _ready(self) -> flask.Response:
        faults = [f"{work} has ended" for work in self._facts.faults()]
        try:
            self._facts.store.journal.last_serial()
        except StoreUnavailable as exc:
            faults.append(str(exc))
        for fault in faults:
            logger.warning("not ready: %s", fault)
        return _word(not faults)

    def _backend(self, backend: str) -> flask.Response:
        self._admit()
        try:
            return _word(self._health.is_up(backend))
        except KeyError:
            known = ", ".join(self._health.names) or "none"
            raise CallerRefused(404, f"there is no backend of that name; there are: {known}") from None

    def _metrics(self) -> flask.Response:
        self._admit()
        return flask.Response(self._state.text() + self._facts.meters.text(), content_type=_METRICS)

    def _admit(self) -> None:
        """Raises CallerRefused."""
        try:
            address = ipaddress.ip_address(flask.request.remote_addr or "")
        except ValueError:
            address = None
        else:
            address = getattr(address, "ipv4_mapped", None) or address
        # A proxy on this machine that nobody told us about makes everybody look local; its headers give it away.
        is_hidden = address is not None and address.is_loopback and flask.request.environ.get(IS_FORWARDED, False)
        if address is None or is_hidden or not any(address in network for network in self._networks):
            raise CallerRefused(403, "monitors may ask from the networks in [server] monitoring_networks alone")


def _word(is_well: bool) -> flask.Response:
    return flask.Response(f"{_OK if is_well else _ERR}\n", 200 if is_well else 503, content_type=_TEXT)
