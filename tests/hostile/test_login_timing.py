"""Who listens to the clock does not learn who is there: a wrong password costs as much for people as for nobody.

What is measured is processor time, which other programs do not take part in. All kinds of login take turns, so that
whatever happens meanwhile happens to all.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest

from integration_server.server.installation import open_installation
from tests.web.sites import Site

#: A check takes some milliseconds, and everything else about a login less than one.
_ROUNDS = 7
_TURNS = 15
#: A stranger who is answered without a check would cost a tenth of the others.
_MOST_APART = 1.4

_CSV = 'type = "csv"\npath = "../people.csv"\nquiet_seconds = 0.0\npassword_column = "password"\n'
_SQL = 'type = "sql"\nurl = "sqlite:///../people.db"\ntable = "people"\npassword_column = "password"\n'
_MAP = 'map.username = "username"\nmap.is_disabled = "off"\n'
_FRONTEND = '[frontends.archive]\ntype = "mailstore"\npath = "/mailstore"\nbackends = ["hq"]\nallow_anonymous = true\n'


def _write_people(folder: Path) -> None:
    stored = bcrypt.hashpw(b"right", bcrypt.gensalt(_ROUNDS)).decode("ascii")
    rows = [(f"person{number}", stored, number % 2) for number in range(20)]
    # Every second one is disabled.
    lines = [f"{name},{password},{off}" for name, password, off in rows]
    (folder / "people.csv").write_text("\n".join(["username,password,off", *lines, ""]), encoding="utf-8")
    with sqlite3.connect(folder / "people.db") as connection:
        connection.execute("CREATE TABLE people (username TEXT PRIMARY KEY, password TEXT, off INTEGER)")
        connection.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    connection.close()


@pytest.fixture(params=[_CSV, _SQL], ids=["csv", "sql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    _write_people(tmp_path)
    config = tmp_path / "config.d"
    config.mkdir()
    core = '[server]\ndata_dir = "../data"\n[throttle]\nfree_failures = 1000000\n'
    text = f"{core}[backends.hq]\n{request.param}{_MAP}{_FRONTEND}"
    (config / "all.toml").write_text(text, encoding="utf-8")
    installation = open_installation(config)
    yield Site(installation, authorization=None)
    installation.close()


def _cost(login: Callable[[], object]) -> float:
    began = time.process_time()
    login()
    return time.process_time() - began


def test_wrong_password_costs_as_much_for_nobody_as_for_somebody(site: Site) -> None:
    assert site.accepts("person2", "right")
    costs: dict[str, list[float]] = {"person4": [], "person5": [], "nobody": []}
    for _ in range(_TURNS):
        for name, found in costs.items():
            found.append(_cost(lambda name=name: site.accepts(name, "wrong")))  # type: ignore[misc]
    typical = {name: statistics.median(found) for name, found in costs.items()}
    assert max(typical.values()) < _MOST_APART * min(typical.values()), typical
