"""When certificates run out: of files, and of those whom this process has met.

The standard library tells that of a certificate which it verified, and of authorities. So the one field that is wanted
is read here, wherever else a certificate comes from (RFC 5280 §4.1).
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
#: What stands before the validity: serial number, algorithm, issuer.
_BEFORE_VALIDITY = 3
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_LARGEST_FILE = 4 << 20
#: The same certificate is told again after so long, so that it shows when somebody had it last.
_AGAIN_SECONDS = 3600.0
_MOST = 4096


@dataclass(frozen=True, slots=True)
class Certificate:
    """``holder`` says for people whose it is; ``expires_at`` is its end in Unix seconds."""

    holder: str
    expires_at: float


def certificate_expiry(der: bytes) -> float:
    """When a certificate (DER) runs out, in Unix seconds. Raises ValueError for what is none."""
    try:
        return _expiry(der)
    except IndexError:
        raise ValueError("this is no X.509 certificate: it is cut off") from None


def _expiry(der: bytes) -> float:
    at, _ = _inside(der, 0, _SEQUENCE)
    at, _ = _inside(der, at, _SEQUENCE)
    if der[at] == _VERSION:
        at = _end(der, at)
    for _ in range(_BEFORE_VALIDITY):
        at = _end(der, at)
    at, _ = _inside(der, at, _SEQUENCE)
    return _time(der, _end(der, at))


def _time(der: bytes, at: int) -> float:
    tag = der[at]
    if tag not in (_UTC_TIME, _GENERALIZED_TIME):
        raise ValueError("this is no X.509 certificate: it has no time where one belongs")
    start, end = _inside(der, at, tag)
    text = der[start:end].decode("ascii")
    if tag == _UTC_TIME:
        # RFC 5280 §4.1.2.5.1
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _inside(der: bytes, at: int, tag: int) -> tuple[int, int]:
    """Where the content of the element at ``at`` begins and ends."""
    if der[at] != tag:
        raise ValueError("this is no X.509 certificate")
    length, start = der[at + 1], at + 2
    if length & 0x80:
        start, size = start + (length & 0x7F), length & 0x7F
        length = int.from_bytes(der[start - size : start], "big")
    if start + length > len(der):
        raise IndexError
    return start, start + length


def _end(der: bytes, at: int) -> int:
    return _inside(der, at, der[at])[1]


def certificates_in(path: Path) -> list[float]:
    """When each certificate of a PEM file runs out, in its order. Raises OSError, ValueError."""
    with path.open("rb") as file:
        text = file.read(_LARGEST_FILE).decode("latin-1")
    return [certificate_expiry(ssl.PEM_cert_to_DER_cert(found[0])) for found in _PEM.finditer(text)]


def authorities_of(context: ssl.SSLContext, file: str, now: float) -> Iterator[Certificate]:
    """The authorities that a context took from ``file``. In a collection, those that are over harm nobody and are left
    out while there are others."""
    found = [
        Certificate(f"{file} ({_subject(one)})", float(ssl.cert_time_to_seconds(str(one["notAfter"]))))
        for one in context.get_ca_certs()
    ]
    yield from [one for one in found if one.expires_at > now] or found


def _subject(certificate: object) -> str:
    assert isinstance(certificate, dict)
    names = {key: value for part in certificate.get("subject", ()) for key, value in part}
    return str(names.get("commonName") or names.get("organizationName") or "no name")


@dataclass(frozen=True, slots=True)
class Sighting:
    """A certificate, and when somebody had it last."""

    certificate: Certificate
    seen_at: float


class Sightings:
    """The certificates that this process has met, until somebody takes them to where they are kept. Thread-safe;
    bounded: of too many holders, the first are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[str, Sighting] = {}
        self._fresh: dict[str, Sighting] = {}

    def note(self, certificate: Certificate) -> None:
        """Somebody has it now."""
        now, holder = self._clock(), certificate.holder
        with self._lock:
            last = self._last.get(holder)
            if last is not None and last.certificate == certificate and 0 <= now - last.seen_at < _AGAIN_SECONDS:
                return
            if last is None and len(self._last) >= _MOST:
                first = next(iter(self._last))
                del self._last[first]
                self._fresh.pop(first, None)
            self._last[holder] = self._fresh[holder] = Sighting(certificate, now)

    def note_der(self, holder: str, der: bytes | None) -> None:
        """The same of one as it came over a connection; what cannot be read is passed over."""
        with suppress(ValueError):
            if der:
                self.note(Certificate(holder, certificate_expiry(der)))

    def take(self) -> list[Sighting]:
        """What is new since the last time."""
        with self._lock:
            taken, self._fresh = list(self._fresh.values()), {}
        return taken

    def give_back(self, taken: Iterable[Sighting]) -> None:
        """What could not be kept; ``take`` gives it again, unless something newer is known."""
        with self._lock:
            for one in taken:
                self._fresh.setdefault(one.certificate.holder, one)
