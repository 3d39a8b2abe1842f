"""The one mapper of all backends: attributes of entries become fields of users, and names find their way back.

The settings are compiled once into a plan over columns. A column of plain texts, which is the usual case, passes
through without a Python call per value; anything else takes the careful path of ``values``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from integration_server.sdk import values
from integration_server.sdk.errors import BadEntry, ConfigError
from integration_server.sdk.model import AccountState, Batch, Entry, Lookup, normalize_name
from integration_server.sdk.page import Column, Lists, Numerals, Singles, UserPage
from integration_server.sdk.settings import FieldRule, MapSettings

#: What a rule may say beside its sources, where not every field can heed it.
_LISTS = frozenset({"emails", "groups"})
_FLAGS = frozenset({"is_disabled", "is_enabled"})
_ONE_ATTRIBUTE = _FLAGS | {"expires_at"}

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_TEXTS = frozenset({str})
_INTEGERS = frozenset({int})
_TEXT_OR_NONE = frozenset({str, type(None)})

Columns = dict[str, Sequence[object]]
Clock = Callable[[], dt.datetime]


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class BadRow:
    """An entry that could not be read: its position in the batch, and why."""

    position: int
    reason: str


class Mapper:
    """Maps one backend's entries. Thread-safe; knows nothing of where they come from.

    ``settings`` are the admin's, ``default`` the backend type's, taken field by field where the admin says nothing.
    Raises ConfigError for rules that cannot work.
    """

    def __init__(
        self, backend: str, settings: MapSettings, default: MapSettings | None = None, clock: Clock = _utc_now
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._rules = _merge(settings, default or MapSettings())
        username = self._rules.get("username")
        if username is None:
            raise ConfigError(f"[backends.{backend}.map] says no 'username': which attribute do people type?")
        if "is_disabled" in self._rules and "is_enabled" in self._rules:
            raise ConfigError(f"[backends.{backend}.map] has both is_disabled and is_enabled; keep one")
        for name, rule in self._rules.items():
            _check_rule(f"[backends.{backend}.map] {name}", name, rule)
        self._username = username
        self._id = self._rules.get("id", username)
        self._reverse = _compile_reverse(username)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that the plan reads, each once, in a fixed order."""
        found: dict[str, None] = {}
        for rule in self._rules.values():
            found.update(dict.fromkeys(_attributes(rule)))
        return tuple(found)

    @property
    def rules(self) -> Mapping[str, FieldRule]:
        """The rule of each mapped field, the admin's or the default."""
        return self._rules

    @property
    def has_own_id(self) -> bool:
        """False where the user name serves as id, so that a rename looks like one person gone and another come."""
        return "id" in self._rules

    @property
    def is_reversible(self) -> bool:
        """Whether a listed user name can be turned back into a question that a backend can answer."""
        return self._reverse is not None

    def lookups(self, username: str) -> tuple[Lookup, ...]:
        """Where to look for the entry that is listed as ``username``; ask in order, check with ``page``.

        Raises ConfigError where the mapping cannot be undone (then an index of listed names is needed).
        """
        if self._reverse is None:
            raise ConfigError(
                f"[backends.{self._backend}.map] username cannot be undone; set username_index = true on the backend"
            )
        return self._reverse(username)

    def id_lookup(self, user_id: str) -> Lookup:
        """The lookup by id, for ids out of an index. Raises ConfigError where the id is not one plain attribute."""
        if _is_plain(self._id):
            return Lookup(self._id.sources[0], user_id)
        raise ConfigError(f"[backends.{self._backend}.map] id must be one plain attribute for a username_index")

    def page(self, batch: Batch) -> UserPage:
        """Every row of the batch as a user. Raises BadEntry, naming the first row that cannot be read and why."""
        try:
            page = self._map(batch)
        except (ValueError, TypeError, OverflowError) as exc:
            page, bad = self.readable(batch)
            if not bad:
                raise BadEntry(f"backend {self._backend}: {exc}") from exc
            raise BadEntry(f"backend {self._backend}: {bad[0].reason}") from exc
        return page

    def readable(self, batch: Batch) -> tuple[UserPage, list[BadRow]]:
        """The rows that can be read as users, and the others with the reason: row by row, for the rare bad batch."""
        good: list[Sequence[object]] = []
        bad: list[BadRow] = []
        for position, row in enumerate(batch.rows):
            try:
                self._map(Batch(batch.names, [row]))
                good.append(row)
            except (ValueError, TypeError, OverflowError) as exc:
                bad.append(BadRow(position, f"{self._describe(batch.names, row)}: {exc}"))
        return self._map(Batch(batch.names, good)), bad

    def _describe(self, names: Sequence[str], row: Sequence[object]) -> str:
        """What a person needs to find the entry: its id and user name as the backend holds them, nothing else of it."""
        known = dict(zip(names, row, strict=False))
        keys = dict.fromkeys((*_attributes(self._id), *_attributes(self._username)))
        shown = [f"{key}={str(known[key])[:60]!r}" for key in keys if known.get(key) not in (None, "")]
        return "entry " + (", ".join(shown) or "without id and user name")

    def entry_page(self, entry: Entry) -> UserPage:
        """One found entry as a page of one. Raises BadEntry."""
        return self.page(Batch(tuple(entry.attributes), [tuple(entry.attributes.values())]))

    def _map(self, batch: Batch) -> UserPage:
        rows = batch.rows
        transposed = list(zip(*rows, strict=True)) if rows else [() for _ in batch.names]
        columns: Columns = dict(zip(batch.names, transposed, strict=True))
        usernames = _required(_single(self._username, columns), "user name")
        ids = self._ids(columns) if self.has_own_id else usernames
        rules = self._rules
        return UserPage(
            self._backend,
            ids=ids,
            usernames=usernames,
            full_names=_optional(rules, "full_name", columns),
            distinguished_names=_optional(rules, "distinguished_name", columns),
            emails=_several(rules["emails"], columns) if "emails" in rules else None,
            groups=_several(rules["groups"], columns) if "groups" in rules else None,
            nicknames=_optional(rules, "nickname", columns),
            biographies=_optional(rules, "biography", columns),
            tzs=_optional(rules, "tz", columns),
            states=self._states(columns, len(rows)),
            are_names_unique=self._keeps_unique(batch, columns, usernames),
        )

    def _ids(self, columns: Columns) -> Sequence[str]:
        column = columns.get(self._id.sources[0], ())
        if _is_plain(self._id) and set(map(type, column)) == _INTEGERS:
            return Numerals(column)  # type: ignore[arg-type]
        return _required(_single(self._id, columns), "id")

    def _keeps_unique(self, batch: Batch, columns: Columns, usernames: list[str]) -> bool:
        """Whether the source's own uniqueness holds for user names: it does where they are its values as they are."""
        source = self._username.sources[0]
        return source in batch.unique and _is_plain(self._username) and usernames == list(columns[source])

    def _states(self, columns: Columns, count: int) -> list[AccountState] | None:
        rules = self._rules
        if not rules.keys() & {"is_disabled", "is_enabled", "expires_at"}:
            return None
        states = [AccountState.ACTIVE] * count
        if "expires_at" in rules:
            now = self._clock()
            for i, value in enumerate(_column(columns, rules["expires_at"].sources[0])):
                if (until := values.moment(value)) is not None and until <= now:
                    states[i] = AccountState.EXPIRED
        for name, disabling in (("is_disabled", True), ("is_enabled", False)):
            if name in rules:
                for i, found in enumerate(_flags(rules[name], columns, absent=not disabling)):
                    if found is disabling:
                        states[i] = AccountState.DISABLED
        return states


def _merge(settings: MapSettings, default: MapSettings) -> dict[str, FieldRule]:
    chosen = {
        name: rule
        for name in MapSettings.model_fields
        if (rule := getattr(settings, name) or getattr(default, name)) is not None
    }
    # The admin's is_enabled replaces a default is_disabled and the other way round.
    for mine, other in (("is_enabled", "is_disabled"), ("is_disabled", "is_enabled")):
        if getattr(settings, mine) is not None and getattr(settings, other) is None:
            chosen.pop(other, None)
    return chosen


def _attributes(rule: FieldRule) -> list[str]:
    """The attributes that a rule reads."""
    return [name for source in rule.sources for name in _PLACEHOLDER.findall(source) or [source]]


def _check_rule(where: str, field: str, rule: FieldRule) -> None:
    if not rule.sources or not all(rule.sources):
        raise ConfigError(f"{where}: 'from' is empty")
    for source in rule.sources:
        rest = _PLACEHOLDER.sub("", source)
        if "{" in rest or "}" in rest:
            raise ConfigError(f"{where}: the template {source!r} has an unmatched brace")
    if rule.domain is not None and not rule.local_part:
        raise ConfigError(f"{where}: 'domain' goes with local_part = true")
    if field in _ONE_ATTRIBUTE and (len(rule.sources) > 1 or "{" in rule.sources[0]):
        raise ConfigError(f"{where}: takes one attribute, and no template")
    if rule.bit is not None and field not in _FLAGS:
        raise ConfigError(f"{where}: 'bit' goes with is_disabled and is_enabled")
    if rule.separator is not None and field not in _LISTS:
        raise ConfigError(f"{where}: 'separator' goes with emails and groups")
    if rule.smtp_prefixes and field != "emails":
        raise ConfigError(f"{where}: 'smtp_prefixes' goes with emails")


def _is_plain(rule: FieldRule) -> bool:
    return len(rule.sources) == 1 and "{" not in rule.sources[0] and not (rule.lower or rule.local_part)


def _compile_reverse(rule: FieldRule) -> Callable[[str], tuple[Lookup, ...]] | None:
    if rule.local_part and rule.domain is None:
        return None
    # Written in lower case, the name tells nothing of the case in which the backend keeps it; nor does a domain.
    ignore_case = rule.ignore_case or rule.lower or rule.domain is not None
    undo: list[tuple[str, str, str]] = []
    for source in rule.sources:
        names = _PLACEHOLDER.findall(source)
        if len(names) > 1:
            return None
        before, _, after = source.partition("{" + names[0] + "}") if names else ("", "", "")
        undo.append((names[0] if names else source, before, after))

    def lookups(username: str) -> tuple[Lookup, ...]:
        names = [username] if rule.domain is None else [f"{username}@{rule.domain}", username]
        return tuple(
            Lookup(attribute, name[len(before) : len(name) - len(after)], ignore_case)
            for attribute, before, after in undo
            for name in names
            if len(name) > len(before) + len(after)
            and name.lower().startswith(before.lower())
            and name.lower().endswith(after.lower())
        )

    return lookups


def _column(columns: Columns, name: str) -> Sequence[object]:
    try:
        return columns[name]
    except KeyError:
        raise BadEntry(f"the backend gives no attribute {name!r}; it gives {', '.join(sorted(columns))}") from None


def _texts(column: Sequence[object]) -> Column:
    """A column as texts or None. The usual columns are tested as a whole instead of value by value."""
    kinds = set(map(type, column))
    if kinds == _INTEGERS:
        return list(map(str, column))
    if kinds == _TEXTS and _is_clean(column):  # type: ignore[arg-type]
        return list(column)  # type: ignore[arg-type]
    return [values.text(value) for value in column]


def _is_clean(column: Sequence[str]) -> bool:
    """Whether no text is blank, begins or ends with a blank, or holds a control character.

    ``isprintable`` also says no to NUL, lone surrogates and every white space but the plain blank. A text with a | of
    its own may be doubted wrongly; that costs time and changes nothing.
    """
    joined = "|".join(column)
    if not joined.isprintable() or "" in column:
        return False
    # One letter is found many times faster than two, and most columns hold no blank at all.
    return " " not in joined or not ("| " in joined or " |" in joined or joined.startswith(" ") or joined.endswith(" "))


def _source(source: str, columns: Columns, escape: Callable[[str], str] | None = None) -> Column:
    names = _PLACEHOLDER.findall(source)
    if not names:
        return _texts(_column(columns, source))
    parts = [_texts(_column(columns, name)) for name in names]
    if escape is not None:
        parts = [[v and escape(v) for v in part] for part in parts]
    template = _PLACEHOLDER.sub("{}", source)
    return [_fill(template, found) for found in zip(*parts, strict=True)]


def _fill(template: str, found: tuple[str | None, ...]) -> str | None:
    """A template without any of its parts is absent; with some of them, what is missing leaves no double blank."""
    if all(found):
        return template.format(*found)
    if not any(found):
        return None
    return " ".join(template.format(*(v or "" for v in found)).split())


def _dn_value(value: str) -> str:
    """A value inside a distinguished name (RFC 4514 §2.4)."""
    escaped = re.sub(r'([\\"+,;<>=])', r"\\\1", value)
    return "\\" + escaped if escaped.startswith(("#", " ")) else escaped


def _single(rule: FieldRule, columns: Columns, escape: Callable[[str], str] | None = None) -> Column:
    column = _source(rule.sources[0], columns, escape)
    for source in rule.sources[1:]:
        column = [first or then for first, then in zip(column, _source(source, columns, escape), strict=True)]
    if rule.local_part:
        column = [_local_part(v, rule.domain) if v else v for v in column]
    if rule.lower:
        column = [v.lower() if v else v for v in column]
    return column


def _local_part(address: str, domain: str | None) -> str:
    """What stands before the @; where a domain is given, only that domain is cut off: the same local part at another
    one is somebody else."""
    if domain is None:
        return address.partition("@")[0]
    name, _, found = address.rpartition("@")
    return name if normalize_name(found) == normalize_name(domain) else address


def _optional(rules: dict[str, FieldRule], name: str, columns: Columns) -> Column | None:
    if name not in rules:
        return None
    return _single(rules[name], columns, _dn_value if name == "distinguished_name" else None)


def _required(column: Column, what: str) -> list[str]:
    if not all(column):
        raise ValueError(f"no {what}")
    return column  # type: ignore[return-value]


def _several(rule: FieldRule, columns: Columns) -> Lists:
    if len(rule.sources) == 1 and rule.separator is None and not rule.smtp_prefixes and not rule.local_part:
        source = rule.sources[0]
        column = _column(columns, source) if "{" not in source else _source(source, columns)
        if set(map(type, column)) <= _TEXT_OR_NONE:
            plain = _texts(column)
            if rule.lower:
                plain = [v.lower() if v else v for v in plain]
            return [[v] if v else [] for v in plain] if None in plain else Singles(plain)  # type: ignore[arg-type]
        return [_clean(rule, (value,)) for value in column]
    parts = [_column(columns, source) if "{" not in source else _source(source, columns) for source in rule.sources]
    return [_clean(rule, found) for found in zip(*parts, strict=True)]


def _clean(rule: FieldRule, found: Sequence[object]) -> list[str]:
    """The values of one person as texts: split, prefixes read, each once whatever its case, order kept."""
    items = values.texts(found)
    if rule.separator is not None:
        items = [t for item in items for part in item.split(rule.separator) if (t := part.strip())]
    if rule.smtp_prefixes:
        items = _smtp_addresses(items)
    if rule.local_part:
        items = [t for item in items if (t := _local_part(item, rule.domain))]
    if rule.lower:
        items = [item.lower() for item in items]
    if len(items) < 2:
        return items
    first: dict[str, str] = {}
    for item in items:
        first.setdefault(normalize_name(item), item)
    return list(first.values())


def _smtp_addresses(items: list[str]) -> list[str]:
    """proxyAddresses: ``SMTP:`` is the primary address, ``smtp:`` an alias, any other prefix no mail address.

    Source: Microsoft, "How the proxyAddresses attribute is populated". Values without a prefix (``mail``) follow.
    """
    primary = [item[5:] for item in items if item.startswith("SMTP:")]
    aliases = [item[5:] for item in items if item[:5].lower() == "smtp:" and not item.startswith("SMTP:")]
    bare = [item for item in items if ":" not in item]
    return [address for item in primary + aliases + bare if (address := item.strip())]


def _flags(rule: FieldRule, columns: Columns, *, absent: bool) -> list[bool]:
    """The flag of each row; without a value an account is as usable as if the rule were not there."""
    bit = rule.bit
    return [
        absent if values.text(value) is None else values.flag(value) if bit is None else values.has_bit(value, bit)
        for value in _column(columns, rule.sources[0])
    ]
