"""The one mapper of all backends: attributes of entries become fields of users, and names find their way back.

The settings are compiled once; ``columns`` does what the rules say, a column at a time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from integration_server.sdk import values
from integration_server.sdk.columns import (
    PLACEHOLDER,
    Columns,
    column_of,
    flags,
    kinds_of,
    optional,
    required,
    several,
    single,
)
from integration_server.sdk.errors import BadEntry, ConfigError
from integration_server.sdk.model import AccountState, Batch, ColumnwiseRows, Entry, Lookup
from integration_server.sdk.page import Lists, Numerals, UserPage
from integration_server.sdk.plain_entries import PlainEntries
from integration_server.sdk.settings import FieldRule, MapSettings

#: What a rule may say beside its sources, where not every field can heed it.
_ADDRESSES = frozenset({"emails", "preferred_emails", "unverified_emails"})
_LISTS = _ADDRESSES | {"groups"}
_FLAGS = frozenset({"is_disabled", "is_enabled", "is_locked", "is_password_expired"})
_ONE_ATTRIBUTE = _FLAGS | {"expires_at"}

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
        self._plain = PlainEntries.of(backend, self._rules)
        self._address_forms = _address_forms([self._rules[name] for name in sorted(_ADDRESSES & self._rules.keys())])

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
    def is_id_plain(self) -> bool:
        """Whether people are found by their ids: those are one attribute as it stands."""
        return _is_plain(self._id)

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

    def address_lookups(self, address: str) -> tuple[Lookup, ...] | None:
        """Where to look for whoever has an address, whatever its case; what is found is to be compared once more.

        None where the mapping makes addresses of something else: then everybody has to be looked at.
        """
        if self._address_forms is None:
            return None
        return tuple([Lookup(source, f"{prefix}{address}", ignore_case=True) for source, prefix in self._address_forms])

    def id_lookup(self, user_id: str) -> Lookup:
        """The lookup by id. Raises ConfigError where the id is not one plain attribute."""
        if self.is_id_plain:
            return Lookup(self._id.sources[0], user_id)
        raise ConfigError(
            f"[backends.{self._backend}.map] id must be one plain attribute, or nobody is found by it; where there is"
            " none, it is the user name"
        )

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
        if self._plain is not None and (page := self._plain.page(entry.attributes)) is not None:
            return page
        return self.page(Batch(tuple(entry.attributes), [tuple(entry.attributes.values())]))

    def _map(self, batch: Batch) -> UserPage:
        rows = batch.rows
        columns: Columns = dict(zip(batch.names, _turned(batch), strict=True))
        usernames = required(single(self._username, columns), "user name")
        ids = self._ids(columns) if self.has_own_id else usernames
        rules = self._rules
        emails, preferred, unverified = self._addresses(columns)
        return UserPage(
            self._backend,
            ids=ids,
            usernames=usernames,
            full_names=optional(rules, "full_name", columns),
            distinguished_names=optional(rules, "distinguished_name", columns),
            emails=emails,
            preferred_emails=preferred,
            unverified_emails=unverified,
            groups=several(rules["groups"], columns) if "groups" in rules else None,
            nicknames=optional(rules, "nickname", columns),
            biographies=optional(rules, "biography", columns),
            tzs=optional(rules, "tz", columns),
            states=self._states(columns, len(rows)),
            are_names_unique=self._keeps_unique(batch, columns, usernames),
        )

    def _addresses(self, columns: Columns) -> tuple[Lists | None, Lists | None, Lists | None]:
        """All addresses, the preferred and the unverified ones among them; see UserPage."""
        emails, preferred, unverified = (
            several(rule, columns) if (rule := self._rules.get(name)) is not None else None
            for name in ("emails", "preferred_emails", "unverified_emails")
        )
        if preferred is None and unverified is None:
            return emails, None, None
        return kinds_of(emails, preferred, unverified)

    def _ids(self, columns: Columns) -> Sequence[str]:
        column = columns.get(self._id.sources[0], ())
        if _is_plain(self._id) and [*map(type, column)].count(int) == len(column) > 0:
            return Numerals(column)  # type: ignore[arg-type]
        return required(single(self._id, columns), "id")

    def _keeps_unique(self, batch: Batch, columns: Columns, usernames: list[str]) -> bool:
        """Whether the source's own uniqueness holds for user names: it does where they are its values as they are."""
        source = self._username.sources[0]
        return source in batch.unique and _is_plain(self._username) and usernames == list(columns[source])

    def _states(self, columns: Columns, count: int) -> list[AccountState] | None:
        rules = self._rules
        if not rules.keys() & _ONE_ATTRIBUTE:
            return None
        states = [AccountState.ACTIVE] * count
        # The later ones count where several are true.
        for name, state in (("is_password_expired", AccountState.PASSWORD_EXPIRED), ("is_locked", AccountState.LOCKED)):
            if name in rules:
                for i, found in enumerate(flags(rules[name], columns, absent=False)):
                    if found:
                        states[i] = state
        if "expires_at" in rules:
            now = self._clock()
            for i, value in enumerate(column_of(columns, rules["expires_at"].sources[0])):
                if (until := values.moment(value)) is not None and until <= now:
                    states[i] = AccountState.EXPIRED
        for name, disabling in (("is_disabled", True), ("is_enabled", False)):
            if name in rules:
                for i, found in enumerate(flags(rules[name], columns, absent=not disabling)):
                    if found is disabling:
                        states[i] = AccountState.DISABLED
        return states


def _turned(batch: Batch) -> Sequence[Sequence[object]]:
    """The columns of a batch."""
    if isinstance(batch.rows, ColumnwiseRows):
        return batch.rows.columns
    return list(zip(*batch.rows, strict=True)) if batch.rows else [() for _ in batch.names]


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


def _address_forms(rules: Sequence[FieldRule]) -> tuple[tuple[str, str], ...] | None:
    """The attributes that hold addresses, and what stands before one there; None where they are made of others."""
    if any(rule.local_part or rule.separator is not None for rule in rules):
        return None
    if any("{" in source for rule in rules for source in rule.sources):
        return None
    forms = [(source, "smtp:") for rule in rules if rule.smtp_prefixes for source in rule.sources]
    forms += [(source, "") for rule in rules for source in rule.sources]
    return tuple(dict.fromkeys(forms))


def _attributes(rule: FieldRule) -> list[str]:
    """The attributes that a rule reads."""
    return [name for source in rule.sources for name in PLACEHOLDER.findall(source) or [source]]


def _check_rule(where: str, field: str, rule: FieldRule) -> None:
    if not rule.sources or not all(rule.sources):
        raise ConfigError(f"{where}: 'from' is empty")
    for source in rule.sources:
        rest = PLACEHOLDER.sub("", source)
        if "{" in rest or "}" in rest:
            raise ConfigError(f"{where}: the template {source!r} has an unmatched brace")
    if rule.domain is not None and not rule.local_part:
        raise ConfigError(f"{where}: 'domain' goes with local_part = true")
    if field in _ONE_ATTRIBUTE and (len(rule.sources) > 1 or "{" in rule.sources[0]):
        raise ConfigError(f"{where}: takes one attribute, and no template")
    if rule.bit is not None and field not in _FLAGS:
        raise ConfigError(f"{where}: 'bit' goes with is_disabled, is_enabled, is_locked and is_password_expired")
    if rule.separator is not None and field not in _LISTS:
        raise ConfigError(f"{where}: 'separator' goes with emails and groups")
    if rule.first_found and field not in _LISTS:
        raise ConfigError(f"{where}: 'first_found' goes with emails and groups; other fields do so anyway")
    if rule.smtp_prefixes and field not in _ADDRESSES:
        raise ConfigError(f"{where}: 'smtp_prefixes' goes with addresses")


def _is_plain(rule: FieldRule) -> bool:
    return len(rule.sources) == 1 and "{" not in rule.sources[0] and not (rule.lower or rule.local_part)


def _compile_reverse(rule: FieldRule) -> Callable[[str], tuple[Lookup, ...]] | None:
    if rule.local_part and rule.domain is None:
        return None
    # Written in lower case, the name tells nothing of the case in which the backend keeps it; nor does a domain.
    ignore_case = rule.ignore_case or rule.lower or rule.domain is not None
    undo: list[tuple[str, str, str]] = []
    for source in rule.sources:
        names = PLACEHOLDER.findall(source)
        if len(names) > 1:
            return None
        before, _, after = source.partition("{" + names[0] + "}") if names else ("", "", "")
        undo.append((names[0] if names else source, before, after))

    if rule.domain is None and len(undo) == 1 and undo[0][1:] == ("", ""):
        name = undo[0][0]
        return lambda username: (Lookup(name, username, ignore_case),) if username else ()

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
