"""What the bench holds rivals to before it takes time, and how its driver reads answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from bench.rivals import driver, lists, sources
from bench.rivals.driver import Http

COUNT = 120


@pytest.fixture
def source(tmp_path: Path) -> sources.Source:
    return sources.sqlite(tmp_path, COUNT)


@pytest.fixture
def http() -> Iterator[Http]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asking = Http(listener.getsockname()[1], "/x", lambda user, password: f"{user}={password}", b"yes")
        with asking.socket:
            yield asking


def _answers(folder: Path, users: list[dict[str, object]]) -> lists.Takes:
    def take() -> float:
        (folder / "ours.list").write_bytes(orjson.dumps(users))
        return 1.0

    return {"ours": take}


def _users() -> list[dict[str, object]]:
    return [{"userName": n, "fullName": f, "emailAddresses": e} for n, f, e in sources.expected(COUNT)]


def test_same_people_in_another_order_are_the_same_list(source: sources.Source, tmp_path: Path) -> None:
    assert len(lists.check_equal(tmp_path, source, _answers(tmp_path, _users()[::-1]))) == COUNT - 3


@pytest.mark.parametrize("fault", ["lacks one", "a disabled one more", "another name", "no alias"])
def test_list_with_other_content_ends_the_bench(source: sources.Source, tmp_path: Path, fault: str) -> None:
    users = _users()
    if fault == "lacks one":
        users.pop()
    elif fault == "a disabled one more":
        users.append({"userName": "user7", "fullName": "Noël Lovelace 7", "emailAddresses": ["user7@example.org"]})
    elif fault == "another name":
        users[5]["fullName"] = "?"
    else:
        users[0]["emailAddresses"] = ["user0@example.org"]
    with pytest.raises(SystemExit, match="SQLite: ours lists"):
        lists.check_equal(tmp_path, source, _answers(tmp_path, users))


def test_floor_of_the_rivals_table_is_the_same_list(source: sources.Source, tmp_path: Path) -> None:
    takes: lists.Takes = {"floor": lambda: lists.floor(source, tmp_path / "floor.list")}
    assert lists.check_equal(tmp_path, source, takes) == sources.expected(COUNT)


def test_ldif_with_names_in_base64_is_read() -> None:
    ldif = "dn: uid=a,o=x\nuid: a\ncn:: WsOvYQ==\nmail: a@x\nmail: b@x\n\n# pagedresults: cookie=\n\n"
    assert list(lists.parse_ldif(ldif.encode())) == [("a", "Zïa", ("a@x", "b@x"))]


def test_answer_is_read_to_its_end(http: Http) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
    assert [http.verdict(whole[:cut]) for cut in (10, 40, len(whole) - 1, len(whole))] == [None, None, None, True]
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n"
    assert [http.verdict(chunked[:-5]), http.verdict(chunked)] == [None, True]


def test_refusal_is_no_outage_and_an_outage_is_no_refusal(http: Http) -> None:
    assert http.verdict(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno") is False
    assert http.verdict(b"HTTP/1.1 400 BAD REQUEST\r\nContent-Length: 3\r\n\r\nyes") is False
    with pytest.raises(SystemExit, match="503"):
        http.verdict(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")


def test_right_password_that_is_refused_ends_the_run(http: Http) -> None:
    here, there = socket.socketpair()
    http.socket.close()
    http.socket = here
    there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
    with there, pytest.raises(SystemExit, match="refused"):
        driver.rate(lambda: http, sources.numbers(COUNT), 1, 1)
