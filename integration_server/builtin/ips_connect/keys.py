"""Which key a call must carry. Pure functions.

Source: IPS Connect 4, as masters and slaves in the field compute it. ``K`` is the key of the party that is called: the
master's own, or, where the master calls a slave, the one that the slave gave when it registered.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import secrets
from collections.abc import Callable

#: What crypt(3) gives instead of a hash when it fails. Nothing that is compared here may ever equal it.
CRYPT_FAILURES = frozenset({"*0", "*1"})
#: Real masters keep a slave's key in a column of so many characters, and cut longer ones.
_CHARACTERS = 32
#: Whoever sees ``md5(K.id)`` can try shorter keys one after the other.
_SHORTEST = 16


class KeyRule(enum.Enum):
    """What a method's key is made of."""

    RAW = "K"
    OF_ID = "md5(K.id)"


def key_of_id(key: str, id: str) -> str:
    """``md5(K.id)`` in lower-case hex, over UTF-8; ``id`` as it was sent, neither trimmed nor folded."""
    return hashlib.md5(_bytes(key + id), usedforsecurity=False).hexdigest()


def expected_key(key: str, rule: KeyRule, id: str | None) -> str:
    """The key that a call must carry.

    A method that is keyed by id takes the raw key where there is no id at all; an empty one is hashed as any other.
    """
    return key if rule is KeyRule.RAW or id is None else key_of_id(key, id)


def is_same(stored: str, given: str) -> bool:
    """Compares two keys or two hashes byte for byte, in constant time for one length. What is empty, or a failure of
    crypt, is nobody's."""
    is_real = bool(stored) and not {stored, given} & CRYPT_FAILURES
    return hmac.compare_digest(_bytes(stored), _bytes(given)) and is_real


def new_key(random_hex: Callable[[int], str] = secrets.token_hex) -> str:
    """A new key of 32 hex characters. ``random_hex`` gives two characters for each byte that it is asked for."""
    return random_hex(_CHARACTERS // 2)


def is_short(key: str) -> bool:
    """Whether a key can be found out by whoever sees what was made of it, as every user's browser does."""
    return len(key) < _SHORTEST


def _bytes(text: str) -> bytes:
    # Halves of surrogate pairs come from hostile callers alone, and must not raise.
    return text.encode("utf-8", "surrogatepass")
