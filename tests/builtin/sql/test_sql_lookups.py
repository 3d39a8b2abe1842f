"""One name, one person: whatever the database takes for equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server import AmbiguousEntry, BackendMisconfigured, Entry, Lookup, Verdict
from integration_server.builtin.sql import SqlBackend
from tests.builtin.sql.people_database import SIMPLE, PeopleDatabase, opened, settings, soon
from tests.servers import PEOPLE, MariaDb, PostgreSql


def _find(backend: SqlBackend, value: str, attribute: str = "login", *, ignore_case: bool = False) -> Entry | None:
    return backend.find(Lookup(attribute, value, ignore_case), soon())


def _login(backend: SqlBackend, value: str, *, ignore_case: bool = False) -> object:
    """The login of the one who is found, None for nobody."""
    entry = _find(backend, value, ignore_case=ignore_case)
    return None if entry is None else entry.attributes["login"]


def _table(database: PeopleDatabase, definition: str, *rows: str) -> None:
    database.run(f"CREATE TABLE names ({definition})", *(f"INSERT INTO names VALUES ({row})" for row in rows))


def _names(database: PeopleDatabase, folder: Path, **changes: Any) -> SqlBackend:
    """A backend on the table ``names (login ...)`` alone."""
    alone = {"table": "names", "password_column": None, "map": {"username": "login"}}
    return opened(settings(database.url, **{**SIMPLE, **alone, **changes}), folder)


_NOBODY = (
    *("' OR 1=1 --", "'; DROP TABLE persons; --", "%", "_____", "al%", "alic_", "\\", "alice\\", "alice' --"),
    *('alice" --', "%s", "%(value)s", ":value", "?", "$1", "{value}", "alice\0", "\0", "\ud800", "alice\udcff"),
    *(" alice", "alice ", "alice\n", "", "x" * 1_000_000, "ä" * 500_000, "alice" + " " * 1_000_000),
)
_ODD = ("a'b", 'a"b', "a\\b", "a%b", "a_b", "a%%b", "a:b", ":value", "a\\'b", "{x}", "😀", "?")


def test_metacharacters_and_monsters_name_nobody(people: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(people.url), tmp_path)
    for hostile in _NOBODY:
        assert _find(backend, hostile) is None, hostile[:20]
        assert _find(backend, hostile, ignore_case=True) is None, hostile[:20]
        assert _find(backend, hostile, "id") is None, hostile[:20]
        assert _find(backend, hostile, "emails") is None, hostile[:20]
        assert _login(backend, "alice") == "alice"
    backend.close()


def test_names_made_of_metacharacters_are_found_as_they_are(database: PeopleDatabase, tmp_path: Path) -> None:
    for number, name in enumerate(_ODD):
        database.run("INSERT INTO persons (id, login) VALUES (:number, :name)", number=1000 + number, name=name)
    backend = opened(settings(database.url), tmp_path)
    for name in _ODD:
        assert _login(backend, name) == name
        assert _login(backend, name, ignore_case=True) == name
        assert _login(backend, name.swapcase(), ignore_case=True) == name
    backend.close()


def test_number_columns_are_found_by_the_number_alone(people: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(people.url), tmp_path)
    for ignore_case in (False, True):
        found = _find(backend, "2", "id", ignore_case=ignore_case)
        assert found is not None
        assert found.attributes["login"] == "bob"
        for other in ("02", "2 ", " 2", "2abc", "+2", "2.0", "2e0", "0x2", "two", "-2", "9" * 30, "٢", "1_0", "NaN"):
            assert _find(backend, other, "id", ignore_case=ignore_case) is None, other
    backend.close()


def test_case_is_ignored_by_the_rules_of_unicode(people: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(people.url), tmp_path)
    for typed, login in {
        "ALICE": "alice",
        "aLiCe": "alice",
        "DÖRTE": "dörte",
        "Do\u0308rte": "dörte",
        "upper": "UPPER",
        "O'BRIEN": "o'brien",
        "STAR*": "star*",
        "SMITH.John": "smith.john",
        "李雷": "李雷",
    }.items():
        assert _login(backend, typed, ignore_case=True) == login
    for typed in ("dorte", "doerte", "alicé", "ａlice", "ALICE%"):
        assert _login(backend, typed, ignore_case=True) is None
    backend.close()


def test_case_counts_where_it_is_not_ignored(people: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(people.url), tmp_path)
    assert _login(backend, "ALICE") is None
    assert _login(backend, "upper") is None
    assert _login(backend, "UPPER") == "UPPER"
    backend.close()


def test_an_exact_spelling_wins_over_one_in_another_case(database: PeopleDatabase, tmp_path: Path) -> None:
    database.run("INSERT INTO persons (id, login) VALUES (1000, 'Alice'), (1001, 'ALICE')")
    backend = opened(settings(database.url), tmp_path)
    assert _login(backend, "alice", ignore_case=True) == "alice"
    assert _login(backend, "Alice", ignore_case=True) == "Alice"
    with pytest.raises(AmbiguousEntry, match="3 rows have the login 'aLICE'"):
        _login(backend, "aLICE", ignore_case=True)
    backend.close()


def test_two_rows_with_one_name_are_ambiguous(database: PeopleDatabase, tmp_path: Path) -> None:
    _table(database, "login VARCHAR(50)", "'twin'", "'twin'", "'single'")
    backend = _names(database, tmp_path)
    with pytest.raises(AmbiguousEntry, match="2 rows have the login 'twin'"):
        _find(backend, "twin")
    assert _login(backend, "single") == "single"
    backend.close()


def test_a_column_that_is_no_name_is_ambiguous_and_not_read_to_its_end(
    database: PeopleDatabase, tmp_path: Path
) -> None:
    _table(database, "login VARCHAR(50)", *["'staff'"] * 150)
    backend = _names(database, tmp_path)
    with pytest.raises(AmbiguousEntry, match="more than 100 rows"):
        _find(backend, "staff")
    backend.close()


def test_where_restricts_who_is_found_and_listed(people: PeopleDatabase, tmp_path: Path) -> None:
    table = settings(people.url, where="login LIKE 'a%' OR login = 'bob' -- the rest is gone", **SIMPLE)
    backend = opened(table, tmp_path)
    assert _login(backend, "bob") == "bob"
    assert _login(backend, "carol") is None
    listed = sorted(str(row[1]) for batch in backend.users(soon()) for row in batch.rows)
    assert listed == ["ahmad", "alice", "bob"]
    backend.close()


def test_people_are_found_by_any_of_their_addresses(people: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(people.url), tmp_path)
    for address in ("alice@example.org", "a.archer@example.org"):
        found = _find(backend, address, "emails")
        assert found is not None
        assert found.attributes["emails"] == list(PEOPLE[0].emails)
    found = _find(backend, "UPPER.case@example.org", "emails", ignore_case=True)
    assert found is not None
    assert found.attributes["login"] == "UPPER"
    assert _find(backend, "nobody@example.org", "emails") is None
    backend.close()


def test_a_column_that_the_mapping_does_not_name_finds_nobody_but_says_so(
    people: PeopleDatabase, tmp_path: Path
) -> None:
    backend = opened(settings(people.url), tmp_path)
    with pytest.raises(BackendMisconfigured, match=r"names no column 'password'"):
        _find(backend, "x", "password")
    backend.close()


def test_names_of_tables_and_columns_are_quoted(database: PeopleDatabase, tmp_path: Path) -> None:
    strange = 'Wer da? 100%s: "o\'clock"'
    metadata = sa.MetaData()
    table = sa.Table(strange[:20], metadata, sa.Column(strange, sa.String(50)), sa.Column("select", sa.String(50)))
    with database.connected() as connection:
        metadata.create_all(connection)
        connection.execute(sa.insert(table), [{strange: "ann", "select": "Ann"}])
    mapping = {"username": {"from": strange.replace("{", ""), "ignore_case": True}, "full_name": "select"}
    backend = _names(database, tmp_path, table=strange[:20], map=mapping)
    for value in ("ann", "ANN"):
        found = _find(backend, value, strange, ignore_case=True)
        assert found is not None
        assert found.attributes == {strange: "ann", "select": "Ann"}
    assert [list(row) for batch in backend.users(soon()) for row in batch.rows] == [["ann", "Ann"]]
    backend.close()


def test_tables_of_another_schema_are_read(database: PeopleDatabase, tmp_path: Path) -> None:
    name = f"Other of {sa.make_url(database.url).database}" if "sqlite" not in database.url else "main"
    quote = "`" if "mysql" in database.url else '"'
    if name != "main":
        database.run(f"CREATE SCHEMA {quote}{name}{quote}")
    database.run(
        f"CREATE TABLE {quote}{name}{quote}.names (login VARCHAR(50) UNIQUE, number INTEGER)",
        f"INSERT INTO {quote}{name}{quote}.names VALUES ('Ann', 12)",
        f"CREATE TABLE {quote}{name}{quote}.mails (who INTEGER, address VARCHAR(50))",
        f"INSERT INTO {quote}{name}{quote}.mails VALUES (12, 'ann@example.org')",
    )
    side = {"schema": name, "table": "mails", "user_column": "who", "address_column": "address", "key_column": "number"}
    mapping = {"id": "number", "username": {"from": "login", "ignore_case": True}, "emails": "emails"}
    backend = _names(database, tmp_path, schema=name, map=mapping, email_table=side)
    found = _find(backend, "ANN", ignore_case=True)
    assert found is not None
    assert found.attributes == {"number": 12, "login": "Ann", "emails": ["ann@example.org"]}
    assert _find(backend, "12", "number") is not None
    assert [finding.level for finding in backend.check(soon())].count("error") == 0
    batch = next(backend.users(soon()))
    assert [list(row) for row in batch.rows] == [[12, "Ann", ["ann@example.org"]]]
    assert batch.unique == ({"login"} if name != "main" else frozenset())
    backend.close()
    if "mysql" in database.url:
        database.run(f"DROP SCHEMA `{name}`")


# -- what is one database's alone --------------------------------------------------------------------------------------


def test_sqlite_views_compare_numbers_with_texts(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    sqlite_database.run("CREATE VIEW names AS SELECT id + 100 AS login FROM persons")
    backend = _names(sqlite_database, tmp_path)
    assert _login(backend, "102") == 102
    for other in ("0102", "102 ", "102abc", "1e2", "100"):
        assert _login(backend, other) is None
    backend.close()


def test_sqlite_finds_padded_and_nocase_columns(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    _table(sqlite_database, "login TEXT COLLATE NOCASE", "'Ann'", "'bob'")
    backend = _names(sqlite_database, tmp_path)
    # The column itself knows no case, so that nobody else can be meant.
    assert _login(backend, "aNN") == "Ann"
    sqlite_database.run("INSERT INTO names VALUES ('ANN')")
    assert _login(backend, "Ann") == "Ann"
    with pytest.raises(AmbiguousEntry):
        _login(backend, "aNN")
    backend.close()


def test_postgresql_folds_case_in_any_locale(postgresql: PostgreSql, tmp_path: Path) -> None:
    name = "folding_c"
    with PeopleDatabase(postgresql.url).connected() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE 'C'"))
    database = PeopleDatabase(postgresql.url_of(name))
    _table(database, "login TEXT", "'Jörg.Ößel'", "'ann'", "'Ольга'")
    backend = _names(database, tmp_path)
    for typed, login in {"JÖRG.ÖSSEL": None, "jörg.ößel": "Jörg.Ößel", "ANN": "ann", "ОЛЬГА": "Ольга"}.items():
        assert _login(backend, typed, ignore_case=True) == login
    assert _login(backend, "jÖRG.öSSEL", ignore_case=True) is None
    backend.close()


@pytest.mark.parametrize(
    ("definition", "stored", "typed", "others"),
    [
        ("CHAR(10)", "'ann'", "ann", ("ann ", "ann       ", "an")),
        ("UUID", "'6f9619ff-8b86-d011-b42d-00cf4fc964ff'", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", ("x", "{6f9619ff}")),
        ("NUMERIC(12, 2)", "42.00", "42", ("42.000001", "4_2", "nan", "Infinity", "042")),
        ("BIGINT", "42", "42", ("99999999999999999999999", "4 2", "0x2a")),
        ("mood", "'happy'", "happy", ("sad", "HAPPY", "none")),
        ("DATE", "'2024-01-02'", "2024-01-02", ("today", "2024-1-2", "infinity", "now")),
        ("TEXT[]", "'{ann,annie}'", "ann", ("{ann,annie}", "an")),
    ],
)
def test_postgresql_compares_every_type_with_texts(
    postgresql_database: PeopleDatabase,
    tmp_path: Path,
    definition: str,
    stored: str,
    typed: str,
    others: tuple[str, ...],
) -> None:
    postgresql_database.run("CREATE TYPE mood AS ENUM ('happy', 'sad')")
    _table(postgresql_database, f"login {definition}", stored)
    backend = _names(postgresql_database, tmp_path)
    for ignore_case in (False, True):
        assert _find(backend, typed, ignore_case=ignore_case) is not None
    for other in others:
        assert _find(backend, other) is None, other
    backend.close()


def test_mariadb_collations_do_not_mix_people_up(mariadb_database: PeopleDatabase, tmp_path: Path) -> None:
    for number, collation in enumerate(
        ("utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_bin", "latin1_swedish_ci")
    ):
        charset = collation.partition("_")[0]
        mariadb_database.run(
            "DROP TABLE IF EXISTS names",
            f"CREATE TABLE names (login VARCHAR(50) CHARACTER SET {charset} COLLATE {collation})",
            "INSERT INTO names VALUES ('muller'), ('müller'), ('Ann'), ('12'), ('ossi')",
        )
        backend = _names(mariadb_database, tmp_path)
        assert _login(backend, "muller") == "muller", collation
        assert _login(backend, "müller") == "müller", collation
        assert _login(backend, "MÜLLER", ignore_case=True) == "müller", collation
        assert _login(backend, "aNN", ignore_case=True) == "Ann", collation
        # One letter that folds to two is the same name to Unicode, and to us.
        assert _login(backend, "oßi", ignore_case=True) == (None if "general" in collation else "ossi")
        for other in ("mûller", "ann ", "Ann ", "12abc", "012", "12.0", "össi", "Ольга", "李雷", "😀"):
            assert _login(backend, other) is None, (collation, other)
            assert _login(backend, other, ignore_case=True) is None, (collation, other)
        # Case-insensitive by its own definition, so that nobody else can be meant.
        assert _login(backend, "ANN") == ("Ann" if number != 2 else None)
        backend.close()


def test_mariadb_number_columns_do_not_match_the_start_of_a_text(
    mariadb_database: PeopleDatabase, tmp_path: Path
) -> None:
    _table(mariadb_database, "login INT", "0", "12")
    backend = _names(mariadb_database, tmp_path)
    assert _login(backend, "12") == 12
    assert _login(backend, "0") == 0
    for other in ("12abc", "abc", "", "0abc", "1.2e1", " 12", "12 ", "null"):
        assert _login(backend, other) is None
    backend.close()


def test_mariadb_byte_columns_are_names_too(mariadb: MariaDb, mariadb_database: PeopleDatabase, tmp_path: Path) -> None:
    _table(mariadb_database, "login VARBINARY(50)", "'ann'")
    backend = _names(mariadb_database, tmp_path)
    assert _login(backend, "ann") == b"ann"
    assert _login(backend, "anné") is None
    backend.close()


def test_a_found_person_logs_in(people: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(people.url), tmp_path)
    for person in PEOPLE:
        entry = _find(backend, person.uid)
        assert entry is not None
        assert entry.attributes["emails"] == list(person.emails)
        assert backend.verify(entry, person.password, soon()) is Verdict.ACCEPTED
        assert "SSHA256" not in repr(entry)
        assert "SSHA256" not in repr(entry.handle)
    backend.close()
