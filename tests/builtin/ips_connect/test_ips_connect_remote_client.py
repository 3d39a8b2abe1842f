"""Calls to a master: as slaves in the field make them, and what becomes of every answer that is none."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    Deadline,
    HttpClient,
    UnwritableValue,
    Watchdog,
)
from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.methods import IdType
from integration_server.builtin.ips_connect.remote_client import LoggedIn, MasterClient, UnknownMethod
from tests.builtin.ips_connect.masters import KEY, FakeMaster, Reply
from tests.scripted_server import ScriptedServer, read_request
from tests.servers.certificates import Authority

HASH = "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2"
SALT = "leEvXu77OIwPwNvtZIJval"
ALICE = "alice@example.com"


@pytest.fixture
def master() -> Iterator[FakeMaster]:
    with FakeMaster() as master:
        yield master


@pytest.fixture
def http() -> Iterator[HttpClient]:
    http = HttpClient(("0.0.0.0/0", "::/0"), Watchdog())
    yield http
    http.close()


@pytest.fixture
def client(master: FakeMaster, http: HttpClient) -> MasterClient:
    return MasterClient(master.url, KEY, http)


def soon(seconds: float = 10) -> Deadline:
    return Deadline(seconds)


#: Every call, by the method.
CALLS: dict[str, Callable[[MasterClient, Deadline], object]] = {
    "fetchId": lambda client, until: client.fetch_id(IdType.EMAIL, ALICE, until),
    "fetchSalt": lambda client, until: client.fetch_salt(IdType.EMAIL, ALICE, until),
    "login": lambda client, until: client.login(IdType.EMAIL, ALICE, HASH, until),
    "checkEmail": lambda client, until: client.has_email(ALICE, until),
    "checkName": lambda client, until: client.has_name("Alice", until),
    "register": lambda client, until: client.register("Alice", ALICE, HASH, SALT, None, until),
    "verifySettings": lambda client, until: client.verify_settings("https://a.example/gw", "a" * 32, until),
}


def test_calls_are_those_of_slaves_in_the_field(master: FakeMaster, client: MasterClient) -> None:
    """The keys are computed in the protocol's worked examples."""
    master.lie = lambda values: Reply(json.dumps({"status": "SUCCESS", "connect_id": 42, "used": 0}).encode())
    of_alice = "0da4713f6108abdac7a7ff4480143cdd"
    client.fetch_id(IdType.EMAIL, ALICE, soon())
    client.fetch_salt(IdType.NAME, "Ålice", soon())
    with pytest.raises(BackendUnavailable):
        client.login(IdType.EMAIL, ALICE, HASH, soon())
    client.has_email("a+b@example.com", soon())
    client.has_name("Alice & Bob", soon())
    client.register("Alice", ALICE, HASH, SALT, "https://a.example/gw?x=1", soon())
    client.verify_settings("https://a.example/gw", "a" * 32, soon())
    registered = {"name": "Alice", "email": ALICE, "pass_hash": HASH, "pass_salt": SALT, "revalidateUrl": ""}
    assert [{name: value for name, value in asked.items() if name != "app"} for asked in master.asked] == [
        {"do": "fetchId", "key": of_alice, "id": ALICE, "idType": "2"},
        {"do": "fetchSalt", "key": "c8f43189e6ccd1242f781d50c48cd1e7", "id": "Ålice", "idType": "1"},
        {"do": "login", "key": of_alice, "id": ALICE, "idType": "2", "password": HASH},
        {"do": "checkEmail", "key": KEY, "email": "a+b@example.com"},
        {"do": "checkName", "key": KEY, "name": "Alice & Bob"},
        {"do": "register", "key": KEY, **registered, "url": "https://a.example/gw?x=1"},
        {"do": "verifySettings", "key": KEY, "url": "https://a.example/gw", "ourKey": "a" * 32},
    ]
    # What the URL has of a query stays.
    assert all(asked["app"] == "core" for asked in master.asked)


def test_person_logs_in_with_the_hash_of_the_password(
    master: FakeMaster, client: MasterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "COST", 4)
    id = master.add("Alice", ALICE, "secret")
    other = master.add("Bob", "bob@example.com", "secret", revalidate_url="https://a.example/")
    assert client.fetch_id(IdType.NAME, "ALICE", soon()) == id
    for login, id_type in ((ALICE, IdType.EMAIL), ("Alice", IdType.NAME)):
        salt = client.fetch_salt(id_type, login, soon())
        assert salt
        told = client.login(id_type, login, passwords.hashed("secret", salt), soon())
        assert told == LoggedIn(id, "Alice", ALICE, is_validating=False, revalidate_url="")
        assert client.login(id_type, login, passwords.hashed("wrong", salt), soon()) is None
    bob = client.login(IdType.NAME, "bob", master.people[other].pass_hash or "", soon())
    assert bob == LoggedIn(other, "Bob", "bob@example.com", is_validating=True, revalidate_url="https://a.example/")


def test_who_is_not_there_is_nobody(master: FakeMaster, client: MasterClient) -> None:
    id = master.add("No password", "none@example.com")
    assert client.fetch_id(IdType.EMAIL, ALICE, soon()) is None
    assert client.fetch_salt(IdType.EMAIL, ALICE, soon()) is None
    assert client.login(IdType.EMAIL, ALICE, HASH, soon()) is None
    assert client.fetch_salt(IdType.NAME, "No password", soon()) == ""
    assert client.fetch_id(IdType.NAME, "No password", soon()) == id
    assert client.has_name("no PASSWORD", soon())
    assert not client.has_email(ALICE, soon())


def test_account_is_registered_once(master: FakeMaster, client: MasterClient) -> None:
    id = client.register("Alice", ALICE, HASH, SALT, None, soon())
    assert client.register("Alice 2", ALICE, HASH, SALT, None, soon()) == id
    assert client.verify_settings("https://a.example/gw", "a" * 32, soon())
    assert master.slaves == {"https://a.example/gw": "a" * 32}


def reply(**values: object) -> Reply:
    return Reply(json.dumps(values).encode())


def success(**values: object) -> Reply:
    return reply(status="SUCCESS", **values)


#: What no call takes for an answer.
NO_ANSWERS: dict[str, Reply] = {
    "empty": Reply(),
    "null": Reply(b"null"),
    "text": Reply(b"Security key mismatch."),
    "page": Reply(b"<html><title>SUCCESS</title></html>"),
    "array": Reply(b'[{"status": "SUCCESS"}]'),
    "no status": Reply(b'{"connect_id": 42, "pass_salt": "abcde", "used": 1}'),
    "status is a number": reply(status=200, connect_id=42),
    "status is an array": reply(status=["SUCCESS"], connect_id=42),
    "small letters": reply(status="success", connect_id=42),
    "of version 3": reply(connect_status="SUCCESS", connect_id=42),
    "unknown status": reply(status="ACCOUNT_LOCKED"),
    "status of a login alone": reply(status="VALIDATING"),
    "deep": Reply(b"[" * 19_000),
    "deep object": Reply(b'{"status":' * 1_900),
    "number without end": Reply(b'{"status": "SUCCESS", "connect_id": ' + b"9" * 15_000 + b"}"),
    "no UTF-8": Reply(b'{"status": "SUCCESS\xff"}'),
    "broken": Reply(b'{"status": "SUCCESS", "connect_id": 4'),
    "huge": Reply(b'{"status": "SUCCESS", "x": "' + b"x" * 5_000_000 + b'"}'),
    "server error": Reply(b'{"status": "SUCCESS", "connect_id": 42, "used": 1}', status=500),
    "unavailable": Reply(b'{"status": "ACCOUNT_NOT_FOUND"}', status=503, headers={"Retry-After": "30"}),
    "too many": Reply(b"{}", status=429),
    "created": Reply(b'{"status": "SUCCESS", "connect_id": 42, "used": 1}', status=201),
    "redirect": Reply(status=302, headers={"Location": "http://127.0.0.1:9/elsewhere"}),
    "redirect for good": Reply(b'{"status": "SUCCESS"}', status=301, headers={"Location": "/"}),
    "no HTTP": Reply(raw=b"\x16\x03\x01 220 this is not HTTP\r\n\r\n"),
    "cut": Reply(raw=b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"status":"SUCCESS"}'),
    "nothing": Reply(raw=b""),
}


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("lie", NO_ANSWERS)
def test_what_is_no_answer_is_an_outage(master: FakeMaster, client: MasterClient, method: str, lie: str) -> None:
    master.lie = lambda values: NO_ANSWERS[lie]
    with pytest.raises(BackendUnavailable) as caught:
        CALLS[method](client, soon())
    check_text(caught.value, master)


def check_text(error: BaseException, master: FakeMaster) -> None:
    """People learn whom to ask, and none of what was sent."""
    assert "127.0.0.1" in str(error)
    shown: BaseException | None = error
    while shown is not None:
        text = f"{shown} {shown!r}"
        for secret in (KEY, "0da4713f6108abdac7a7ff4480143cdd", HASH, SALT, "a" * 32, ALICE, "do=", "SUCCESS"):
            assert secret not in text
        shown = shown.__cause__ or shown.__context__


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 414])
def test_what_a_web_server_refuses_is_no_outage_of_all(
    master: FakeMaster, client: MasterClient, method: str, status: int
) -> None:
    """Or whoever types what a filter does not like could close the backend to everybody else."""
    master.lie = lambda values: Reply(b'{"status": "SUCCESS"}', status=status)
    with pytest.raises(BackendMisconfigured, match=str(status)) as caught:
        CALLS[method](client, soon())
    check_text(caught.value, master)


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize(
    ("status", "about"),
    [("BAD_KEY", "master_key"), ("DISABLED", "switched off"), ("INVALID_ACTION", "does not know")],
)
def test_refusals_say_what_to_mend(
    master: FakeMaster, client: MasterClient, method: str, status: str, about: str
) -> None:
    master.lie = lambda values: reply(status=status)
    with pytest.raises(BackendMisconfigured, match=about) as caught:
        CALLS[method](client, soon())
    assert isinstance(caught.value, UnknownMethod) == (status == "INVALID_ACTION")
    check_text(caught.value, master)


def test_statuses_that_do_not_belong_to_a_call_are_no_answer(master: FakeMaster, client: MasterClient) -> None:
    allowed = {
        "fetchId": {"ACCOUNT_NOT_FOUND"},
        "fetchSalt": {"ACCOUNT_NOT_FOUND"},
        "login": {"ACCOUNT_NOT_FOUND", "WRONG_AUTH"},
        "verifySettings": {"FAILURE"},
    }
    for method, call in CALLS.items():
        for status in ("ACCOUNT_NOT_FOUND", "WRONG_AUTH", "FAILURE", "EMAIL_IN_USE", "REQUEST_MISSING_DATA"):
            master.lie = lambda values, status=status: reply(status=status)  # type: ignore[misc]
            if status in allowed.get(method, set()):
                assert not call(client, soon())
                continue
            with pytest.raises(BackendError) as caught:
                call(client, soon())
            is_refused = method == "register" and status in ("EMAIL_IN_USE", "REQUEST_MISSING_DATA")
            assert isinstance(caught.value, UnwritableValue) == is_refused


GOOD: dict[str, Any] = {"connect_status": "SUCCESS", "name": "Alice", "email": ALICE, "connect_revalidate_url": ""}


@pytest.mark.parametrize("id", [42, "42"])
def test_connect_id_is_a_number_or_a_text_of_one(master: FakeMaster, client: MasterClient, id: object) -> None:
    master.lie = lambda values: success(connect_id=id, **GOOD)
    assert CALLS["fetchId"](client, soon()) == 42
    assert CALLS["register"](client, soon()) == 42
    assert CALLS["login"](client, soon()) == LoggedIn(42, "Alice", ALICE, is_validating=False, revalidate_url="")


@pytest.mark.parametrize(
    "id", [None, 0, -1, 4.2, True, "", " 42", "0x2a", "٤٢", [42], {"id": 42}, 10**30, "9" * 19, "x" * 9_000]
)
def test_what_is_no_connect_id_is_no_answer(master: FakeMaster, client: MasterClient, id: object) -> None:
    master.lie = lambda values: success(connect_id=id, **GOOD)
    for method in ("fetchId", "register", "login"):
        with pytest.raises(BackendUnavailable, match="connect_id"):
            CALLS[method](client, soon())


@pytest.mark.parametrize("salt", [5, ["abcde"], {"a": 1}, True, "x" * 256, "a\0b", "\ud800"])
def test_what_is_no_salt_is_no_answer(master: FakeMaster, client: MasterClient, salt: object) -> None:
    master.lie = lambda values: success(pass_salt=salt)
    with pytest.raises(BackendUnavailable, match="salt"):
        CALLS["fetchSalt"](client, soon())


@pytest.mark.parametrize(
    "values",
    [
        {"connect_status": None},
        {"connect_status": "WRONG_AUTH"},
        {"connect_status": ["SUCCESS"]},
        {"name": None},
        {"name": 5},
        {"email": ["a"]},
        {"connect_revalidate_url": 7},
    ],
)
def test_login_that_does_not_say_who_is_no_login(
    master: FakeMaster, client: MasterClient, values: dict[str, object]
) -> None:
    master.lie = lambda asked: success(connect_id=42, **{**GOOD, **values})
    with pytest.raises(BackendUnavailable):
        CALLS["login"](client, soon())


@pytest.mark.parametrize(("used", "expected"), [(1, True), (0, False), ("1", True), ("0", False), (True, True)])
def test_use_is_told_in_numbers(master: FakeMaster, client: MasterClient, used: object, expected: bool) -> None:
    master.lie = lambda values: success(used=used)
    assert CALLS["checkName"](client, soon()) is expected


@pytest.mark.parametrize("used", [None, 2, "yes", "", [1], {}])
def test_use_that_is_neither_yes_nor_no_is_no_answer(master: FakeMaster, client: MasterClient, used: object) -> None:
    master.lie = lambda values: success(used=used)
    for method in ("checkName", "checkEmail"):
        with pytest.raises(BackendUnavailable, match="neither"):
            CALLS[method](client, soon())


def test_slashes_and_letters_come_escaped_as_php_writes_them(master: FakeMaster, client: MasterClient) -> None:
    body = r'{"status":"SUCCESS","connect_id":42,"connect_status":"VALIDATING","name":"\u00c5lice","email":"a@x",'
    body += r'"connect_revalidate_url":"https:\/\/a.example\/","more":{"x":[1]}}'
    master.lie = lambda values: Reply(b"\xef\xbb\xbf" + body.encode())
    told = CALLS["login"](client, soon())
    assert told == LoggedIn(42, "Ålice", "a@x", is_validating=True, revalidate_url="https://a.example/")


def drip(connection: socket.socket) -> None:
    read_request(connection)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + b'{"status":"SUCCESS"}':
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def hang(connection: socket.socket) -> None:
    read_request(connection)
    time.sleep(5)


@pytest.mark.parametrize("script", [drip, hang])
def test_master_that_takes_too_long_is_a_timeout(http: HttpClient, script: Callable[[socket.socket], None]) -> None:
    with ScriptedServer(script) as server:
        client = MasterClient(server.url(), KEY, http)
        for call in CALLS.values():
            began = time.monotonic()
            with pytest.raises(BackendTimeout):
                call(client, soon(0.2))
            assert time.monotonic() - began < 3


def test_deadline_that_has_passed_asks_nobody(master: FakeMaster, client: MasterClient) -> None:
    for call in CALLS.values():
        with pytest.raises(BackendTimeout):
            call(client, soon(0))
    assert master.asked == []


def test_certificate_is_verified(http: HttpClient, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.create()
    body = b'{"status":"SUCCESS","used":0}'

    def answer(connection: socket.socket) -> None:
        while read_request(connection) is not None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with ScriptedServer(answer, authority.issue("master", addresses=())) as server:
        url = server.url(host="localhost")
        assert not MasterClient(url, KEY, http, str(authority.ca_file)).has_name("x", soon())
        with pytest.raises(BackendUnavailable, match="certificate"):
            MasterClient(url, KEY, http).has_name("x", soon())
        with pytest.raises(BackendUnavailable, match="certificate"):
            MasterClient(server.url(), KEY, http, str(authority.ca_file)).has_name("x", soon())
