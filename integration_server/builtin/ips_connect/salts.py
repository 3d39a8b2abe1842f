"""Salts of people who are not there."""

from __future__ import annotations

import hmac

from integration_server import normalize_name
from integration_server.builtin.ips_connect.passwords import NEW_SALT_LETTERS, SALT_LENGTH


def fake_salt(key: bytes, id: str) -> str:
    """A salt that looks like a new one, always the same for an ``id`` whatever its case, and of which nobody without
    ``key`` can tell that it is made up."""
    number = int.from_bytes(hmac.digest(key, normalize_name(id).encode("utf-8", "surrogatepass"), "sha256"))
    letters = []
    for _ in range(SALT_LENGTH):
        # The rest of a division by so much less than 2**256 is as good as drawn.
        number, letter = divmod(number, len(NEW_SALT_LETTERS))
        letters.append(NEW_SALT_LETTERS[letter])
    return "".join(letters)
