"""Addresses that go from one account to another, as people of other backends swap them.

Two who swap each wait for the other: what each waits for stands in their links, so that whoever comes last moves all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from integration_server import normalize_name
from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.links import Link, Links
from integration_server.builtin.ips_connect.writer import Writer

#: Accounts that are moved at once.
_MOST = 20


class Moves:
    """Moves accounts to addresses, in one transaction. ``sources`` are all backends whose people have accounts here."""

    def __init__(self, writer: Writer, links: Links, sources: Collection[str]) -> None:
        self._writer = writer
        self._links = links
        self._sources = sources

    def move(self, account: Account, email: str) -> bool:
        """To an address that nobody else has, or whose owners are on their way to others; whether it could be."""
        others = self._others(account, email)
        if others is None:
            return False
        if others and normalize_name(account.email) == normalize_name(others[-1].wanted):
            # In a ring one must make room for the first. Nobody can have this address (RFC 2606).
            self._set(account.id, f"moving-{account.id}@ips-connect.invalid")
        for link in reversed(others):
            self._set(link.account, link.wanted)
            self._links.put(replace(link, email=link.wanted, wanted=""))
        self._set(account.id, email)
        return True

    def _others(self, account: Account, email: str) -> list[Link] | None:
        """Those who must move first, each to what the next one has; None where one of them does not move."""
        found: list[Link] = []
        while (owner := self._writer.with_email(email)) is not None and owner.id != account.id:
            link = self._links.of_account(owner.id)
            if link is None or not link.wanted or link.is_gone or link.source not in self._sources:
                return None
            if len(found) == _MOST or any(one.account == link.account for one in found):
                return None
            found.append(link)
            email = link.wanted
        return found

    def _set(self, id: int, email: str) -> None:
        self._writer.update(id, "changeEmail", {"email": email}, email=email, folded_email=normalize_name(email))
