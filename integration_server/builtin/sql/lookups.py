"""Finding one person: candidates from the database, compared once more by our own rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from integration_server import AmbiguousEntry, Entry, Lookup, normalize_name, values
from integration_server.builtin.sql.driver import Row, Session
from integration_server.builtin.sql.plans import CANDIDATES, Layout, Plan
from integration_server.builtin.sql.side_tables import SideRows

#: No index holds a longer name, and no person has one.
_LONGEST = 10_000


class Stored(NamedTuple):
    """A found person's stored password, and where the rows of theirs are."""

    password: Any
    salt: Any
    #: By attribute of the second tables: the value that says which rows of them are theirs.
    keys: Mapping[str, object]

    def __repr__(self) -> str:
        return "Stored()"


def is_askable(value: str) -> bool:
    """Whether anybody can have this name: databases hold no NUL and no half of a surrogate pair in a text."""
    if "\0" in value or not value or len(value) > _LONGEST:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def find(session: Session, plan: Plan, sides: Sequence[SideRows], lookup: Lookup) -> Entry | None:
    """The one entry that ``lookup`` names. Raises AmbiguousEntry, BackendMisconfigured, BadEntry."""
    for query, arguments_for in plan.questions(session, lookup):
        arguments = arguments_for(lookup.value)
        if arguments is None:
            continue
        names, rows = session.fetch(query, arguments, CANDIDATES)
        if not rows:
            continue
        layout = plan.find_layout(names)
        if len(rows) == 1 and lookup.attribute in layout.names:
            # The one row, spelled exactly so: what nearly every login finds.
            spelling = rows[0][layout.picks[layout.names.index(lookup.attribute)]]
            if type(spelling) is str and spelling.strip() == lookup.value:
                return _entry(session, layout, sides, rows[0])
        row = _best(rows, _spellings(session, layout, sides, rows, lookup.attribute), lookup)
        if row is not None:
            return _entry(session, layout, sides, row)
    return None


def _spellings(
    session: Session, layout: Layout, sides: Sequence[SideRows], rows: Sequence[Row], attribute: str
) -> Sequence[object]:
    """The value of each row that the lookup is about."""
    if attribute in layout.names:
        position = layout.picks[layout.names.index(attribute)]
        return [row[position] for row in rows]
    number = next(i for i, side in enumerate(sides) if attribute in side.attributes)
    return sides[number].lists(session, [row[layout.keys[number]] for row in rows])


def _best(rows: Sequence[Row], spellings: Sequence[object], lookup: Lookup) -> Row | None:
    """The row that is spelled exactly so; without one, the row that differs in case (or as the collation allows).

    What the database took for equal beyond that (accents, blanks, 12 and 12abc) is somebody else.
    """
    if len(rows) >= CANDIDATES:
        raise AmbiguousEntry(f"more than {CANDIDATES - 1} rows have one {lookup.attribute}; is it a name at all?")
    texts = [_texts(value) for value in spellings]
    found = [row for row, known in zip(rows, texts, strict=True) if lookup.value in known]
    if not found:
        wanted = normalize_name(lookup.value)
        found = [row for row, known in zip(rows, texts, strict=True) if wanted in map(normalize_name, known)]
    if len(found) > 1:
        raise AmbiguousEntry(f"{len(found)} rows have the {lookup.attribute} {lookup.value[:100]!r}")
    return found[0] if found else None


def _texts(value: object) -> Sequence[str]:
    if type(value) is str:
        return (value.strip(),)
    try:
        return values.texts((value,))
    except ValueError:
        return ()


def _entry(session: Session, layout: Layout, sides: Sequence[SideRows], row: Row) -> Entry:
    attributes = dict(zip(layout.names, layout.attributes(row), strict=True))
    keys: dict[str, object] = {}
    for side, key in zip(sides, layout.keys, strict=True) if sides else ():
        keys[side.attribute] = row[key]
        for name, (found,) in zip(side.attributes, side.columns(session, [row[key]]), strict=True):
            attributes[name] = found
    password = None if layout.password is None else row[layout.password]
    salt = None if layout.salt is None else row[layout.salt]
    return Entry(attributes, Stored(password, salt, keys))
