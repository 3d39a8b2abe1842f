"""People, fields of people and receivers, said for people to read. Pure but for the names of people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from integration_server.sdk.events import Document, Event
from integration_server.store.people import People
from integration_server.store.subscriptions import Subscription

_NOTHING = "nothing"
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field before and after."""

    field: str
    old: str
    new: str


def visible(text: str) -> str:
    """With what cannot be seen written out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)


def value(content: object) -> str:
    """One field's value."""
    if isinstance(content, bool):
        return "yes" if content else "no"
    if isinstance(content, list | tuple):
        return ", ".join(map(value, content)) or _NOTHING
    if isinstance(content, Mapping):
        return _mapping(content)
    return _NOTHING if content in (None, "") else visible(str(content))


def _mapping(content: Mapping[object, object]) -> str:
    if "address" not in content:
        return ", ".join(f"{visible(str(name))}: {value(one)}" for name, one in content.items()) or _NOTHING
    flags = {"is_preferred": "preferred", "is_verified": "verified"}
    told = [word for name, word in flags.items() if content.get(name)]
    return value(content["address"]) + (f" ({', '.join(told)})" if told else "")


def differences(event: Event) -> list[Difference]:
    """What an update changed."""
    return [Difference(name, value(old), value(new)) for name, (old, new) in (event.changed or {}).items()]


def name_of(document: Document | None, person_id: str) -> str:
    """Somebody as their document calls them, or by the id alone."""
    found = document or {}
    full_name, username = found.get("full_name"), found.get("username")
    if full_name and username and full_name != username:
        return visible(f"{full_name} ({username})")
    return visible(str(full_name or username or person_id))


def names(people: People, pairs: Iterable[Pair]) -> dict[Pair, str]:
    """The names as known now of people by backend and id; of somebody who is not known, the id. Raises
    StoreUnavailable."""
    wanted: dict[str, set[str]] = {}
    for backend, person_id in pairs:
        wanted.setdefault(backend, set()).add(person_id)
    found: dict[Pair, str] = {}
    for backend, ids in wanted.items():
        documents = people.documents_by_id(backend, sorted(ids))
        found |= {(backend, id): name_of(documents.get(id), id) for id in ids}
    return found


def receiver(one: Subscription) -> str:
    """A subscription by its name, or the id where it has none."""
    return visible(one.uid or one.id)


def receivers(everyone: Sequence[Subscription]) -> dict[str, str]:
    """The same by id."""
    return {one.id: receiver(one) for one in everyone}
