"""The one place where what a database driver raises becomes an error of the backend.

Drivers are told apart by what their exceptions carry, so that none of them is imported here.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import dataclass

import sqlalchemy as sa

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    BadEntry,
    ConfigError,
)

Kind = type[BackendError]

#: SQLite's primary result codes (sqlite.org/rescode.html); all others mean a statement that it does not take.
_SQLITE_OUTAGES = frozenset({5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 26})
_SQLITE_READONLY = 8

#: SQLSTATE classes (PostgreSQL, appendix A) that stand for a wrong question: login, database, SQL, permission, data.
_SQLSTATE_MISTAKES = ("22", "23", "28", "3D", "3F", "42", "0A", "2B", "P0", "25006")
#: A data exception quotes the value that it stumbled over.
_SQLSTATE_QUOTING = ("22", "23", "P0")
_SQLSTATE_CANCELED = "57014"

#: Codes of MariaDB and MySQL. Access denied, unknown database/table/column/function, syntax, permissions, read-only.
_MYSQL_MISTAKES = frozenset(
    {1044, 1045, 1046, 1049, 1052, 1054, 1064, 1104, 1130, 1142, 1143, 1146, 1227, 1267, 1305, 1356, 1370, 1698, 1792}
)
#: Classes of the others that mean a wrong question, or a value that does not fit.
_MYSQL_MISTAKEN = frozenset({"ProgrammingError", "NotSupportedError", "DataError", "IntegrityError"})
#: max_statement_time of MariaDB, max_execution_time of MySQL.
_MYSQL_TIMEOUTS = frozenset({1969, 3024})
#: Messages that quote no value of ours or of a row.
_MYSQL_QUOTING_NOTHING = (
    _MYSQL_MISTAKES | _MYSQL_TIMEOUTS | {1040, 1053, 1205, 1213, 1317, 1927, 2003, 2006, 2013, 4031}
)

_MYSQL_SYNTAX = 1064

_DRIVER_PACKAGES = {"psycopg": "postgresql", "pymysql": "mariadb"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a driver's exception means. ``text`` may be shown; ``is_quoting``: the exception's own text may not."""

    kind: Kind
    text: str
    code: str = ""
    is_quoting: bool = False


def translate(exc: Exception, shown_url: str, *, is_secret: bool = False) -> BackendError:
    """The backend's error for a driver's exception.

    Text that may hold somebody's data is dropped, from ``exc`` as well, which gets chained; with ``is_secret`` (a
    password was among the parameters) any text is.
    """
    found = diagnose(exc)
    text = _unshown(found.code or type(exc).__name__) if is_secret else found.text
    if found.is_quoting or is_secret:
        _silence(exc, text)
    return found.kind(f"{shown_url}: {text}")


def diagnose(exc: BaseException) -> Diagnosis:
    """What went wrong, by the codes of the driver."""
    if isinstance(exc, sa.exc.DBAPIError) and exc.orig is not None:
        inner = diagnose(exc.orig)
        kind = BackendUnavailable if exc.connection_invalidated else inner.kind
        return Diagnosis(kind, inner.text, inner.code, inner.is_quoting)
    if isinstance(exc, sqlite3.Error):
        return _sqlite(exc)
    if isinstance(exc, UnicodeError):
        return Diagnosis(BadEntry, "a row holds text in another encoding than the database says", is_quoting=True)
    if hasattr(exc, "sqlstate") and hasattr(exc, "diag"):
        return _postgresql(exc)
    if type(exc).__module__.startswith("pymysql"):
        return _mysql(exc)
    if isinstance(exc, OSError):
        return Diagnosis(BackendUnavailable, exc.strerror or str(exc))
    return _generic(exc)


def _unshown(code: str) -> str:
    return f"error {code} (its text may quote data and is not shown)"


def _sqlite(exc: sqlite3.Error) -> Diagnosis:
    text = str(exc)
    code = getattr(exc, "sqlite_errorcode", None)
    if code is None:
        if text.startswith("Could not decode to UTF-8"):
            column = text.partition("column ")[2].partition(" with text")[0]
            return Diagnosis(BadEntry, f"a row holds text that is not UTF-8 in column {column}", is_quoting=True)
        return Diagnosis(BackendMisconfigured, text)
    name = getattr(exc, "sqlite_errorname", str(code))
    if code & 0xFF in _SQLITE_OUTAGES:
        return Diagnosis(BackendUnavailable, text, name)
    # A crashed writer left a journal that only a writer may play back.
    if code & 0xFF == _SQLITE_READONLY and code != _SQLITE_READONLY:
        return Diagnosis(BackendUnavailable, f"{text}: the application that owns the file must open it first", name)
    return Diagnosis(BackendMisconfigured, text, name)


def _postgresql(exc: BaseException) -> Diagnosis:
    state: str | None = getattr(exc, "sqlstate", None)
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    if state is not None:
        return _sqlstate(state, lines[0] if lines else "no answer")
    text = "; ".join(lines) or "the connection was lost"
    classes = _classes(exc)
    if "ConnectionTimeout" in classes:
        return Diagnosis(BackendTimeout, text)
    if "DataError" in classes:
        return Diagnosis(BadEntry, "a row holds a value that has no Python form", is_quoting=True)
    is_mistake = "ProgrammingError" in classes or _is_refusal(text)
    return Diagnosis(BackendMisconfigured if is_mistake else BackendUnavailable, text)


def _sqlstate(state: str, text: str) -> Diagnosis:
    if state == _SQLSTATE_CANCELED:
        return Diagnosis(BackendTimeout, text, state)
    if state.startswith(_SQLSTATE_QUOTING):
        return Diagnosis(BackendMisconfigured, _unshown(state), state, is_quoting=True)
    return Diagnosis(BackendMisconfigured if state.startswith(_SQLSTATE_MISTAKES) else BackendUnavailable, text, state)


def _is_refusal(text: str) -> bool:
    """While connecting, libpq passes on the server's text without its code."""
    return "FATAL:" in text and any(
        words in text for words in ("authentication failed", "does not exist", "no pg_hba.conf entry", "not permitted")
    )


def _mysql(exc: BaseException) -> Diagnosis:
    code = exc.args[0] if exc.args and isinstance(exc.args[0], int) else 0
    text = str(exc.args[1]) if len(exc.args) > 1 else ""
    is_quoting = bool(text) and code not in _MYSQL_QUOTING_NOTHING
    if code == _MYSQL_SYNTAX:
        # The statement stands in the text with its parameters, as PyMySQL puts them in.
        text, is_quoting = text.partition(";")[0], True
    elif is_quoting:
        text = _unshown(str(code))
    if code in _MYSQL_TIMEOUTS:
        return Diagnosis(BackendTimeout, text, str(code))
    is_mistake = code in _MYSQL_MISTAKES or (code and _classes(exc) & _MYSQL_MISTAKEN)
    kind = BackendMisconfigured if is_mistake else BackendUnavailable
    return Diagnosis(kind, text or "the connection was lost", str(code), is_quoting)


def _generic(exc: BaseException) -> Diagnosis:
    """Any other driver: the classes of PEP 249, which all of them have."""
    classes = _classes(exc)
    text = str(exc).strip().partition("\n")[0]
    if classes & {"ProgrammingError", "NotSupportedError", "CompileError", "ArgumentError"}:
        return Diagnosis(BackendMisconfigured, text, type(exc).__name__)
    if classes & {"OperationalError", "InterfaceError"}:
        return Diagnosis(BackendUnavailable, text, type(exc).__name__)
    kind = BackendMisconfigured if classes & {"DataError", "IntegrityError"} else BackendUnavailable
    return Diagnosis(kind, _unshown(type(exc).__name__), type(exc).__name__, is_quoting=True)


def _classes(exc: BaseException) -> set[str]:
    return {cls.__name__ for cls in type(exc).__mro__}


def _silence(exc: BaseException, text: str) -> None:
    """Take the text out of an exception that a log may print, and out of those behind it."""
    exc.args = (text,)
    if isinstance(exc, sa.exc.StatementError):
        exc.params = None
        exc.hide_parameters = True
    behind = (exc.__cause__, exc.__context__, getattr(exc, "orig", None))
    for inner in behind:
        if isinstance(inner, BaseException) and inner.args != (text,):
            _silence(inner, text)


def missing_driver(name: str, driver: str, module: str | None) -> ConfigError:
    """The error for a driver that is not installed."""
    extra = _DRIVER_PACKAGES.get(module or "")
    # The interpreter's own pip: the shell's would put it where this server does not look.
    pip = subprocess.list2cmdline([sys.executable, "-m", "pip", "install"])
    how = f'{pip} "integration-server[{extra}]"' if extra else f"install the package of the driver {module!r}"
    return ConfigError(f"[backends.{name}] url: {driver} needs a driver that is not installed: {how}")
