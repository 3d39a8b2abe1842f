"""The ways that pages show from nothing to a login, gone as they are shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import psycopg
import pymysql
import pytest
from sqlalchemy import create_engine, make_url, text

from integration_server.sdk.passwords import hash_password
from tests.cli.conftest import Serving, command, environment
from tests.docs.pages import DOCS, blocks
from tests.servers import MariaDb, PostgreSql

PASSWORD = "hush hush"
HASH = hash_password(PASSWORD)
SHORTENED_HASH = "$argon2id$v=19$m=19456,t=2,p=1$..."


def cli(*args: object, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), env=environment(), input=typed, capture_output=True, text=True, timeout=60, check=False
    )


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def _write_old(file: Path, text: str, encoding: str = "utf-8") -> None:
    """A file that was just written would still count as being written."""
    file.write_text(text, encoding=encoding)
    an_hour_ago = time.time() - 3600
    os.utime(file, (an_hour_ago, an_hour_ago))


def _names(folder: Path) -> list[str]:
    done = cli("users", folder, "--json")
    assert done.returncode == 0, done.stderr
    return [user["username"] for user in json.loads(done.stdout)]


def _can_log_in(folder: Path, name: str, password: str = PASSWORD) -> bool:
    done = cli("auth", name, folder, "--password-stdin", typed=password)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


# -- the quick start ------------------------------------------------------------------------------------------------


@pytest.fixture
def started(tmp_path: Path) -> tuple[Path, str]:
    """After the third step of the quick start: its folder, and the password for MailStore."""
    folder = tmp_path / "conf"
    done = cli("init", folder)
    assert done.returncode == 0
    (people,) = blocks(DOCS / "quick-start.rst", "text")
    _write_old(folder / "people.csv", _replaced(people, "HASH", HASH))
    backends = folder / "20-backends.toml"
    shipped = backends.read_text(encoding="utf-8")
    begin, end = shipped.index("[backends.people]"), shipped.index("# -- LDAP")
    block = blocks(DOCS / "quick-start.rst", "toml")[0]
    backends.write_text(f"{shipped[:begin]}{block}\n{shipped[end:]}", encoding="utf-8")
    return folder, re.findall(r"password +(\S+)$", done.stdout, re.MULTILINE)[0]


def test_the_quick_start_shows_its_people_and_warns_of_nothing(started: tuple[Path, str]) -> None:
    folder, _ = started
    checked = cli("check", folder, "--list")
    assert (checked.returncode, "warning" in checked.stdout) == (0, False), checked.stdout + checked.stderr
    assert _names(folder) == ["jane", "jürgen"]
    assert cli("users", folder, "--why", "jane").returncode == 0
    assert _can_log_in(folder, "jane")
    assert not _can_log_in(folder, "jane", "hers")
    assert not _can_log_in(folder, "jürgen", "")


def _asked(serving: Serving, line: str, **words: str) -> str:
    for word, meaning in words.items():
        line = line.replace(word, meaning)
    line = _replaced(line, "http://127.0.0.1:8080/mailstore", serving.url)
    done = subprocess.run([*line.split(), "-s"], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_curl_lists_and_logs_in_as_the_quick_start_says(started: tuple[Path, str]) -> None:
    folder, password = started
    page = (DOCS / "quick-start.rst").read_text(encoding="utf-8")
    list_line, auth_line = re.findall(r"^    (curl .*)$", page, re.MULTILINE)
    serving = Serving(folder, "--port", "0")
    try:
        listed = json.loads(_asked(serving, list_line, PASSWORD=password))
        assert [user["userName"] for user in listed] == ["jane", "jürgen"]
        answer = _asked(serving, auth_line, PASSWORD=password, HERS=PASSWORD.replace(" ", "+"))
        assert answer == '{"succeeded":true}'
        # Step 7: other people in their place are a loss that waits for a yes.
        _write_old(folder / "people.csv", "number,username,full_name,email,password\n1,ada,Ada,,\n")
        assert "2 of 2 names" in _asked(serving, list_line, PASSWORD=password)
        assert "jane" in cli("guard", "show", "--config", folder).stdout
        assert cli("guard", "accept", "archive", "--yes", "--config", folder).returncode == 0
        listed = json.loads(_asked(serving, list_line, PASSWORD=password))
        assert [user["userName"] for user in listed] == ["ada"]
    finally:
        serving.stop()


# -- a CSV file -----------------------------------------------------------------------------------------------------


def _installed(folder: Path, block: str) -> Path:
    """A folder with a sample of a page."""
    folder.mkdir()
    block = block.replace("$argon2id$...", hash_password("for MailStore"))
    file = folder / "sample.toml"
    file.touch(0o600)
    file.write_text(block, encoding="utf-8")
    return folder


def test_the_csv_page_leads_to_logins(tmp_path: Path) -> None:
    folder = _installed(tmp_path / "conf", blocks(DOCS / "csv.rst", "toml")[0])
    people = _replaced(blocks(DOCS / "csv.rst", "text")[0], SHORTENED_HASH, HASH)
    _write_old(folder / "people.csv", people, "cp1252")
    checked = cli("check", folder, "--list")
    assert (checked.returncode, "warning" in checked.stdout) == (0, False), checked.stdout + checked.stderr
    assert _names(folder) == ["jane", "jürgen"]
    assert _can_log_in(folder, "jürgen")
    assert not _can_log_in(folder, "jürgen", "his")


# -- a database -----------------------------------------------------------------------------------------------------

EMPLOYEES = f"""
CREATE TABLE employee (
    id INTEGER PRIMARY KEY, kind VARCHAR(20), login VARCHAR(50) UNIQUE, first_name VARCHAR(50), last_name VARCHAR(50),
    mail VARCHAR(100), alias VARCHAR(100), active BOOLEAN, password_hash VARCHAR(200)
);
CREATE TABLE salary (id INTEGER PRIMARY KEY);
INSERT INTO employee VALUES (1, 'person', 'jane', 'Jane', 'Doe', 'jane@example.org', 'jd@example.org', true, '{HASH}');
INSERT INTO employee VALUES (2, 'person', 'left', 'Long', 'Gone', 'left@example.org', NULL, false, '{HASH}');
INSERT INTO employee VALUES (3, 'printer', 'printer', 'The', 'Printer', NULL, NULL, true, NULL);
"""


def _run_sql(url: str, statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in filter(str.strip, statements.split(";")):
            connection.execute(text(statement.replace(":", r"\:")))
    engine.dispose()


def _sql_sample(folder: Path, url: str) -> Path:
    """The configuration of the page, for a database of the suite's."""
    place = make_url(url)
    block = blocks(DOCS / "sql.rst", "toml")[0]
    block = _replaced(block, "postgresql+psycopg://", f"{place.drivername}://")
    block = _replaced(block, "db.example.org/hr", f"{place.host}:{place.port}/{place.database}")
    _installed(folder, block)
    secret = folder / "hr.password"
    secret.touch(0o600)
    secret.write_text("choose-one", encoding="ascii")
    return folder


def _leads_to_logins(folder: Path) -> None:
    checked = cli("check", folder, "--list")
    assert (checked.returncode, "warning" in checked.stdout) == (0, False), checked.stdout + checked.stderr
    assert _names(folder) == ["jane"]
    assert _can_log_in(folder, "jane")
    assert not _can_log_in(folder, "jane", "hers")
    assert not _can_log_in(folder, "left")


def test_the_sql_page_leads_to_logins_on_postgresql(postgresql: PostgreSql, tmp_path: Path) -> None:
    url = postgresql.create_database()
    _run_sql(url, EMPLOYEES)
    _run_sql(url, blocks(DOCS / "sql.rst", "postgresql")[0])
    try:
        _leads_to_logins(_sql_sample(tmp_path / "conf", url))
        reader = create_engine(make_url(url).set(username="archive_reader", password="choose-one"))
        with pytest.raises(Exception, match="permission denied") as caught, reader.connect() as connection:
            connection.execute(text("SELECT * FROM salary"))
        reader.dispose()
        assert isinstance(caught.value.__cause__, psycopg.errors.InsufficientPrivilege)
    finally:
        _run_sql(url, "DROP OWNED BY archive_reader; DROP ROLE archive_reader")


def test_the_sql_page_leads_to_logins_on_mariadb(mariadb: MariaDb, tmp_path: Path) -> None:
    url = mariadb.create_database()
    _run_sql(url, EMPLOYEES)
    _run_sql(url, _replaced(blocks(DOCS / "sql.rst", "mysql")[0], "192.0.2.7", "%"))
    try:
        _leads_to_logins(_sql_sample(tmp_path / "conf", url))
        reader = create_engine(make_url(url).set(username="archive_reader", password="choose-one"))
        with pytest.raises(Exception, match="command denied") as caught, reader.connect() as connection:
            connection.execute(text("SELECT * FROM salary"))
        reader.dispose()
        assert isinstance(caught.value.__cause__, pymysql.err.OperationalError)
    finally:
        _run_sql(url, "DROP USER archive_reader@'%'")
