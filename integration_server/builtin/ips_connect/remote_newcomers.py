"""New people at another master."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator

from integration_server import (
    BackendMisconfigured,
    BackendUnavailable,
    Deadline,
    NewAccount,
    UnwritableValue,
    normalize_name,
)
from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import NewPerson, fit
from integration_server.builtin.ips_connect.methods import IdType
from integration_server.builtin.ips_connect.remote_client import MasterClient, UnknownMethod
from integration_server.builtin.ips_connect.remote_copy import Copy

_NAME_LIMIT = 255
_NAMESAKES = 100


class Newcomers:
    """Registers people there, and keeps them in the copy. Thread-safe.

    Hash and salt of somebody without a password are made of the address and of our secret key, so that an account that
    was made just before the answer got lost is known again by its salt.
    """

    def __init__(self, master: MasterClient, copy: Copy, key: Callable[[], str], our_url: str | None) -> None:
        """``key`` gives the secret; ``our_url`` is what this server is registered with."""
        self._master = master
        self._copy = copy
        self._key = key
        self._our_url = our_url

    def register(self, account: NewAccount, deadline: Deadline) -> int:
        """The id of whoever has the address now. Raises UnwritableValue, StoreUnavailable, and as the master's
        calls."""
        person = self._person(account)
        if self._master.has_email(person.email, deadline):
            return self._found(person, deadline)
        for name in _names(person.name):
            if self._master.has_name(name, deadline):
                continue
            id = self._master.register(name, person.email, person.pass_hash, person.pass_salt, self._our_url, deadline)
            # A master gives the id of somebody else where the address or the name was taken meanwhile.
            pass_salt = self._master.fetch_salt(IdType.EMAIL, person.email, deadline)
            if pass_salt == person.pass_salt:
                self._keep(id, person, name)
                return id
            if pass_salt is not None:
                return self._found(person, deadline)
        raise UnwritableValue(f"{_NAMESAKES} names like this are taken at the master")

    def _person(self, account: NewAccount) -> NewPerson:
        """Raises UnwritableValue, before anything is asked."""
        name = account.full_name.strip()[:_NAME_LIMIT].strip() or account.email.strip().partition("@")[0]
        try:
            email = fit("email", account.email)
            pass_hash, pass_salt = self._unusable(email)
            if account.password is not None:
                pass_hash = passwords.hashed(account.password, pass_salt)
            return NewPerson(
                fit("name", name), email, pass_hash, pass_salt, full_name=fit("full_name", account.full_name)
            )
        except ValueError as exc:
            raise UnwritableValue(str(exc)) from exc

    def _found(self, person: NewPerson, deadline: Deadline) -> int:
        """Somebody who is there already: perhaps made by a call whose answer got lost."""
        try:
            id = self._master.fetch_id(IdType.EMAIL, person.email, deadline)
        except UnknownMethod:
            known = self._copy.find_by_email(person.email)
            if known is None:
                raise BackendMisconfigured(
                    f"somebody at {self._master.origin} has the address, and the master tells no ids (fetchId)"
                ) from None
            return known.id
        if id is None:
            raise BackendUnavailable(f"{self._master.origin} contradicts itself on whether somebody has the address")
        if self._copy.find(id) is None and self._is_ours(person, deadline):
            names = (name for name in _names(person.name) if self._master.fetch_id(IdType.NAME, name, deadline) == id)
            if (name := next(names, None)) is not None:
                self._keep(id, person, name)
        return id

    def _is_ours(self, person: NewPerson, deadline: Deadline) -> bool:
        return self._master.fetch_salt(IdType.EMAIL, person.email, deadline) == person.pass_salt

    def _keep(self, id: int, person: NewPerson, name: str) -> None:
        named = NewPerson(name, person.email, person.pass_hash, person.pass_salt, full_name=person.full_name)
        self._copy.learn(id, named, None)

    def _unusable(self, email: str) -> tuple[str, str]:
        letters = _letters(self._key().encode(), normalize_name(email).encode())
        return passwords.unusable(lambda several: several[next(letters) % len(several)])


def _letters(key: bytes, about: bytes) -> Iterator[int]:
    """Numbers without end, each evenly spread enough for a letter; who has no key cannot tell them from random ones."""
    number = 0
    while True:
        digest = hmac.digest(key, b"account without password\0%d\0" % number + about, hashlib.sha256)
        yield int.from_bytes(digest, "big")
        number += 1


def _names(name: str) -> Iterator[str]:
    """The name, then with numbers behind it."""
    yield name
    for number in range(2, _NAMESAKES + 1):
        # What makes room for the number is the end of a name that is too long with it.
        yield f"{name[: _NAME_LIMIT - 1 - len(str(number))].rstrip()} {number}"
