"""Requests that change a directory (RFC 4511 §4.6 to §4.8), as octets. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from integration_server.builtin.ldap.ber import ENUMERATED, SEQUENCE, SET, element, integer, octets

_MODIFY, _ADD, _DELETE = 0x66, 0x68, 0x4A
_ADDING, _TAKING = 0, 1


@dataclass(frozen=True, slots=True)
class Change:
    """Values that are put into an attribute of an entry, or taken out of it."""

    attribute: str
    values: tuple[bytes, ...]
    is_addition: bool = True


@dataclass(frozen=True, slots=True)
class Write:
    """A request without its message id, and the type that its answer has."""

    operation: bytes
    answer: int


def modification(dn: str, changes: Sequence[Change]) -> Write:
    """All of these changes of an entry, or none of them."""
    operation = element(_MODIFY, octets(dn), element(SEQUENCE, *map(_change, changes)))
    return Write(operation, _MODIFY + 1)


def _change(change: Change) -> bytes:
    kind = integer(_ADDING if change.is_addition else _TAKING, ENUMERATED)
    return element(SEQUENCE, kind, _attribute(change.attribute, change.values))


def addition(dn: str, attributes: Mapping[str, Sequence[bytes]]) -> Write:
    """A new entry."""
    listed = (_attribute(name, values) for name, values in attributes.items())
    return Write(element(_ADD, octets(dn), element(SEQUENCE, *listed)), _ADD + 1)


def deletion(dn: str) -> Write:
    """The end of an entry that has none below it."""
    return Write(octets(dn, _DELETE), 0x6B)


def _attribute(name: str, values: Sequence[bytes]) -> bytes:
    return element(SEQUENCE, octets(name), element(SET, *map(octets, values)))
