"""Who may ask: encryption, HTTP Basic (RFC 7617), and nothing of it twice as slow as it must be."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import logging
import secrets
import threading

from integration_server.directory.throttle import Throttle
from integration_server.sdk.errors import CallerRefused, ConfigError, Throttled
from integration_server.sdk.passwords import PasswordChecker, UnknownScheme
from integration_server.sdk.settings import FrontendSettings
from integration_server.store.failed_logins import Who

logger = logging.getLogger(__name__)

CHALLENGE = 'Basic realm="integration-server", charset="UTF-8"'


class CallerCheck:
    """Admits callers of one mount. Thread-safe. Raises ConfigError for settings that cannot work together.

    A password that was right once is remembered as a keyed digest in memory, so that a slow hash is paid once. Only
    passwords that are not remembered meet the throttle: a stranger's guesses never lock out the caller who knows.
    """

    def __init__(self, mount: str, settings: FrontendSettings, throttle: Throttle) -> None:
        self._mount = mount
        self._settings = settings
        self._throttle = throttle
        self._checker = PasswordChecker()
        self._key = secrets.token_bytes(32)
        self._known: frozenset[bytes] = frozenset()
        self._lock = threading.Lock()
        has_password = settings.password is not None or settings.password_hash is not None
        if settings.password is not None and settings.password_hash is not None:
            raise ConfigError(f"frontends.{mount}: has both password and password_hash; keep one")
        if (settings.username is None) != (not has_password):
            raise ConfigError(f"frontends.{mount}: username and password go together; one of them is missing")
        if settings.password_hash is not None:
            # An empty password is compared with nothing, but the hash is looked at.
            self._is_hash_of("")

    def admit(
        self, address: str, is_local: bool, is_encrypted: bool, authorization: str | None, has_token: bool = False
    ) -> None:
        """Let the caller pass or raise CallerRefused. ``authorization`` is the header as it came; ``has_token``: the
        protocol has a token of its own, so that no user name need be set."""
        settings = self._settings
        if not is_encrypted and not is_local and not settings.allow_plain_http:
            raise CallerRefused(
                403,
                "passwords travel here: use HTTPS (a proxy that adds it must be named in trusted_proxies), "
                "or set allow_plain_http on this frontend",
            )
        if settings.demo_password and not is_local:
            raise CallerRefused(403, "this frontend has a published sample password and serves its own machine only")
        if settings.username is None:
            if not is_local and not settings.allow_anonymous and not has_token:
                raise CallerRefused(403, "this frontend has no username and password and serves its own machine only")
            return
        if not authorization:
            # A .NET client sends nothing until it is challenged; this is no failed login.
            raise CallerRefused(401, "authentication required", CHALLENGE)
        presented = hmac.digest(self._key, authorization.encode("utf-8", "surrogateescape"), "sha256")
        if presented not in self._known:
            self._check(address, authorization, presented)

    def _check(self, address: str, authorization: str, presented: bytes) -> None:
        credentials = parse_basic(authorization)
        if credentials is None:
            raise CallerRefused(401, "this is no HTTP Basic authentication", CHALLENGE)
        username, password = credentials
        # With the word before the address, no name that a person types can count against the caller. The names that
        # strangers make up share a few counters, or each would buy free guesses, and rows in the store, of its own.
        who = Who(self._mount, "(caller) " + hashlib.sha256(username).hexdigest()[:2], f"service {address}")
        try:
            with self._throttle.attempt(who, password.decode("latin-1")) as failures:
                if not self._is_right(username, password):
                    self._throttle.failure(who, password.decode("latin-1"))
                    logger.warning("mount %s: wrong service credentials from %s", self._mount, address)
                    raise CallerRefused(401, "wrong user name or password", CHALLENGE)
                self._throttle.success(who, failures)
        except Throttled as exc:
            raise CallerRefused(429, str(exc)) from exc
        with self._lock:
            # Two encodings of the one right password are all there can be; the cap is for a surprise.
            self._known = frozenset([*list(self._known)[:7], presented])

    def _is_right(self, username: bytes, password: bytes) -> bool:
        settings = self._settings
        is_name = _equals(username, settings.username or "")
        if settings.password is not None:
            return _equals(password, settings.password.get_secret_value()) and is_name
        return any(map(self._is_hash_of, _texts(password))) and is_name

    def _is_hash_of(self, password: str) -> bool:
        assert self._settings.password_hash is not None
        try:
            return self._checker.verify(self._settings.password_hash.get_secret_value(), password)
        except UnknownScheme as exc:
            raise ConfigError(f"frontends.{self._mount}: password_hash: {exc}") from exc


def parse_basic(authorization: str) -> tuple[bytes, bytes] | None:
    """User name and password, as bytes since their encoding is anybody's guess; None for anything malformed."""
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    username, colon, password = decoded.partition(b":")
    return (username, password) if colon else None


def _equals(presented: bytes, expected: str) -> bool:
    """UTF-8, or ISO-8859-1 as older .NET clients send it (RFC 7617 leaves the encoding open)."""
    is_utf8 = hmac.compare_digest(presented, expected.encode("utf-8"))
    is_latin = hmac.compare_digest(presented, expected.encode("latin-1", "replace"))
    return is_utf8 or (is_latin and expected.encode("latin-1", "ignore").decode("latin-1") == expected)


def _texts(presented: bytes) -> list[str]:
    latin = presented.decode("latin-1")
    try:
        return list(dict.fromkeys([presented.decode("utf-8"), latin]))
    except UnicodeDecodeError:
        return [latin]


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own; a Unix socket's peer has none and is local."""
    if address in ("", "127.0.0.1", "::1"):
        return True
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
