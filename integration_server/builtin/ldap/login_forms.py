"""The other names by which people log in: attributes of theirs, and what Windows makes of a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from integration_server import Lookup
from integration_server.builtin.ldap.domain import Domain

_SAM = "samaccountname"
#: These hold nothing but names with an @, so no other is looked for.
_ADDRESSES = frozenset({"userprincipalname", "mail", "proxyaddresses"})


class LoginForms:
    """``attributes`` in the order in which they are asked; ``listed`` is the one under which people are listed, where
    that is one as it stands. ``is_windows``: names may have a domain before or behind them."""

    def __init__(self, attributes: Sequence[str], listed: str | None, *, is_windows: bool) -> None:
        self._attributes = tuple(attributes)
        self._listed = listed.lower() if listed is not None else None
        self._is_windows = is_windows

    def lookups(self, username: str, domains: Callable[[], Sequence[Domain]]) -> tuple[Lookup, ...]:
        """Where to look for a name that is no listed one. ``domains`` tells those of the directory; what it raises
        passes through."""
        if self._is_windows and "\\" in username:
            return self._down_level(username, domains)
        found: list[Lookup] = []
        for attribute in self._attributes:
            kind = attribute.lower()
            if kind in _ADDRESSES and "@" not in username:
                continue
            if kind == _SAM and self._is_windows and "@" in username:
                found += self._implicit(attribute, username, domains)
            elif kind == "proxyaddresses":
                found.append(Lookup(attribute, f"smtp:{username}", ignore_case=True))
            elif kind != self._listed:
                found.append(Lookup(attribute, username, ignore_case=True))
        return tuple(found)

    def _down_level(self, username: str, domains: Callable[[], Sequence[Domain]]) -> tuple[Lookup, ...]:
        """``DOMAIN\\name`` (MS-ADTS §5.1.1.1.1). The name is unique within its domain only."""
        prefix, _, name = username.partition("\\")
        attribute = next((one for one in self._attributes if one.lower() == _SAM), None)
        if attribute is None or not prefix or not name or not _is_of(domains(), prefix):
            return ()
        return (Lookup(attribute, name, ignore_case=True),)

    def _implicit(self, attribute: str, username: str, domains: Callable[[], Sequence[Domain]]) -> list[Lookup]:
        """``name@domain``, which works for everybody, whatever their userPrincipalName (MS-ADTS §5.1.1.1.1)."""
        name, _, suffix = username.rpartition("@")
        return [Lookup(attribute, name, ignore_case=True)] if name and _is_of(domains(), suffix) else []


def _is_of(domains: Sequence[Domain], name: str) -> bool:
    """Whether the directory is of this domain alone: of several, nobody would know which one's name was found."""
    return len(domains) == 1 and domains[0].is_called(name)
