"""What an admin may write, and what they read when it cannot be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pydantic
import pytest

from integration_server import ConfigError
from tests.builtin.sql.people_database import MAP, SIMPLE, opened, settings

FILE = "sqlite:///people.db"
OWN: dict[str, Any] = {
    **SIMPLE,
    "table": None,
    "list_statement": "SELECT 1 AS id",
    "find_statement": "SELECT 1 AS id WHERE :value = 1",
}
SIDE = {"table": "a", "user_column": "u", "address_column": "x", "key_column": "id"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": None}, r"\[backends.test\] needs either table or list_statement"),
        ({"list_statement": "SELECT 1"}, "needs either table or list_statement"),
        ({"find_statement": "SELECT :value"}, "find_statement does not go with table"),
        ({**OWN, "find_statement": None}, "list_statement needs a find_statement"),
        ({**OWN, "where": "x = 1"}, "where does not go with list_statement"),
        ({**OWN, "schema": "x"}, r"\] schema does not go with list_statement"),
        ({**OWN, "username_index": True}, "username_index needs a find_by_id_statement"),
        ({**OWN, "find_statement": "SELECT 1"}, "find_statement must name the person with :value"),
        ({**OWN, "find_statement": "SELECT :value, :name"}, r"find_statement holds the unknown parameter :name"),
        ({**OWN, "list_statement": "SELECT :value"}, "list_statement holds the unknown parameter :value"),
        ({"where": "role = ':admin'"}, r"where holds the unknown parameter :admin; write \\:admin"),
        ({"auth_statement": "SELECT 1 WHERE :value = ''"}, "password_column does not go with auth_statement"),
        ({"password_column": None, "auth_statement": "SELECT :password"}, "auth_statement must name the person"),
        ({"password_column": None, "salt_column": "salt"}, "salt_column goes with password_column"),
        ({"password_scheme": "rot13"}, r"\[backends.test\] password_scheme: there is no password scheme 'rot13'"),
        ({"map": {**MAP, "nickname": "password"}}, "password_column may not be mapped"),
        ({"email_table": {**SIDE, "table": None}}, r"\[backends.test.email_table\] needs either table or statement"),
        ({"email_table": {**SIDE, "attribute": "mails"}}, r'is not used: set emails = "mails" in \[map\]'),
        ({"email_table": {**SIDE, "attribute": "groups"}}, "must differ in attribute"),
        ({"email_table": {**SIDE, "key_column": "emails"}}, "key_column must be a column of the main table"),
        ({"prepared_statements": True}, r"\[backends.test\] prepared_statements is for PostgreSQL alone"),
        ({"url": "sqlite://"}, "must name a file"),
        ({"url": "sqlite:///:memory:"}, "must name a file"),
        ({"url": "sqlite:///file:x.db?mode=rw&uri=true"}, "must name a file"),
        ({"url": "sqlite:///x.db?timeout=5"}, "take no options"),
        ({"url": "nosuchsql://host/db"}, "SQLAlchemy knows no database 'nosuchsql'"),
    ],
)
def test_settings_that_cannot_work_together_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        opened(settings(**{"url": FILE, **changes}), tmp_path)


@pytest.mark.parametrize(
    "url", ["Hunter2", "postgresql://u:Hunter2/x@host:port/db", "postgresql://u:Hunter2@host:Hunter2/db", "://Hunter2"]
)
def test_a_url_that_is_none_is_not_shown(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="percent-encoded") as caught:
        opened(settings(url), tmp_path)
    assert "Hunter2" not in f"{caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"


@pytest.mark.parametrize(
    ("url", "module", "how"),
    [
        ("postgresql://host/db", "psycopg", r'-m pip install "integration-server\[postgresql\]"'),
        ("mariadb://host/db", "pymysql", r'-m pip install "integration-server\[mariadb\]"'),
        ("mysql+pymysql://host/db", "pymysql", r'-m pip install "integration-server\[mariadb\]"'),
        ("oracle+oracledb://host/db", "oracledb", "install the package of the driver 'oracledb'"),
    ],
)
def test_a_missing_driver_is_named_with_how_to_get_it(
    url: str, module: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"\[backends.test\] url: .*{how}"):
        opened(settings(url), tmp_path)


def test_wrong_keys_and_types_are_refused(tmp_path: Path) -> None:
    for changes in ({"tabel": "x"}, {"where": 5}, {"email_table": {**SIDE, "adress_column": "x"}}):
        with pytest.raises(pydantic.ValidationError):
            opened(settings(FILE, **changes), tmp_path)


def test_settings_show_no_secret(tmp_path: Path) -> None:
    table = settings("postgresql://u:Hunter2@host/db?sslpassword=Hunter2", db_password="Hunter2")
    backend = opened(table, tmp_path)
    assert "Hunter2" not in repr(backend)
    assert "Hunter2" not in repr(backend._settings)
    assert "u:***@host" in repr(backend)
    backend.close()


def test_opening_touches_nothing(tmp_path: Path) -> None:
    backend = opened(settings("postgresql://192.0.2.1/db"), tmp_path)
    backend.close()
    opened(settings(FILE), tmp_path).close()
    assert not (tmp_path / "people.db").exists()
