"""The statements of a backend, made from its settings: which ask for everybody, which for one person."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from integration_server import BackendMisconfigured, ConfigError, FieldRule, Lookup
from integration_server.builtin.sql.driver import (
    Driver,
    Facts,
    Query,
    Reader,
    Row,
    Session,
    Step,
    TablePart,
    Values,
    plain,
)
from integration_server.builtin.sql.settings import SqlSettings, asked_attributes
from integration_server.builtin.sql.side_tables import SideRows

#: A statement, and its parameters for a name, or None where it need not be asked.
Question = tuple[Query, Callable[[str], Values | None]]

#: So many rows that a database takes for one name are compared; more say that the column is no name.
CANDIDATES = 101
#: How long the types of columns, which somebody may change, are taken for known.
FACTS_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in a row what is found: attributes, keys of the second tables, stored password and salt."""

    names: tuple[str, ...]
    picks: tuple[int, ...]
    keys: tuple[int, ...]
    password: int | None
    salt: int | None
    is_whole_row: bool

    @classmethod
    def of(cls, found: Sequence[str], wanted: Wanted) -> Layout:
        """Raises BackendMisconfigured, naming a column that is not there."""
        picks = tuple(position_of(found, name) for name in wanted.attributes)
        return cls(
            names=wanted.attributes,
            picks=picks,
            keys=tuple(position_of(found, name) for name in wanted.keys),
            password=None if wanted.password is None else position_of(found, wanted.password),
            salt=None if wanted.salt is None else position_of(found, wanted.salt),
            is_whole_row=picks == tuple(range(len(found))),
        )

    @classmethod
    def of_part(cls, found: Sequence[str], wanted: Wanted) -> Layout:
        """The same for rows that hold more than what is wanted."""
        return replace(cls.of(found, wanted), is_whole_row=False)

    def attributes(self, row: Row) -> list[object]:
        return [row[i] for i in self.picks]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The columns that an answer must have."""

    attributes: tuple[str, ...]
    keys: tuple[str, ...]
    password: str | None = None
    salt: str | None = None

    def columns(self) -> tuple[str, ...]:
        """Each once, in order."""
        extra = (*self.keys, *(name for name in (self.password, self.salt) if name is not None))
        return tuple(dict.fromkeys((*self.attributes, *extra)))


def position_of(found: Sequence[str], name: str) -> int:
    if name in found:
        return found.index(name)
    alike = [i for i, other in enumerate(found) if other.lower() == name.lower()]
    if len(alike) != 1:
        raise BackendMisconfigured(f"the statement gives no column {name!r}; it gives {', '.join(found)}")
    return alike[0]


class Plan(ABC):
    """How this backend lists and finds."""

    everybody: Query
    #: Reads what that gives.
    reader: Reader
    #: As SQL, for feeds: where everybody's rows come from, on which condition, and what to select of them.
    source: str
    condition: str
    selected: str
    #: A SELECT that gives the stored passwords, where one column holds them.
    stored: str | None = None

    def __init__(self, driver: Driver, settings: SqlSettings, sides: tuple[SideRows, ...], attributes: Sequence[str]):
        self._driver = driver
        self._sides = {name: side for side in sides for name in side.attributes}
        own = tuple(name for name in attributes if name not in self._sides)
        keys = tuple(side.key_column for side in sides)
        self.listed = Wanted(own, keys)
        self.found = Wanted(own, keys, settings.password_column, settings.salt_column)

    @abstractmethod
    def list_layout(self, names: tuple[str, ...]) -> Layout:
        """Where the columns are in a batch of everybody whose columns have these names."""

    def unique_columns(self, session: Session) -> frozenset[str]:
        """Columns of which the database itself keeps the values apart; of own statements nothing is known."""
        return frozenset()

    @abstractmethod
    def find_layout(self, names: tuple[str, ...]) -> Layout:
        """Where the columns are in the answer to a lookup."""

    @abstractmethod
    def questions(self, session: Session, lookup: Lookup) -> tuple[Question, ...]:
        """What to ask, in order, until somebody is found. Raises BackendMisconfigured."""


class TablePlan(Plan):
    """One table or view, and the columns that the mapping names."""

    def __init__(self, driver: Driver, settings: SqlSettings, sides: tuple[SideRows, ...], attributes: Sequence[str]):
        super().__init__(driver, settings, sides, attributes)
        assert settings.table is not None
        self.table, self.schema = settings.table, settings.schema_name
        self.source = driver.table(self.table, self.schema)
        # The line break ends a comment that the condition may end with.
        self.condition = f"({settings.where}\n)" if settings.where else "1 = 1"
        self.selected = ", ".join(map(driver.quote, self.listed.columns()))
        self.everybody = driver.query(f"{self._select(self.listed)} WHERE {self.condition}")
        if self.everybody.names:
            raise unknown_parameter("where", self.everybody.names[0])
        if settings.password_column is not None:
            column = driver.quote(settings.password_column)
            self.stored = f"SELECT {column} FROM {self.source} WHERE {self.condition}"
        self.reader = driver.reader(
            self.everybody, TablePart(self.table, self.schema, self.listed.columns(), self.condition)
        )
        # The columns come in the order in which they are asked for, whatever the database calls them.
        self._list_layout = Layout.of(self.listed.columns(), self.listed)
        self._find_layout = Layout.of(self.found.columns(), self.found)
        self._head = f"{self._select(self.found)} WHERE {self.condition} AND "
        self._questions: dict[tuple[str, bool], tuple[float, tuple[Question, ...]]] = {}

    def _select(self, wanted: Wanted) -> str:
        return f"SELECT {', '.join(map(self._driver.quote, wanted.columns()))} FROM {self.source}"

    def list_layout(self, names: tuple[str, ...]) -> Layout:
        return self._list_layout

    def unique_columns(self, session: Session) -> frozenset[str]:
        return self._driver.unique_columns(session, self.table, self.schema)

    def find_layout(self, names: tuple[str, ...]) -> Layout:
        return self._find_layout

    def questions(self, session: Session, lookup: Lookup) -> tuple[Question, ...]:
        key = (lookup.attribute, lookup.ignore_case)
        known = self._questions.get(key)
        now = time.monotonic()
        if known is None or now > known[0]:
            known = self._questions[key] = (now + FACTS_SECONDS, tuple(self._made(session, *key)))
        return known[1]

    def asked(self, session: Session, rule: FieldRule | None) -> list[tuple[str, tuple[Question, ...]]]:
        """What lookups by a rule of the mapping ask."""
        ignores = rule is not None and (rule.ignore_case or rule.lower)
        return [(name, self.questions(session, Lookup(name, "", ignores))) for name in asked_attributes(rule)]

    def _made(self, session: Session, attribute: str, ignore_case: bool) -> list[Question]:
        side = self._sides.get(attribute)
        if side is not None:
            return self._made_for_side(session, side, ignore_case)
        if attribute not in self.found.attributes:
            raise BackendMisconfigured(f"[map] names no column {attribute!r}, so nobody can be found by it")
        facts = self._driver.study(session, self.table, self.schema, [attribute])
        steps = self._driver.steps(attribute, ignore_case, facts)
        return self._filled(steps, self._driver.quote(attribute), "{}")

    def _made_for_side(self, session: Session, side: SideRows, ignore_case: bool) -> list[Question]:
        """People by an address or group of theirs."""
        facts = Facts({})
        if side.table is not None:
            facts = self._driver.study(session, side.table, side.schema, [side.value_name])
        steps = self._driver.steps(side.value_name, ignore_case, facts)
        key = self._driver.quote(side.key_column)
        inner = f"{key} IN (SELECT {side.user_column} FROM {side.source} WHERE {{}})"
        return self._filled(steps, side.value_column, inner)

    def _filled(self, steps: Sequence[Step], column: str, frame: str) -> list[Question]:
        return named_queries(self._driver, self._head, steps, column, frame)


class StatementPlan(Plan):
    """The admin's own statements."""

    def __init__(self, driver: Driver, settings: SqlSettings, sides: tuple[SideRows, ...], attributes: Sequence[str]):
        super().__init__(driver, settings, sides, attributes)
        assert settings.list_statement is not None
        assert settings.find_statement is not None
        self.everybody = driver.query(settings.list_statement)
        # The line break ends a comment that the statement may end with.
        self.source = f"({settings.list_statement.strip().rstrip(';')}\n) people"
        self.condition, self.selected = "1 = 1", "*"
        if self.everybody.names:
            raise unknown_parameter("list_statement", self.everybody.names[0])
        self.reader = lambda session: session.stream(self.everybody)
        usernames, ids = asked_attributes(settings.map.username), asked_attributes(settings.map.id)
        emails = asked_attributes(settings.map.emails)
        by_name = self._question("find_statement", settings.find_statement)
        self._by_attribute = dict.fromkeys(usernames, by_name)
        if settings.find_by_id_statement is not None:
            by_id = self._question("find_by_id_statement", settings.find_by_id_statement)
            self._by_attribute = {**dict.fromkeys(ids, by_id), **self._by_attribute}
        if settings.find_by_email_statement is not None:
            by_email = self._question("find_by_email_statement", settings.find_by_email_statement)
            self._by_attribute = {**dict.fromkeys(emails, by_email), **self._by_attribute}

    def list_layout(self, names: tuple[str, ...]) -> Layout:
        return Layout.of(names, self.listed)

    def find_layout(self, names: tuple[str, ...]) -> Layout:
        return Layout.of(names, self.found)

    def _question(self, key: str, statement: str) -> Question:
        query = self._driver.query(statement)
        require_parameters(key, query, {"value"}, {"value"})
        return query, plain

    def questions(self, session: Session, lookup: Lookup) -> tuple[Question, ...]:
        try:
            return (self._by_attribute[lookup.attribute],)
        except KeyError:
            raise BackendMisconfigured(
                f"there is no statement that finds people by {lookup.attribute!r}; set find_by_id_statement "
                "or find_by_email_statement"
            ) from None


def named_queries(driver: Driver, head: str, steps: Sequence[Step], column: str, frame: str = "{}") -> list[Question]:
    """The statements that ask for a name in each of the ways: a SELECT up to its condition, with the step's within."""
    conditions = [frame.replace("{}", step.condition.replace("{column}", column)) for step in steps]
    queries = [driver.query(driver.limited(head + text, CANDIDATES)) for text in conditions]
    return list(zip(queries, [step.values for step in steps], strict=True))


def require_parameters(key: str, query: Query, needed: set[str], allowed: set[str]) -> None:
    """Raise ConfigError for a statement that asks for something else, or for nobody in particular."""
    names = set(query.names)
    if unknown := names - allowed:
        raise unknown_parameter(key, min(unknown))
    if not names & needed:
        wanted = " or ".join(f":{name}" for name in sorted(needed))
        raise ConfigError(f"{key} must name the person with {wanted}; it would give the same answer for everybody")


def unknown_parameter(key: str, name: str) -> ConfigError:
    """The error for a parameter that the statement cannot get."""
    return ConfigError(f"{key} holds the unknown parameter :{name}; write \\:{name} where a colon is meant")
