"""The slaves of a master: who they are, how one becomes a slave, and how one leaves."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from integration_server import (
    AddressRefused,
    ConfigError,
    Deadline,
    DeliveryFailed,
    HttpClient,
    Receiver,
    Receivers,
    masked_url,
    parse_url,
)
from integration_server.builtin.ips_connect.keys import is_same, is_short
from integration_server.builtin.ips_connect.settings import SlaveSettings

logger = logging.getLogger(__name__)

#: Seconds. What another process changed counts after this at the latest.
_REMEMBERED = 1.0
_RESOLVED_WITHIN = 5.0
#: The store has room for so many characters of a name, and the brake on guessing for so many of a caller.
_NAME_LIMIT, _LABEL_LIMIT = 200, 64


@dataclass(frozen=True, slots=True)
class Slave:
    """A slave that has not left. ``address`` is set where its URL names one, ``host`` and ``port`` say whom to ask
    otherwise. ``label`` is for counters and logs: short, and without what stands in the query of its URL."""

    receiver: Receiver
    settings: SlaveSettings
    label: str
    host: str
    port: int
    address: str | None

    @property
    def id(self) -> str:
        """Of its subscription."""
        return self.receiver.id


class Registry:
    """The slaves of one mount, registered and configured, of one backend's accounts. Thread-safe; raises
    StoreUnavailable. Does no I/O when made."""

    def __init__(
        self,
        mount: str,
        backend: str,
        receivers: Receivers,
        http: HttpClient,
        networks: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``networks`` are those of ``slave_networks``."""
        self._mount = mount
        self._backend = backend
        self._receivers = receivers
        self._http = http
        self._networks = tuple(networks)
        self._clock = clock
        self._read: tuple[float, tuple[Slave, ...]] | None = None

    def slaves(self, is_fresh: bool = False) -> tuple[Slave, ...]:
        """Those that have not left, as they were within the last second; ``is_fresh``: as they are now."""
        now = self._clock()
        read = self._read
        if read is not None and not is_fresh:
            if 0 <= now - read[0] < _REMEMBERED:
                return read[1]
            # One reads, and the others need not wait.
            self._read = (now, read[1])
        found = tuple(filter(None, (_slave(*one) for one in self._all() if one[0].state != "ended")))
        self._read = (now, found)
        return found

    def origin(self, url: str) -> str | None:
        """The subscription of the slave that calls itself so, byte for byte."""
        if not url:
            return None
        for is_fresh in (False, True):
            for slave in self.slaves(is_fresh):
                if slave.settings.url == url:
                    return slave.id
        return None

    def enrol(self, url: str, key: str) -> bool:
        """Tell a slave of changes from now on, or go on under another key; whether that can be. The log says why not.

        The URL of a slave that a person chose, in the configuration or by command, is taken with the key that it has
        there alone.
        """
        chosen = next((one for one in self._named(url) if not one[0].is_registered), None)
        if chosen is not None:
            return self._resumed(*chosen, key)
        is_new = all(one[0].state == "ended" for one in self._named(url))
        values = {"backend": self._backend, "url": url, "key": key, "allow_networks": list(self._networks)}
        try:
            parse_url(url)
            self._http.check(url, Deadline(_RESOLVED_WITHIN), allow_networks=self._networks)
            made = self._receivers.register(_name(url), values)
        except (ValueError, DeliveryFailed, ConfigError) as exc:
            reason = str(exc).replace(url, masked_url(url))
            if isinstance(exc, AddressRefused):
                reason += f" (for slaves alone, slave_networks of [frontends.{self._mount}] is the place)"
            logger.warning("mount %s: a slave was not registered: %s", self._mount, reason)
            return False
        self._read = None
        logger.info("mount %s: %s is a slave now", self._mount, made.name)
        if is_new:
            logger.info(
                "it is told of what happens from now on; 'integration-server subscriptions replay %s --everybody' "
                "tells it of everybody",
                made.id,
            )
        if is_short(key):
            logger.warning("mount %s: the slave %s has a key that its users can find out", self._mount, made.name)
        return True

    def dismiss(self, url: str) -> None:
        """A slave wants to hear no more. Nothing happens where there is none with that URL."""
        for receiver, _ in self._named(url):
            if receiver.state != "ended":
                self._receivers.end(receiver.id, "the slave has called disableSlave")
        self._read = None

    def _resumed(self, receiver: Receiver, settings: SlaveSettings, key: str) -> bool:
        if not is_same(settings.key.get_secret_value(), key):
            logger.warning(
                "mount %s: the slave of the subscription %s wants to be called with another key than the one that "
                "stands there",
                *(self._mount, receiver.name),
            )
            return False
        # One that the administrator has stopped stays so.
        if receiver.is_active and not receiver.is_up:
            self._receivers.resume(receiver.id)
            self._read = None
        return True

    def _named(self, url: str) -> list[tuple[Receiver, SlaveSettings]]:
        return [one for one in self._all() if one[1].url == url]

    def _all(self) -> list[tuple[Receiver, SlaveSettings]]:
        """Also those that have left."""
        found = ((one, one.settings) for one in self._receivers.all())
        return [
            (receiver, settings)
            for receiver, settings in found
            if isinstance(settings, SlaveSettings) and settings.backend == self._backend
        ]


def _slave(receiver: Receiver, settings: SlaveSettings) -> Slave | None:
    """None for a URL that is none; nothing is sent there either."""
    try:
        target = parse_url(settings.url)
    except ValueError:
        return None
    label = masked_url(settings.url) if receiver.is_registered else receiver.name
    return Slave(
        receiver, settings, _shortened(label, _LABEL_LIMIT), target.host, target.port, plain_address(target.host)
    )


def plain_address(text: str) -> str | None:
    """An IP address as it is compared: an IPv4 address is one, however it is written, and no interface is named. None
    for what is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _name(url: str) -> str:
    """What a subscription is called: the URL, unless that is too long or may hold a key."""
    shown = masked_url(url)
    return url if shown == url and len(url) <= _NAME_LIMIT else _with_digest(shown, url, _NAME_LIMIT)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else _with_digest(text, text, limit)


def _with_digest(text: str, whole: str, limit: int) -> str:
    """A text that is short, and the same for the same ``whole`` alone."""
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{text[: limit - len(digest) - 1]}#{digest}"
