"""Secrets that are in use, and what was logged meanwhile."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

_SHORTEST = 6
#: Words and numbers as they stand in any log, such as "secret" or 1234567.
_COMMONPLACE = re.compile(r"[a-z]{1,11}|[A-Z][a-z]{1,10}|[\d.:-]{1,11}|[\W_]{1,11}|(.)\1*")


@dataclass(frozen=True)
class Leak:
    """``kind`` says what the secret is for; the line shows asterisks in its place."""

    kind: str
    line: str


@dataclass
class Watch:
    """Thread-safe. ``ignored`` are secrets that are too short or too common to be told from other words."""

    ignored: set[str] = field(default_factory=set)
    known_count: int = 0
    #: In other processes.
    ignored_elsewhere: int = 0
    _secrets: dict[str, str] = field(default_factory=dict)
    _said: dict[str, None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, secret: object, kind: str, but: object = None) -> None:
        """Texts and bytes; ``but`` is no secret beside it, such as the user name that somebody took as the password."""
        if isinstance(secret, bytes):
            secret = secret.decode("utf-8", "replace")
        if not isinstance(secret, str) or secret in self._secrets:
            return
        if "://" in secret:
            self._learn_url(secret, kind)
        elif len(secret) < _SHORTEST or _COMMONPLACE.fullmatch(secret) or (but and str(but).lower() in secret.lower()):
            self.ignored.add(secret)
        else:
            with self._lock:
                self._secrets[secret] = kind
                self.known_count += 1

    def _learn_url(self, url: str, kind: str) -> None:
        """The rest of it is no secret."""
        try:
            parts = urlsplit(url)
            if parts.password:
                self.learn(unquote(parts.password), kind, but=parts.hostname)
            for _, value in parse_qsl(parts.query):
                self.learn(value, kind)
        except ValueError:
            return

    def hear(self, said: str | bytes) -> None:
        """What was logged: one line or several."""
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        if text:
            with self._lock:
                self._said[text] = None

    def leaks(self) -> list[Leak]:
        """What was found since the last time."""
        with self._lock:
            said, self._said = list(self._said), {}
            secrets = dict(self._secrets)
        whole = "\n".join(said)
        found = {secret: kind for secret, kind in secrets.items() if secret in whole}
        return [
            Leak(kind, line.replace(secret, "***"))
            for secret, kind in found.items()
            for line in whole.splitlines()
            if secret in line
        ][:5]

    def forget(self) -> None:
        """The next tests have secrets of their own."""
        with self._lock:
            self._secrets.clear()
