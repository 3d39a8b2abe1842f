"""``ips export`` and ``ips import``: accounts move whole, or not at all."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import Account, NewPerson
from tests.builtin.ips_connect.command_place import CONFIG, Place
from tests.cli.conftest import in_terminal
from tests.servers import MariaDb
from tests.servers.server import program
from tests.tcp_proxy import CutAfter, TcpProxy

SALT = "leEvXu77OIwPwNvtZIJval"
HASH = "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2"
HEADER = "id,name,email,pass_hash,pass_salt"


def row(id: int, name: str, email: str | None = None, pass_hash: str = HASH, pass_salt: str = SALT) -> str:
    return f"{id},{name},{email or f'{name}@example.org'},{pass_hash},{pass_salt}"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "a place")
    made.path.mkdir()
    made.write(CONFIG)
    return made


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write("people.csv", "1,...", "2,...")``: a file with a header."""

    def call(name: str, *rows: str, header: str = HEADER) -> Path:
        path = tmp_path / name
        path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        return path

    return call


def untimed(people: Sequence[Account]) -> list[Account]:
    return [replace(one, created_at=0.0, changed_at=0.0) for one in people]


# -- away and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["people.csv", "people.jsonl"])
def test_what_was_exported_is_imported_elsewhere_as_it_was(place: Place, tmp_path: Path, name: str) -> None:
    with place.accounts() as accounts:
        accounts.adopt_all(
            Account(
                number + 1, f'Ann "{number}", Ü', f"{number}@x", None, f"hash {number}", "salt", False, "", 0.0, 0.0
            )
            for number in range(2500)
        )
        accounts.register(NewPerson("Bob", "bob@x", HASH, SALT, "https://a.example/confirm", "Bob\nSmith"))
        accounts.set_ban(7, True)
        accounts.delete(9)
    file = tmp_path / name
    result = place.run("export", file)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "2500 accounts of forum\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = place.everybody()
    place.write(CONFIG + '[backends.other]\ntype = "ips_connect"\n')
    assert place.run("import", file).exit_code == 2, "which backend?"
    assert place.run("import", file, "--backend", "forum").stdout == "imported: 0 new, 0 changed, 2500 as they were\n"
    assert place.json("import", file, "--backend", "other")["added"] == 2500
    assert untimed(place.everybody("other")) == untimed(before)
    with place.accounts("other") as accounts:
        assert accounts.register(NewPerson("Cid", "cid@x", HASH, SALT)).account.id == 2502


def test_standard_output_and_input_are_files_too(place: Place) -> None:
    with place.accounts() as accounts:
        accounts.register(NewPerson("Jörg", "joerg@x", HASH, SALT))
    assert place.run("export", "-").stdout.splitlines() == [
        "id,name,email,pass_hash,pass_salt,full_name,is_banned,revalidate_url",
        f"1,Jörg,joerg@x,{HASH},{SALT},,false,",
    ]
    lines = place.run("export", "-", "--format", "jsonl").stdout
    assert json.loads(lines)["pass_hash"] == HASH
    assert place.run("import", "-", "--format", "jsonl", input=lines).exit_code == 0
    assert place.run("import", "-", input=f"{HEADER}\n{row(2, 'Ann')}\n").exit_code == 0
    assert [one.name for one in place.everybody()] == ["Jörg", "Ann"]


def test_hashes_are_not_shown_on_a_terminal_unasked(place: Place) -> None:
    with place.accounts() as accounts:
        accounts.register(NewPerson("Ann", "ann@x", HASH, SALT))
    code, shown = in_terminal([], "ips", "export", "-", "-c", place.config)
    assert code == 2
    assert "--yes" in shown
    assert HASH not in shown
    code, shown = in_terminal([], "ips", "export", "-", "-c", place.config, "--yes")
    assert code == 0
    assert HASH in shown


def test_an_export_writes_over_nothing_and_leaves_no_half_behind(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("mine")
    result = place.run("export", file)
    assert result.exit_code == 3
    assert "exists already" in result.stderr
    assert file.read_text() == "mine"
    file.unlink()
    place.write(CONFIG.replace("forum", "FORUM"))
    assert place.run("export", file).exit_code == 3
    place.write(CONFIG + '[store]\nurl = "postgresql+psycopg://nobody@127.0.0.1:1/none"\n')
    assert place.run("export", file).exit_code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a place"]
    assert place.run("export", tmp_path / "people.xml").exit_code == 2


# -- what an import does ---------------------------------------------------------------------------------------------


def test_imported_people_log_in_with_their_passwords(place: Place, write: Callable[..., Path]) -> None:
    legacy = "f838bbffaae3e444cdf5a27a6a12a347,abcde"
    file = write("people.csv", row(5, "Ann"), f"8,Bob,bob@example.org,{legacy}")
    assert place.run("import", file).exit_code == 0
    for one in place.everybody():
        assert passwords.verify("password", one.pass_hash, one.pass_salt)


def test_a_second_import_brings_what_changed_meanwhile(place: Place, write: Callable[..., Path]) -> None:
    file = write("people.csv", row(1, "Ann"), row(2, "Bob"))
    place.run("import", file)
    file = write("people.csv", row(1, "Ann"), row(2, "Robert"), row(3, "Bob"))
    result = place.run("import", file)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: line 3 (id 2): id: is here already, with another name, email",
        "error: line 4 (id 3): name: 'Bob' is account 2's",
        "error: nothing was imported",
    ]
    assert place.run("import", file, "--update", "--dry-run").stdout == (
        "would be imported: 1 new, 1 changed, 1 as they were\n"
    )
    assert [one.name for one in place.everybody()] == ["Ann", "Bob"]
    assert place.run("import", file, "--update").stdout == "imported: 1 new, 1 changed, 1 as they were\n"
    assert [one.name for one in place.everybody()] == ["Ann", "Robert", "Bob"]


def test_what_a_person_should_know_is_said(place: Place, write: Callable[..., Path]) -> None:
    header = "member_id,name,email,members_pass_hash,members_pass_salt,temp_ban,joined"
    rows = [row(1, "Ann") + ",-1,5", row(2, "Bob", pass_hash="NULL") + ",99999999999,5", "3,,x@x,h,s,0,5"]
    file = write("people.csv", *rows, row(4, "Dan", pass_hash="odd") + ",0,5", header=header)
    refused = place.run("import", file)
    assert refused.exit_code == 1
    assert refused.stderr == "error: line 4 (id 3, ''): name: is empty\nerror: nothing was imported\n"
    result = place.run("import", file, "--skip-empty")
    assert result.stdout == "imported: 3 new, 0 changed, 0 as they were\n"
    assert result.stderr.splitlines() == [
        "columns that mean nothing here: 'joined'",
        "1 account without a name or an address, left out",
        "1 account without hash or salt: they cannot log in before they get a password",
        "1 account with a hash that no password leads to: they cannot log in before they get another",
        "1 account banned for a time only, which is not kept: they are not banned here",
    ]
    assert [one.is_banned for one in place.everybody()] == [True, False, False]
    assert place.json("import", file, "--skip-empty") == {
        "added": 0, "updated": 0, "unchanged": 3, "without_password": 1, "strange_password": 1,
        "temporary_ban": 1, "left_out": 1, "is_dry_run": False,
    }  # fmt: skip


def test_the_slaves_are_told_only_where_that_is_asked_for(place: Place, write: Callable[..., Path]) -> None:
    place.run("import", write("people.csv", row(1, "Ann")))
    with place.store() as store:
        assert store.journal.last_serial() == 0
    place.run("import", write("people.csv", row(1, "Ann"), row(2, "Bob")), "--tell")
    with place.store() as store:
        (event,) = store.journal.events(0, 10)
    assert (event.type, event.person_id) == ("ips_connect.register", "2")
    assert "hash" not in str(event.after)


# -- what it refuses -------------------------------------------------------------------------------------------------


def test_people_who_share_what_they_must_not_are_named_both(place: Place, write: Callable[..., Path]) -> None:
    rows = [row(1, "Ann"), row(2, "ANN", "b@x"), row(3, "Cid", "Ann@Example.ORG"), row(1, "Dan")]
    result = place.run("import", write("people.csv", *rows))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: line 5 (id 1, 'Dan'): id: 1 is also that of line 2 (id 1, 'Ann')",
        "error: line 3 (id 2, 'ANN'): name: 'ANN' is also that of line 2 (id 1, 'Ann')",
        "error: line 4 (id 3, 'Cid'): email: 'Ann@Example.ORG' is also that of line 2 (id 1, 'Ann')",
        "error: nothing was imported",
    ]
    assert place.everybody() == []


def test_all_that_is_wrong_is_told_up_to_twenty_and_hashes_never(place: Place, write: Callable[..., Path]) -> None:
    rows = [f"x{number},Ann {number},a@x,secret-hash,secret-salt" for number in range(30)]
    result = place.run("import", write("people.csv", *rows, "1,Ann,a@x"))
    lines = result.stderr.splitlines()
    assert lines[0] == "error: line 2 (id 'x0', 'Ann 0'): id: is no number"
    assert lines[20:] == [
        "error: line 32: has 3 cells, and the header 5",
        "error: ... and 10 more",
        "error: nothing was imported",
    ]
    assert "secret" not in result.stderr
    clashing = place.run("import", write("people.csv", *(row(number, "Ann") for number in range(1, 50))))
    assert clashing.exit_code == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("nowhere.csv",), 2),
        (("-", "--database", "mysql://x/y"), 2),
        (("-", "--password-stdin"), 2),
        (("--database", "no url at all"), 3),
        (("--database", "nonsense://x/y"), 3),
        (("--database", "mysql://root:secret@127.0.0.1:1/forum"), 4),
        (("-", "--backend", "nobody"), 2),
        (("-",), 1),
    ],
)
def test_what_was_typed_wrongly_has_its_own_exit_code(place: Place, words: tuple[str, ...], code: int) -> None:
    result = place.run("import", *words, input="")
    assert result.exit_code == code, result.stderr
    assert "secret" not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_configuration_without_accounts_is_said(place: Place) -> None:
    place.write('[backends.hq]\ntype = "csv"\npath = "x.csv"\n')
    result = place.run("export", "-")
    assert (result.exit_code, result.stderr) == (
        3,
        "error: the configuration has no backend of type ips_connect\n",
    )


# -- the table of an IPS site ----------------------------------------------------------------------------------------

CORE_MEMBERS = """
CREATE TABLE {table} (
  member_id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  name varchar(255) NOT NULL DEFAULT '',
  member_group_id smallint(3) NOT NULL DEFAULT 0,
  email varchar(150) NOT NULL DEFAULT '',
  joined int(10) NOT NULL DEFAULT 0,
  ip_address varchar(46) NOT NULL DEFAULT '',
  temp_ban int(10) DEFAULT 0,
  members_pass_hash varchar(255) DEFAULT NULL,
  members_pass_salt varchar(22) DEFAULT NULL,
  PRIMARY KEY (member_id), KEY name (name(191))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci
"""


@pytest.fixture
def site(mariadb: MariaDb) -> str:
    """The URL of a site's database with 1500 members: every third banned, the second without a password."""
    url = mariadb.create_database()
    members = [
        {
            "id": number,
            "name": f"Mémber ❤ {number}",
            "email": f"Member{number}@example.org",
            "ban": -1 if number % 3 == 0 else 0,
            "hash": None if number == 2 else HASH,
            "salt": None if number == 2 else SALT,
        }
        for number in range(1, 1501)
    ]
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for table in ("core_members", "ibf_core_members"):
            connection.exec_driver_sql(CORE_MEMBERS.format(table=table))
        into = "INSERT INTO {} (member_id, name, email, temp_ban, members_pass_hash, members_pass_salt)"
        values = " VALUES (:id, :name, :email, :ban, :hash, :salt)"
        connection.execute(sa.text(into.format("core_members") + values), members)
        connection.execute(sa.text(into.format("ibf_core_members") + values), members[:2])
    engine.dispose()
    return url


def test_members_of_a_site_are_taken_out_of_its_database(place: Place, site: str) -> None:
    plain = site.replace("mysql+pymysql", "mysql")
    assert place.json("import", "--database", plain) == {
        "added": 1500, "updated": 0, "unchanged": 0, "without_password": 1, "strange_password": 0,
        "temporary_ban": 0, "left_out": 0, "is_dry_run": False,
    }  # fmt: skip
    first, second, third, *_ = found = place.everybody()
    assert len(found) == 1500
    values = {"id": 1, "name": "Mémber ❤ 1", "email": "Member1@example.org", "is_banned": False, "pass_hash": HASH}
    assert values.items() <= asdict(first).items()
    assert passwords.verify("password", first.pass_hash, first.pass_salt)
    assert second.pass_hash != HASH
    assert third.is_banned
    assert place.json("import", "--database", plain)["unchanged"] == 1500


def test_prefix_and_password_of_a_site_can_be_said(place: Place, site: str) -> None:
    url = sa.make_url(site).set(password=None).render_as_string()
    result = place.run("import", "--database", url, "--prefix", "ibf_", "--password-stdin", input="a-secret\n")
    assert (result.exit_code, result.stdout) == (0, "imported: 2 new, 0 changed, 0 as they were\n")
    wrong = place.run("import", "--database", url, "--password-stdin", input="another\n")
    assert wrong.exit_code == 4
    assert "cannot be read" in wrong.stderr
    assert "another" not in wrong.stderr
    missing = place.run("import", "--database", site, "--table", "members")
    assert missing.exit_code == 3
    assert "has no table 'members'; say --table or --prefix" in missing.stderr
    assert MariaDb.password not in missing.stderr


def test_a_database_that_breaks_off_is_an_outage_and_nothing_is_imported(
    place: Place, site: str, tcp_proxy: Callable[[int], TcpProxy]
) -> None:
    url = sa.make_url(site)
    assert url.port is not None
    proxy = tcp_proxy(url.port)
    through = url.set(port=proxy.port).render_as_string(hide_password=False)
    proxy.fault = CutAfter(60_000)
    result = place.run("import", "--database", through)
    assert result.exit_code == 4, result.stderr
    assert place.everybody() == []


def test_members_without_a_name_are_named_by_their_id(place: Place, site: str) -> None:
    engine = sa.create_engine(site)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE core_members SET name = '' WHERE member_id = 77")
        connection.exec_driver_sql("UPDATE core_members SET name = 'mémber ❤ 5' WHERE member_id = 78")
    result = place.run("import", "--database", site)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[:1] == ["error: core_members (id 77, ''): name: is empty"]
    result = place.run("import", "--database", site, "--skip-empty")
    assert result.stderr.splitlines() == [
        "error: core_members (id 78, 'mémber ❤ 5'): name: 'mémber ❤ 5' is also that of"
        " core_members (id 5, 'Mémber ❤ 5')",
        "error: nothing was imported",
    ]
    engine.dispose()


def test_a_table_whose_ids_are_not_unique_is_not_read_by_halves(place: Place, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'site.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE core_members (id, name, email, pass_hash, pass_salt)")
        rows = [(min(number, 1000), f"n{number}", f"{number}@x", HASH, SALT) for number in range(1, 1003)]
        connection.exec_driver_sql("INSERT INTO core_members VALUES (?, ?, ?, ?, ?)", rows)
    engine.dispose()
    result = place.run("import", "--database", url)
    assert result.exit_code == 3
    assert "not everybody was read" in result.stderr
    assert place.everybody() == []


def test_what_mysqls_client_and_its_outfile_write_is_understood(place: Place, site: str, mariadb: MariaDb) -> None:
    columns = "member_id, name, email, members_pass_hash, members_pass_salt, temp_ban"
    file = mariadb.directory / "data" / f"{sa.make_url(site).database}.txt"
    engine = sa.create_engine(site)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE core_members SET name = 'a\\\\b\\t\\n\"c' WHERE member_id = 3")
        names = ", ".join(f"'{name}'" for name in columns.split(", "))
        connection.exec_driver_sql(
            f"SELECT {names} UNION ALL SELECT {columns} FROM core_members INTO OUTFILE '{file}' CHARACTER SET utf8mb4"
        )
    engine.dispose()
    client = [program("mysql", package="mariadb-client"), "--batch", "--protocol=tcp", "--host=127.0.0.1"]
    client += [f"--port={mariadb.port}", f"--user={MariaDb.user}", f"--password={MariaDb.password}"]
    client += ["--default-character-set=utf8mb4", "-e", f"SELECT {columns} FROM core_members"]
    printed = subprocess.run([*client, file.stem], capture_output=True, check=True).stdout
    # A tab or an end of a line within a value has a backslash before it there; the client writes letters instead.
    for written in (file.read_bytes(), printed):
        found = place.json("import", "-", "--format", "csv", input=written)
        assert found["added"] + found["unchanged"] == 1500
        assert place.everybody()[2].name == 'a\\b\t\n"c'
    assert place.json("import", "--database", site)["unchanged"] == 1500
