"""Commands as an administrator types them on Windows: exit codes, paths, code pages, the service's file, backups."""

from __future__ import annotations

import zipfile
from pathlib import PureWindowsPath
from xml.etree import ElementTree

from tests.windows.conftest import PASSWORD, Place
from tests.windows.machine import CODE_PAGE, PROGRAM, Machine


def test_everything_that_is_written_in_c_or_rust_loads(machine: Machine) -> None:
    names = [
        "orjson",
        "pydantic_core",
        "bcrypt",
        "argon2",
        "sqlalchemy",
        "websockets",
        "psycopg",
        "pymysql",
        "win32api",
    ]
    done = machine.python(f"import sys, {', '.join(names)}; print(sys.platform)")
    assert (done.code, done.out) == (0, b"win32\r\n"), done.text


def test_check_finds_nothing_wrong_with_what_init_wrote(place: Place) -> None:
    done = place.machine.server("check", place.folder, "--list")
    assert done.code == 0, done.text
    assert f"{place.folder}\\people.csv: 2 people" in done.text


def test_check_tells_wrong_configurations_from_directories_that_are_down(place: Place) -> None:
    extra = place.ours / "50-extra.toml"
    extra.write_text('[log]\nformat = "xml"\n', encoding="utf-8")
    wrong = place.machine.server("check", place.folder)
    ldap = '[backends.ldap]\ntype = "ldap"\nservers = ["ldap://127.0.0.1:9"]\nbases = ["dc=example,dc=org"]\n'
    extra.write_text(f'{ldap}[backends.ldap.map]\nusername = "uid"\n', encoding="utf-8")
    down = place.machine.server("check", place.folder)
    extra.unlink()
    assert (wrong.code, down.code) == (3, 4), wrong.text + down.text


def test_auth_is_asked_with_a_password_from_a_pipe(place: Place) -> None:
    good = place.machine.server("auth", "ada", place.folder, "--password-stdin", given=PASSWORD.encode(CODE_PAGE))
    bad = place.machine.server("auth", "ada", place.folder, "--password-stdin", given=b"wrong\r\n")
    assert (good.code, bad.code) == (0, 1), good.text + bad.text


def test_names_outside_the_code_page_end_no_command(place: Place) -> None:
    done = place.machine.server("users", place.folder)
    assert done.code == 0, done.text
    assert "?ukasz ?mega ?" in done.out.decode(CODE_PAGE)
    machines = place.machine.server("users", place.folder, "--json")
    assert "Łukasz Ωmega 张" in {person["full_name"] for person in machines.json()}


def test_reader_who_has_enough_is_no_fault(place: Place) -> None:
    lines = [
        "import subprocess, sys; pipe = subprocess.PIPE",
        "with subprocess.Popen(sys.argv[1:], stdin=pipe, stdout=pipe, stderr=pipe) as shown:",
        "    shown.stdout.close(); print(shown.stderr.read()); print(shown.wait())",
    ]
    done = place.machine.python("\n".join(lines), PROGRAM, "users", place.folder)
    assert done.out.split() == [b"b''", b"1"], done.text


def test_windows_paths_stand_in_literal_strings(place: Place) -> None:
    elsewhere = PureWindowsPath("C:/some data/people of ours.csv")
    place.machine.ours(elsewhere).parent.mkdir(exist_ok=True)
    place.machine.ours(elsewhere).write_bytes(b"username,full_name,email\r\neve,Eve,eve@example.org\r\n")
    database = PureWindowsPath("C:/some data/customers.db")
    script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('create table person (id, login, name)')"
    made = place.machine.python(f"{script}; c.execute('insert into person values (1, 2, 3)'); c.commit()", database)
    assert made.code == 0, made.text
    (place.ours / "50-extra.toml").write_text(
        f"[backends.csv]\ntype = 'csv'\npath = '{elsewhere}'\n"
        "[backends.csv.map]\nusername = 'username'\nfull_name = 'full_name'\nemails = 'email'\n"
        f"[backends.sql]\ntype = 'sql'\nurl = 'sqlite:///{database}'\ntable = 'person'\n"
        "[backends.sql.map]\nid = 'id'\nusername = 'login'\nfull_name = 'name'\n",
        encoding="utf-8",
    )
    done = place.machine.server("check", place.folder)
    (place.ours / "50-extra.toml").unlink()
    assert "\\" in str(elsewhere)
    assert f"{elsewhere}: 1 people" in done.text
    assert "[backends.sql]" in done.text
    assert done.code == 0, done.text


def test_service_file_names_what_is_there(place: Place) -> None:
    done = place.machine.server("service", "install", place.folder, "--print")
    assert done.code == 0, done.text
    service = ElementTree.fromstring(done.out)
    program = service.findtext("executable")
    assert program is not None
    assert program.lower().endswith(str(PROGRAM.relative_to("C:/")).lower())
    assert service.findtext("arguments") == f'serve "{place.folder}"'
    assert service.findtext("workingdirectory") == f"{place.folder}\\data"


def test_service_file_is_written_where_it_is_asked_for(place: Place) -> None:
    target = place.folder / "win sw" / "integration-server-service.xml"
    done = place.machine.server("service", "install", place.folder, "--to", target)
    assert done.code == 0, done.text
    assert "integration-server-service.exe install" in done.text
    assert place.machine.ours(target).is_file()


def test_backup_and_restore(place: Place) -> None:
    target, restored = place.folder.parent / "backup of ours.zip", place.folder.parent / "as it was"
    assert place.machine.server("db", "upgrade", place.folder).code == 0
    written = place.machine.server("backup", target, "--config", place.folder)
    assert written.code == 0, written.text
    with zipfile.ZipFile(place.machine.ours(target)) as archive:
        assert {"data/store.db", "data/secret.key", "config/10-server.toml"} <= set(archive.namelist())
    back = place.machine.server("restore", target, restored)
    assert back.code == 0, back.text
    checked = place.machine.server("db", "check", restored)
    assert checked.code == 0, checked.text
    assert f"sqlite:///{restored}\\data\\store.db" in checked.text
    again = place.machine.server("restore", target, restored)
    assert again.code == 3, again.text


def test_file_that_somebody_reads_for_a_moment_is_replaced(place: Place) -> None:
    """Windows refuses that while it is open; our own readers, and programs against viruses, are soon done."""
    lines = [
        "import pathlib, sys, threading, os",
        "from integration_server.directory.spool import put_in_place",
        "folder = pathlib.Path(sys.argv[1]); old, new = folder / 'old', folder / 'new'",
        "old.write_text('old'); new.write_text('new'); reader = open(old)",
        "try: os.replace(new, old); print('no such rule')",
        "except PermissionError: print('refused')",
        "threading.Timer(0.2, reader.close).start()",
        "put_in_place(new, old); print(old.read_text())",
    ]
    done = place.machine.python("\n".join(lines), place.folder)
    assert done.out.split() == [b"refused", b"new"], done.text
