"""What ``integration-server check`` finds out about an SQL backend."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import sqlalchemy as sa

from integration_server import FieldRule, Finding, Lookup
from integration_server.builtin.sql.driver import Driver, Query, Row, Session, Values
from integration_server.builtin.sql.group_list import GroupRows
from integration_server.builtin.sql.passwords import Passwords
from integration_server.builtin.sql.plans import Plan, TablePlan
from integration_server.builtin.sql.settings import SqlSettings, asked_attributes
from integration_server.builtin.sql.side_tables import SideRows

NOBODY = "nobody-of-this-name"
_SAMPLE = 1000
#: Tables smaller than this are read as quickly as an index.
_SMALL = 1000


class Checks:
    """Two rounds over one session: whether everything is there, then what it holds."""

    def __init__(
        self,
        settings: SqlSettings,
        driver: Driver,
        plan: Plan,
        sides: Sequence[SideRows],
        passwords: Passwords,
        groups: GroupRows | None,
    ) -> None:
        self._settings = settings
        self._driver = driver
        self._plan = plan
        self._sides = sides
        self._passwords = passwords
        self._groups = groups

    # -- what is there ---------------------------------------------------------------------------------------------

    def structure(self, session: Session, shown_url: str) -> Iterator[Finding]:
        """Connection, tables, columns. Raises the driver's exceptions."""
        yield Finding("ok", f"connected to {shown_url}: {self._driver.describe(session)}")
        if self._driver.is_remote and self._driver.is_encrypted(session) is False:
            yield Finding("warning", "the connection crosses the network without TLS: names and hashes can be read")
        if isinstance(self._plan, TablePlan):
            plan = self._plan
            own = self._settings.writing
            written = [*own.columns, *filter(None, [own.id_column])] if own is not None else []
            columns = tuple(dict.fromkeys([*plan.found.columns(), *written]))
            yield from self._columns(session, plan.source, plan.table, plan.schema, columns)
        for side in self._sides:
            yield from self._columns(session, side.source, side.table, side.schema, side.names)
        if (groups := self._groups) is not None:
            yield from self._columns(session, groups.source, groups.table, groups.schema, groups.names)
        if not self._passwords.can_check:
            yield Finding("warning", "neither password_column nor auth_statement is set: nobody can log in here")
        if self._settings.map.id is None:
            yield Finding(
                "warning", "[map] id is not set: somebody who is renamed looks like one gone and another come"
            )

    def _columns(
        self, session: Session, source: str, table: str | None, schema: str | None, columns: Sequence[str]
    ) -> Iterator[Finding]:
        listed = ", ".join(map(self._driver.quote, columns))
        try:
            session.fetch(self._driver.query(f"SELECT {listed} FROM {source} WHERE 1 = 0"), {})
        except self._driver.errors:
            explained = self._explained(session, table, schema, columns)
            if not explained:
                raise
            yield from explained

    def _explained(
        self, session: Session, table: str | None, schema: str | None, columns: Sequence[str]
    ) -> list[Finding]:
        """What is missing and what may be meant; nothing where that is not why the statement failed."""
        if table is None or session.is_lost or session.is_cancelled:
            return []
        try:
            inspector = self._driver.inspector(session)
            try:
                known = [str(column["name"]) for column in inspector.get_columns(table, schema)]
            except sa.exc.NoSuchTableError:
                tables = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
                return [Finding("error", f"there is no table {table!r}{_closest(table, tables)}")]
        except self._driver.errors:
            return []
        missing = [column for column in columns if column not in known]
        return [Finding("error", f"table {table!r} has no column {name!r}{_closest(name, known)}") for name in missing]

    def lookups(self) -> list[Lookup]:
        """Questions for nobody, as logins will ask them."""
        map_, found = self._settings.map, []
        for rule in (map_.username, map_.id if self._settings.username_index else None):
            ignores = rule is not None and (rule.ignore_case or rule.lower)
            found += [Lookup(attribute, NOBODY, ignores) for attribute in asked_attributes(rule)]
        return found

    # -- what it holds ---------------------------------------------------------------------------------------------

    def content(self, session: Session) -> Iterator[Finding]:
        """Counts, names, ids, indexes, password schemes; of own statements nothing is known. Raises like above."""
        if self._groups is not None:
            yield Finding("ok", f"{_several(len(self._groups.groups(session)), 'group')} in group_list")
        plan = self._plan
        if not isinstance(plan, TablePlan):
            return
        count = int(self._rows(session, f"SELECT COUNT(*) FROM {plan.source} WHERE {plan.condition}")[0][0])
        yield Finding("ok" if count else "warning", f"{_several(count, 'row')} in {plan.table}")
        yield from self._unique(session, plan, "username", self._settings.map.username)
        yield from self._unique(session, plan, "id", self._settings.map.id)
        if count >= _SMALL:
            yield from self._indexes(session)
        if self._settings.password_column is not None:
            yield from self._schemes(session)

    def _rows(self, session: Session, text: str) -> list[Row]:
        return list(session.fetch(self._driver.query(self._driver.limited(text, _SAMPLE)), {}, _SAMPLE).rows)

    def _unique(self, session: Session, plan: TablePlan, field: str, rule: FieldRule | None) -> Iterator[Finding]:
        asked = asked_attributes(rule)
        if rule is None or len(asked) != 1 or asked[0] not in plan.found.attributes:
            return
        column = self._driver.quote(asked[0])
        facts = self._driver.study(session, plan.table, plan.schema, asked)
        is_text = facts.kinds.get(asked[0]) in ("text", "folded", "exact", "narrow folded", "narrow exact")
        source = f"FROM {plan.source} WHERE {plan.condition} AND"
        none = f"({column} IS NULL OR {column} = '')" if is_text else f"{column} IS NULL"
        [(empty,)] = self._rows(session, f"SELECT COUNT(*) {source} {none}")
        if empty:
            yield Finding(
                "error", f"{_several(empty, 'row')} without {asked[0]}: leave them out by 'where', or no list"
            )
        same = f"LOWER({column})" if rule.ignore_case and is_text else column
        doubles = self._rows(
            session, f"SELECT {same} {source} {column} IS NOT NULL GROUP BY {same} HAVING COUNT(*) > 1"
        )
        if doubles:
            more = "at least " if len(doubles) >= _SAMPLE else ""
            yield Finding(
                "warning",
                f"{asked[0]} ({field}) is not unique: {more}{_several(len(doubles), 'value')} in more than one row, "
                f"such as {doubles[0][0]!r}; such a login is refused as ambiguous",
            )
        if is_text and field == "username":
            [(padded,)] = self._rows(session, f"SELECT COUNT(*) {source} {column} <> TRIM({column})")
            if padded:
                yield Finding(
                    "warning", f"{_several(padded, 'value')} of {asked[0]} with blanks around: listed, but not found"
                )

    def _indexes(self, session: Session) -> Iterator[Finding]:
        rule = self._settings.map.id if self._settings.username_index else self._settings.map.username
        assert isinstance(self._plan, TablePlan)
        for lookup, questions in self._plan.asked(session, rule):
            slow = [not self._is_indexed(session, query, _example(values_of)) for query, values_of in questions]
            if slow and slow[0]:
                yield Finding("warning", f"no index on {lookup}: every login reads the whole table")
            elif any(slow):
                yield Finding(
                    "warning",
                    f"names in another case, and unknown ones, read the whole table for {lookup}: an index that "
                    "ignores case would help",
                )
        for side in self._sides:
            if not self._is_indexed(session, side.one, {"k0": self._driver.key(1)}):
                yield Finding("warning", f"no index on {side.user_column} of the table of {side.attribute}")

    def _is_indexed(self, session: Session, query: Query, values: Values | None) -> bool:
        return values is None or self._driver.uses_index(session, query, values) is not False

    def _schemes(self, session: Session) -> Iterator[Finding]:
        stored = self._passwords.sample(session, _SAMPLE)
        counts: Counter[str] = Counter()
        unreadable: Counter[str] = Counter()
        for value in stored:
            scheme, problem = self._passwords.scheme_of(value)
            counts[scheme] += problem is None
            if problem is not None:
                unreadable[problem] += 1
        if +counts:
            shown = ", ".join(f"{scheme} {count}" for scheme, count in (+counts).most_common())
            yield Finding("ok", f"password schemes of {_several(len(stored), 'row')}: {shown}")
        for problem, count in unreadable.most_common(5):
            yield Finding("error", f"{count} of {len(stored)} passwords cannot be checked: {problem}")


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _example(values_of: Callable[[str], Values | None]) -> Values | None:
    """Parameters that really look for something, whatever type the column has."""
    for example in (NOBODY, "1", "00000000-0000-0000-0000-000000000000"):
        values = values_of(example)
        if values is not None and None not in values.values():
            return values
    return None


def _closest(name: str, known: Sequence[str]) -> str:
    folded = {other.lower(): other for other in known}
    found = difflib.get_close_matches(name.lower(), folded, 1, 0.5)
    return (
        f"; did you mean {folded[found[0]]!r}?" if found else f"; there are {', '.join(sorted(known)[:20]) or 'none'}"
    )
