"""What a password scheme is, and what is said when a stored password cannot be read.

No message made here carries any part of a stored value but its scheme mark (``$2b$``, ``{SSHA}``).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from integration_server.sdk.errors import BadEntry

MEMORY_LIMIT = 1 << 30
"""Bytes that one check may take; a stored value that asks for more is refused, not computed."""

_SECRET_GROUPS = frozenset({"salt", "digest", "server", "hex", "b64", "plain"})
_MASKABLE = re.compile(r"[^$:,=]")


class UnknownScheme(BadEntry):
    """A stored password is of a scheme that is not known here."""


class MalformedHash(UnknownScheme):
    """A stored password names its scheme but is not of that scheme's form."""


class Attempt(NamedTuple):
    """What is compared with a stored value: the password in UTF-8, and what some schemes mix in."""

    secret: bytes
    username: str = ""
    salt: str = ""


Compare = Callable[[re.Match[str], Attempt], bool]


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to store passwords.

    ``form`` matches the whole value (without ``{PREFIX}``); its groups salt, digest, server, hex, b64 and
    plain are the parts that differ from person to person, all else is parameters. ``usual`` is a value of
    this scheme with customary parameters that is nobody's password. ``fill`` is the letter that stands for
    zero bits in its alphabet. ``has_parameters`` says that two values of the same length may cost different
    work, ``is_heavy`` that a check takes much memory, or much of a core, and that only so many may run at
    once.
    """

    name: str
    form: re.Pattern[str]
    compare: Compare
    usual: str
    fill: str = "A"
    is_weak: bool = False
    is_heavy: bool = False
    has_parameters: bool = True

    def cost_key(self, match: re.Match[str]) -> tuple[str, str | int]:
        """Two values with the same key cost the same work."""
        return self.name, self.anonymous(match) if self.has_parameters else len(match.string)

    def anonymous(self, match: re.Match[str]) -> str:
        """A value that costs what ``match`` costs and holds nothing of that person."""
        text, parts, position = match.string, [], 0
        for start, end in sorted(match.span(name) for name in match.re.groupindex if name in _SECRET_GROUPS):
            if start >= 0:
                parts += [text[position:start], _MASKABLE.sub(self.fill, text[start:end])]
                position = end
        return "".join(parts) + text[position:]


def malformed(scheme: str, reason: str = "it is not of that scheme's form; was it cut off?") -> NoReturn:
    """Raise MalformedHash for a value of ``scheme``; ``reason`` must quote nothing of the value."""
    raise MalformedHash(f"a stored password is marked or declared as {scheme}, but {reason}")


def limited(scheme: str, what: str, value: int, most: int) -> int:
    """``value``, or MalformedHash where it asks for more work than anybody means: one typing error in a cost
    field must not hold a thread for hours.
    """
    if value > most:
        malformed(scheme, f"its {what} is above the limit of {most}")
    return value


def unpadded_base64(text: str, scheme: str) -> bytes:
    """Decode base64 with or without padding; ``.`` counts as ``+`` (the spelling of passlib and OpenLDAP's
    PBKDF2).
    """
    bare = text.rstrip("=").replace(".", "+")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        malformed(scheme, "its base64 part cannot be decoded; was it cut off?")


def utf8(text: str, scheme: str) -> bytes:
    """``text`` in UTF-8, or MalformedHash where it holds half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass  # raised outside: the exception holds the value
    malformed(scheme, "it is not valid text")
