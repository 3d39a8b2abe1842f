"""Addresses and groups out of a second table: read for many people at once, never person by person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from integration_server import BadEntry, normalize_name, values
from integration_server.builtin.sql.driver import Driver, Query, Session
from integration_server.builtin.sql.settings import EmailTable, GroupTable

#: Keys in one statement. SQLite before 3.32 takes 999 parameters.
_KEYS = 500


class SideRows:
    """The values of one second table, as a list for each person.

    ``wanted`` are the attributes that the mapping reads; ``attributes`` those of them that come from here, the one with
    all values first.
    """

    def __init__(self, driver: Driver, settings: EmailTable | GroupTable, wanted: Sequence[str]) -> None:
        self.attribute = settings.attribute
        self.attributes = tuple(n for n in settings.attributes if n == settings.attribute or n in wanted)
        self.key_column = settings.key_column
        self.table = settings.table
        self.schema = settings.schema_name
        self.user_column = driver.quote(settings.user_column)
        self.value_name, primary, verified = _columns(settings)
        self.value_column = driver.quote(self.value_name)
        names = (settings.user_column, self.value_name, primary, verified, settings.order_column)
        self.names = tuple(name for name in names if name)
        # The line break ends a comment that the admin's statement may end with.
        self.source = (
            driver.table(settings.table, settings.schema_name)
            if settings.table is not None
            else f"({(settings.statement or '').strip().rstrip(';')}\n) side"
        )
        self._driver = driver
        self._has_primary = primary is not None
        self._has_verified = verified is not None
        marks = [driver.quote(name) for name in (primary, verified) if name is not None]
        selected = ", ".join([self.user_column, self.value_column, *marks])
        order = ", ".join([*map(driver.quote, filter(None, [settings.order_column])), self.value_column])
        self._text = f"SELECT {selected} FROM {self.source} WHERE {{}} ORDER BY {order}"
        self.one = driver.query(self._text.format(f"{self.user_column} = :k0"))
        listed = ", ".join(f":k{i}" for i in range(_KEYS))
        self._many = driver.query(self._text.format(f"{self.user_column} IN ({listed})"))
        #: For each further attribute, whether an address with these marks (primary, verified) is in it.
        self._kinds = _kinds(settings, self.attributes)

    def lists(self, session: Session, keys: Sequence[object]) -> list[list[object]]:
        """The values of each key, in order, the primary one first. Raises BadEntry for a mark of no meaning."""
        return self.columns(session, keys)[0]

    def columns(self, session: Session, keys: Sequence[object]) -> list[list[list[object]]]:
        """For each of ``attributes``, what ``lists`` gives of it. One question, however many they are."""
        forms = [_form(key) for key in keys]
        found = _Lists(forms)
        kinds = [(_Lists(forms), is_of_kind) for is_of_kind in self._kinds]
        asked = {form: self._driver.key(key) for form, key in zip(forms, keys, strict=True) if form is not None}
        for query, arguments in self._questions(list(asked.values())):
            for user, value, *marks in session.fetch(query, arguments).rows:
                if value is None:
                    continue
                is_primary = self._has_primary and self._is_yes(marks[0])
                found.add(user, value, is_primary=is_primary)
                if kinds:
                    is_verified = not self._has_verified or self._is_yes(marks[-1])
                    for some, is_of_kind in kinds:
                        if is_of_kind(is_primary, is_verified):
                            some.add(user, value, is_primary=is_primary)
        return [[some.of(form) for form in forms] for some in (found, *(some for some, _ in kinds))]

    def _questions(self, keys: list[object]) -> Iterator[tuple[Query, dict[str, object]]]:
        if len(keys) == 1:
            yield self.one, {"k0": keys[0]}
            return
        for start in range(0, len(keys), _KEYS):
            some = keys[start : start + _KEYS]
            # The last key over and over, so that one statement serves every number of keys.
            some += [some[-1]] * (_KEYS - len(some))
            yield self._many, {f"k{i}": key for i, key in enumerate(some)}

    def _is_yes(self, value: object) -> bool:
        try:
            return values.flag(value)
        except ValueError as exc:
            raise BadEntry(f"a yes/no column of the table of {self.attribute}: {exc}") from exc


def _columns(settings: EmailTable | GroupTable) -> tuple[str, str | None, str | None]:
    if isinstance(settings, EmailTable):
        return settings.address_column, settings.primary_column, settings.verified_column
    return settings.group_column, None, None


def _kinds(settings: EmailTable | GroupTable, attributes: Sequence[str]) -> list[Callable[[bool, bool], bool]]:
    if not isinstance(settings, EmailTable):
        return []
    tests: dict[str, Callable[[bool, bool], bool]] = {
        settings.preferred_attribute: lambda is_primary, is_verified: is_primary and is_verified,
        settings.unverified_attribute: lambda is_primary, is_verified: not is_verified,
    }
    return [tests[name] for name in attributes[1:]]


def _form(key: object) -> object:
    """A key as both tables write it, whatever types their columns have. None for no key."""
    kind = type(key)
    if kind is str:
        return str(key).strip()
    if kind is int:
        return str(key)
    try:
        return values.text(key)
    except ValueError:
        return key


class _Lists:
    """Values by key. What the database took for equal under its collation is found by its folded form, too."""

    def __init__(self, forms: Iterable[object]) -> None:
        self._primary: dict[object, list[object]] = {}
        self._others: dict[object, list[object]] = {form: [] for form in forms}
        self._folded: dict[str, object] | None = None

    def add(self, user: object, value: object, *, is_primary: bool) -> None:
        form = _form(user)
        if form not in self._others:
            form = self._folded_form(form)
            if form is None:
                return
        target = self._primary.setdefault(form, []) if is_primary else self._others[form]
        target.append(value)

    def _folded_form(self, form: object) -> object:
        if self._folded is None:
            self._folded = {normalize_name(known): known for known in self._others if isinstance(known, str)}
        return self._folded.get(normalize_name(form)) if isinstance(form, str) else None

    def of(self, form: object) -> list[object]:
        if form is None:
            return []
        return self._primary.get(form, []) + self._others[form] if self._primary else self._others[form]
