"""Which fault meets whom, and what must come of it: the table of docs/faults.rst, as far as it does not change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.faults.directories import (
    AccountsDirectory,
    CsvDirectory,
    Directory,
    LdapDirectory,
    MariaDbDirectory,
    MasterDirectory,
    PostgreSqlDirectory,
    SambaDirectory,
    SqliteDirectory,
)
from tests.faults.faults import (
    FAULTS,
    BadCookie,
    ClockBack,
    DiskFull,
    Dripping,
    DroppedMidPage,
    ExpiredCertificate,
    Fault,
    Frozen,
    HalfWritten,
    Killed,
    LockHeld,
    Refused,
    Reset,
    SizeLimit,
    Swallowed,
    TableGone,
    TimeLimit,
    WrongBindPassword,
)
from tests.faults.receivers import SlaveTelling, Telling, WebhookTelling

DIRECTORIES: Final[tuple[type[Directory], ...]] = (
    SqliteDirectory,
    PostgreSqlDirectory,
    MariaDbDirectory,
    LdapDirectory,
    SambaDirectory,
    CsvDirectory,
    MasterDirectory,
    AccountsDirectory,
)
RECEIVERS: Final[tuple[type[Telling], ...]] = (WebhookTelling, SlaveTelling)
COLUMNS: Final = (*DIRECTORIES, *RECEIVERS)

Column = type[Directory] | type[Telling]


@dataclass(frozen=True, slots=True)
class Expected:
    """What comes of each question, as ``scene.Answer.kind`` has it; of a delivery for receivers. Without one, the cell
    makes no sense, and ``why_not`` says why."""

    list: str = ""
    login: str = ""
    scan: str = ""
    delivery: str = ""
    why_not: str = ""


def _asked(list: str, login: str, scan: str) -> Expected:
    return Expected(list, login, scan)


def _without(why: str) -> Expected:
    return Expected(why_not=why)


def _told(kind: str) -> Expected:
    return Expected(delivery=kind)


_FINE: Final = _asked("right", "right", "right")
_DOWN: Final = _asked("503", "503", "fails")
#: One answer comes whole where many do not.
_NO_LIST: Final = _asked("503", "right", "fails")
#: The last content that was whole is listed, and nothing is compared with what came after it.
_LAST_GOOD: Final = _asked("right", "right", "fails")
#: The server's own store is what cannot be written.
_NO_STORE: Final = _asked("503", "right", "waits")
_KILLED: Final = _asked("none", "none", "none")
_AGAIN, _TAKEN, _WAITING, _CUT = _told("again"), _told("right"), _told("waits"), _told("none")

_NO_NETWORK: Final = _without("there is no network between")
_NO_COOKIE: Final = _without("there is no cookie")
_NO_TABLE: Final = _without("there is no table")
_NO_FILE: Final = _without("no file is read")
_NO_ACCOUNT: Final = _without("nobody logs in there")
_NO_LIMIT: Final = _without("there is no such limit")
_SAMBA_TLS: Final = _without("Samba reads its certificate at its start; the check is that of OpenLDAP")

Row = Mapping[Column, Expected]


def _row(everywhere: Expected, telling: Expected, but: Row | None = None) -> Row:
    row: dict[Column, Expected] = dict.fromkeys(DIRECTORIES, everywhere)
    row.update(dict.fromkeys(RECEIVERS, telling))
    return row | dict(but or {})


def _far(everywhere: Expected, but: Row | None = None) -> Row:
    """A fault on the way to those that are reached over a network."""
    near = (SqliteDirectory, CsvDirectory, AccountsDirectory)
    return _row(everywhere, _AGAIN, dict.fromkeys(near, _NO_NETWORK) | dict(but or {}))


EXPECTED: Final[Mapping[type[Fault], Row]] = {
    Refused: _far(_DOWN),
    Frozen: _far(_DOWN),
    Swallowed: _far(_DOWN),
    Dripping: _far(_DOWN),
    Reset: _far(_DOWN),
    SizeLimit: _row(_NO_LIMIT, _AGAIN, {MariaDbDirectory: _FINE, LdapDirectory: _NO_LIST, WebhookTelling: _TAKEN}),
    TimeLimit: _row(
        _DOWN,
        _AGAIN,
        {
            SqliteDirectory: _NO_LIST,
            PostgreSqlDirectory: _NO_LIST,
            MariaDbDirectory: _NO_LIST,
            CsvDirectory: _NO_LIMIT,
            AccountsDirectory: _NO_LIMIT,
        },
    ),
    DroppedMidPage: _far(_NO_LIST, {MasterDirectory: _FINE}),
    BadCookie: _row(_FINE, _NO_COOKIE, {LdapDirectory: _NO_LIST}),
    WrongBindPassword: _row(
        _DOWN, _AGAIN, dict.fromkeys((SqliteDirectory, CsvDirectory, AccountsDirectory), _NO_ACCOUNT)
    ),
    ExpiredCertificate: _far(_DOWN, {SambaDirectory: _SAMBA_TLS}),
    LockHeld: _row(_NO_STORE, _WAITING, dict.fromkeys((SqliteDirectory, PostgreSqlDirectory, MariaDbDirectory), _DOWN)),
    TableGone: _row(_DOWN, _NO_TABLE),
    HalfWritten: _row(_NO_FILE, _NO_FILE, {SqliteDirectory: _DOWN, CsvDirectory: _LAST_GOOD}),
    DiskFull: _row(_NO_STORE, _WAITING),
    ClockBack: _row(_FINE, _TAKEN),
    Killed: _row(_KILLED, _CUT),
}

#: What the tests of every day run of it, in seconds.
SAMPLE: Final[tuple[tuple[type[Fault], Column], ...]] = (
    (TableGone, SqliteDirectory),
    (Reset, LdapDirectory),
    (BadCookie, LdapDirectory),
    (ExpiredCertificate, LdapDirectory),
    (HalfWritten, CsvDirectory),
    (ClockBack, CsvDirectory),
    (Refused, WebhookTelling),
)

CELLS: Final[tuple[tuple[type[Fault], Column], ...]] = tuple(
    (fault, column) for column in COLUMNS for fault in FAULTS if not EXPECTED[fault][column].why_not
)
