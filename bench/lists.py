"""Whole lists: everybody from SQLite, CSV and LDAP to the client's disk, against the floor of each."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import orjson

from bench import people
from bench.measured import Measured, interleaved
from bench.serving import fetch_list, integration_server
from tests.servers.slapd import Slapd


def _floor(kind: str, source: Path, output: Path) -> float:
    arguments = [sys.executable, "-m", "bench.floors", kind, str(source), str(output)]
    return float(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


def _users(path: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    return sorted((u["userName"], u["fullName"], tuple(u["emailAddresses"])) for u in orjson.loads(path.read_bytes()))


def _check_equal(folder: Path, count: int) -> None:
    """Time is compared only where the content is the same."""
    ours, floor = _users(folder / "ours.json"), _users(folder / "floor.json")
    if len(ours) != count or ours != floor:
        raise SystemExit(f"the contents differ: {len(ours)} users of ours, {len(floor)} of the floor, {count} expected")


def sqlite(folder: Path, count: int, rounds: int) -> list[Measured]:
    """SQLite to the client, and the server's peak memory; then with the aliases that every third person has."""
    source = folder / "people.db"
    if not source.exists():
        people.write_sqlite(source, count)
    plain, peak = _from_sqlite(folder, count, rounds, source, "sqlite", '"email"')
    aliases, _ = _from_sqlite(folder, count, rounds, source, "sqlite-aliases", '["email", "alias"]')
    note = "raw sqlite3 rows, orjson, file"
    return [
        Measured(f"list, {count:,} users from SQLite", *plain, "s", 2.0, note),
        Measured("the same, a third with an alias", *aliases, "s", 2.0, note),
        Measured(f"peak memory of the server, {count:,} users", peak, 0, "MB", 150, is_ratio=False),
    ]


def _from_sqlite(
    folder: Path, count: int, rounds: int, source: Path, floor_kind: str, emails: str
) -> tuple[tuple[float, float], float]:
    backend = (
        f'type = "sql"\nurl = "sqlite:///{source}"\ntable = "people"\npassword_column = "password"\n'
        f'[backends.people.map]\nid = "id"\nusername = "username"\nfull_name = "full_name"\nemails = {emails}'
    )
    with integration_server(folder, backend) as server:
        seconds = interleaved(
            rounds,
            lambda: fetch_list(server.port, folder / "ours.json"),
            lambda: _floor(floor_kind, source, folder / "floor.json"),
        )
        _check_equal(folder, count)
        return seconds, server.peak_mb()


def csv_file(folder: Path, count: int, rounds: int) -> list[Measured]:
    """CSV to the client."""
    source = folder / "people.csv"
    people.write_csv(source, count)
    time.sleep(2.5)  # a file this young may still be in the writing
    backend = f'type = "csv"\npath = "{source}"\npassword_column = "password"\n'
    backend += (
        '[backends.people.map]\nid = "id"\nusername = "username"\nfull_name = "full_name"\nemails = ["email", "alias"]'
    )
    with integration_server(folder, backend) as server:
        ours, floor = interleaved(
            rounds,
            lambda: fetch_list(server.port, folder / "ours.json"),
            lambda: _floor("csv", source, folder / "floor.json"),
        )
        _check_equal(folder, count)
    return [Measured(f"list, {count:,} users from CSV", ours, floor, "s", 2.5, "csv.reader rows, orjson, file")]


def ldap(folder: Path, count: int, rounds: int) -> list[Measured]:
    """slapd to the client, against ldapsearch: both paged by 1,000, the same attributes, to a file."""
    (folder / "slapd").mkdir()
    slapd = Slapd(folder / "slapd")
    slapd.start()
    try:
        slapd.load(count)
        base = f"ou=crowd,{slapd.base}"
        backend = (
            f'type = "ldap"\nservers = ["{slapd.uri}"]\nbind_dn = "{slapd.admin_dn}"\n'
            f'bind_password = "{slapd.admin_password}"\nbases = ["{base}"]\n'
            'ldap_filter = "(objectClass=inetOrgPerson)"\n'
            '[backends.people.map]\nid = "entryUUID"\nusername = "uid"\nfull_name = "cn"\nemails = "mail"\n'
        )
        search = ["ldapsearch", "-LLL", "-x", "-H", slapd.uri, "-D", slapd.admin_dn, "-w", slapd.admin_password]
        search += ["-E", "pr=1000/noprompt", "-b", base, "(objectClass=inetOrgPerson)"]
        search += ["entryUUID", "uid", "cn", "mail"]
        with integration_server(folder, backend) as server:
            ours, floor = interleaved(
                rounds,
                lambda: fetch_list(server.port, folder / "ours.json"),
                lambda: _search(search, folder / "floor.ldif"),
            )
    finally:
        slapd.destroy()
    listed = len(orjson.loads((folder / "ours.json").read_bytes()))
    found = (folder / "floor.ldif").read_bytes().count(b"\nuid: ")
    if not listed == found == count:
        raise SystemExit(f"the contents differ: {listed} users of ours, {found} of ldapsearch, {count} expected")
    return [Measured(f"list, {count:,} users from slapd", ours, floor, "s", 2.0, "ldapsearch, paged, to a file")]


def _search(arguments: list[str], output: Path) -> float:
    began = time.perf_counter()
    with output.open("wb") as file:
        subprocess.run(arguments, check=True, stdout=file)
    return time.perf_counter() - began
