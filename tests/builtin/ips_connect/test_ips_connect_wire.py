"""The gateway on the wire: a real server, curl, hostile requests, logs, and a store that fails."""

from __future__ import annotations

import http.client
import json
import logging
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.keys import key_of_id
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.methods import METHODS, Status
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.server import HttpServer, ServerLimits, bind
from integration_server.server.installation import opened
from tests.builtin.ips_connect.master_site import A_KEY, HASH, SALT, K, MasterSite, answered, signed, write_master

#: No name has to be resolved for it.
URL = "http://20.0.0.1/gw"
LOCAL = {"slave_networks": ["127.0.0.0/8"]}
STATUSES = {status.value for status in Status}
JSON_METHODS = sorted(method.name for method in METHODS.values() if not method.is_browser)
EVERYTHING = {
    **{"name": "Ann", "email": "ann@example.com", "pass_hash": HASH, "pass_salt": SALT, "idType": "3"},
    **{"status": "1", "remove": "2", "url": URL, "ourKey": A_KEY, "password": HASH},
}


@pytest.fixture
def master(make_master: Callable[..., MasterSite]) -> MasterSite:
    return make_master(**LOCAL)


@pytest.fixture
def port(master: MasterSite) -> Iterator[int]:
    """Where the master answers."""
    sock = bind("127.0.0.1", 0)
    server = HttpServer(master.app, sock, ServerLimits())
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield sock.getsockname()[1]
    server.stop()
    thread.join(20)


def number_from(site: MasterSite, first: int) -> None:
    """The next account has this id."""
    with site.installation.store.storage(TABLES).writing() as connection:
        connection.execute(sa.text("INSERT INTO ips_connect_counters VALUES ('forum', :last, 0)"), {"last": first - 1})


# -- the worked examples of the protocol -----------------------------------------------------------------------------

GW_A = "https%3A%2F%2Fa.example%2Fgw"
KEY_42 = "ef7d05c70b4fddc71bb6d4449bfdd60e"
ALICE = f"key={K}&name=Alice&email=alice%40example.com&pass_hash={quote(HASH, '')}&pass_salt={SALT}"
BY_EMAIL = "key=0da4713f6108abdac7a7ff4480143cdd&idType=2&id=alice%40example.com"
LOGGED_IN = {
    **{"status": "SUCCESS", "connect_status": "SUCCESS", "email": "alice@example.com", "name": "Alice"},
    **{"connect_id": 42, "connect_revalidate_url": ""},
}
EXAMPLES: tuple[tuple[str, dict[str, Any]], ...] = (
    (f"do=verifySettings&key={K}&url={GW_A}&ourKey={'a' * 32}", {"status": "SUCCESS"}),
    (f"do=register&{ALICE}&revalidateUrl=&url={GW_A}", {"status": "SUCCESS", "connect_id": 42}),
    (f"do=fetchSalt&{BY_EMAIL}", {"status": "SUCCESS", "pass_salt": SALT}),
    (f"do=login&{BY_EMAIL}&password={quote(HASH, '')}", LOGGED_IN),
    (f"do=login&{BY_EMAIL}&password=%242a%2413%24wrong", {"status": "WRONG_AUTH"}),
    (f"do=login&key=ae7e4d2aee6d2870f496a8cfba2959ff&idType=1&id=alice&password={quote(HASH, '')}", LOGGED_IN),
    (
        "do=login&key=c8f43189e6ccd1242f781d50c48cd1e7&idType=1&id=%C3%85lice&password=x",
        {"status": "ACCOUNT_NOT_FOUND"},
    ),
    # A client that encodes nothing.
    (f"do=login&{BY_EMAIL.replace('%40', '@')}&password={HASH}", LOGGED_IN),
    (f"do=checkName&key={K}&name=Alice", {"status": "SUCCESS", "used": 1}),
    (f"do=changeEmail&key={KEY_42}&url={GW_A}&email=new%40example.com&id=42", {"status": "SUCCESS"}),
    (f"do=checkEmail&key={K}&email=new@example.com", {"status": "SUCCESS", "used": 1}),
    (f"do=checkEmail&key={K}&email=alice@example.com", {"status": "SUCCESS", "used": 0}),
    (f"do=ban&key={KEY_42}&id=42&status=1", {"status": "SUCCESS"}),
    (f"do=merge&key={KEY_42}&id=42&remove=43", {"status": "SUCCESS"}),
    (f"do=merge&key={KEY_42}&id=42&remote=43&url={GW_A}", {"status": "SUCCESS"}),
    ("do=nonsense&key=x", {"status": "INVALID_ACTION"}),
    ("do=validate&id=42&key=wrong", {"status": "BAD_KEY"}),
    (f"do=validate&id=43&key={KEY_42}", {"status": "BAD_KEY"}),
    (f"do=validate&id=43&key={'cb5da35a2b8d4580af776ebbfe222281'}", {"status": "SUCCESS"}),
    (f"do=delete&id=42&key={KEY_42}&slaveCall=1", {"status": "DISABLED"}),
    (f"do=changeName&key={KEY_42}&id=42&name=Alice+Smith%20", {"status": "SUCCESS"}),
    (f"do=checkName&key={K}&name=alice%20smith", {"status": "SUCCESS", "used": 1}),
)


@pytest.mark.parametrize("how", ["get", "post", "multipart"])
def test_worked_examples_by_curl(master: MasterSite, port: int, how: str) -> None:
    number_from(master, 42)
    for query, expected in EXAMPLES:
        url = f"http://127.0.0.1:{port}/gw"
        match how:
            case "get":
                line = ["curl", "-sSg", f"{url}?{query}"]
            case "post":
                line = ["curl", "-sSg", "--data-raw", query, url]
            case _:
                pairs = [pair.partition("=") for pair in query.split("&")]
                fields = [f"{name}={unquote_plus(value)}" for name, _, value in pairs]
                line = ["curl", "-sSg", *(word for one in fields for word in ("--form-string", one)), url]
        done = subprocess.run(
            [*line, "-w", "\n%{http_code} %{content_type}"], capture_output=True, text=True, timeout=30, check=True
        )
        body, _, rest = done.stdout.rpartition("\n")
        assert rest == "200 application/json"
        assert json.loads(body) == expected, query
    assert master.account(42).name == "Alice Smith"
    assert [event[0] for event in master.events()] == ["register", "changeEmail", "ban", "changeName"]
    assert [event[-1] is None for event in master.events()] == [False, False, True, True]


# -- whatever is sent ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MasterSite]:
    """One for many calls, whatever they do to it."""
    with opened(write_master(tmp_path_factory.mktemp("steady"), **LOCAL)) as installation:
        yield MasterSite(installation, caller="127.0.0.1")


@pytest.mark.parametrize("do", JSON_METHODS)
def test_right_key_and_nothing_else_is_answered(steady: MasterSite, do: str) -> None:
    for id in (None, "", "42", "nobody"):
        assert steady.status(do, id=id) in STATUSES


@pytest.mark.parametrize("do", JSON_METHODS)
def test_odd_values_are_answered(steady: MasterSite, do: str) -> None:
    for name in ("id", "name", "email", "pass_hash", "url", "ourKey", "password", "status", "remove", "slaveCall"):
        for value in ("\0", "\0\0x", "x" * 1_000_000, "\ud7ff\U0010ffff", "%00", "' OR 1=1 --", "𝔘" * 50, "$/@ +&="):
            sent = {**signed(do, id="1"), **EVERYTHING, name: value}
            if name == "id":
                sent["key"] = signed(do, id=value.replace("\0", ""))["key"]
            answer = answered(steady.request(query_string=sent))
            assert answer["status"] in STATUSES
            assert "x" * 1000 not in str(answer)


@pytest.mark.parametrize("do", JSON_METHODS)
def test_arrays_are_answered(steady: MasterSite, do: str) -> None:
    for name in ("id[]", "name[x]", "email[][]", "key[]", "url[]", "do[]"):
        for key in (K, signed(do, id="1")["key"]):
            query = urlencode({"do": do, "key": key, "id": "1", **EVERYTHING, name: "1"})
            assert answered(steady.request(query_string=query))["status"] in STATUSES


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"\xff\xfe%zz&=&==&%", "application/x-www-form-urlencoded"),
        (b"do=login&id=%ff%fe", "application/x-www-form-urlencoded; charset=nonsense"),
        (b"not multipart at all", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data; name=do\r\n\r\nlogin", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\n--x--\r\n", "multipart/form-data"),
        (b'{"do": "login"}', "application/json"),
        (b"do=login", "text/plain"),
    ],
)
def test_odd_bodies_are_no_calls(master: MasterSite, body: bytes, content_type: str) -> None:
    response = master.request("POST", data=body, content_type=content_type)
    assert answered(response)["status"] in ("INVALID_ACTION", "BAD_KEY")


def test_part_without_a_name_is_no_value(master: MasterSite) -> None:
    body = (
        b"--x\r\nContent-Disposition: form-data\r\n\r\nnobody's\r\n"
        b'--x\r\nContent-Disposition: form-data; name="do"\r\n\r\nlogin\r\n--x--\r\n'
    )
    response = master.request("POST", data=body, content_type="multipart/form-data; boundary=x")
    assert answered(response) == {"status": "BAD_KEY"}


def test_file_is_no_value(master: MasterSite) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="do"; filename="do"\r\n\r\nlogin\r\n'
        b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nx\r\n--x--\r\n'
    )
    response = master.request("POST", data=body, content_type="multipart/form-data; boundary=x")
    assert answered(response) == {"status": "INVALID_ACTION"}


@pytest.mark.parametrize("size", [600_000, 1_100_000, 3_000_000])
def test_body_that_is_too_large_is_no_call(port: int, size: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/gw", urlencode({**signed("checkName"), "name": "x" * size}), head)
    response = connection.getresponse()
    assert response.status in (200, 413)
    if response.status == 200:
        assert json.loads(response.read())["status"] == "REQUEST_MISSING_DATA"
    connection.close()


def test_query_that_is_too_long_is_no_call(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", f"/gw?do=checkName&key={K}&name={'x' * 1_000_000}")
    assert connection.getresponse().status in (400, 413, 414, 431)
    connection.close()


_NAMES = sorted({name for method in METHODS.values() for p in method.parameters for name in p.names})
_VALUES = st.one_of(
    st.sampled_from(["", "0", "1", "2", "3", "email", "Ann", URL, HASH, SALT, "9" * 30, "x" * 300]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)


@settings(max_examples=200, deadline=None)
@given(do=st.sampled_from(JSON_METHODS), sent=st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=8))
def test_whoever_has_the_key_gets_a_documented_status(steady: MasterSite, do: str, sent: dict[str, str]) -> None:
    sent = {name: value.replace("\0", "") for name, value in sent.items()}
    for response in (
        steady.request(query_string=signed(do, **sent)),
        steady.request("POST", data=signed(do, **sent)),
    ):
        answer = answered(response)
        assert answer["status"] in STATUSES - {"BAD_KEY", "INVALID_ACTION", "VALIDATING"}


# -- what is logged --------------------------------------------------------------------------------------------------

SECRETS = (K, key_of_id(K, "1"), HASH, SALT, A_KEY, "query-", "pass_hash", "ourKey")


@pytest.mark.parametrize("do", JSON_METHODS)
def test_no_query_reaches_the_log(master: MasterSite, caplog: pytest.LogCaptureFixture, do: str) -> None:
    caplog.set_level(logging.DEBUG)
    for caller in ("20.0.0.1", "20.9.9.9"):
        for sent in (signed(do, id="1", **EVERYTHING), {"do": do, "key": "query-key", "id": "query-id"}):
            master.request(query_string=sent, caller=caller)
            master.request("POST", data=sent, caller=caller)
    assert "GET /gw 200" in caplog.text
    assert not [secret for secret in SECRETS if secret in caplog.text]


def test_failures_log_no_query(
    master: MasterSite, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("something unforeseen")

    monkeypatch.setattr(Accounts, "find_login", fail)
    caplog.set_level(logging.DEBUG)
    response = master.request(query_string=signed("login", id="query-id", idType="1", password=HASH))
    assert response.status_code == 500
    assert "something unforeseen" in caplog.text
    assert not [secret for secret in SECRETS if secret in caplog.text + response.text]


def test_server_logs_no_query(port: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    query = urlencode(signed("login", id="query-id", idType="1", password=HASH))
    for path in (f"/gw?{query}", f"/gw/nothing?{query}", f"//gw?{query}", f"/gw?{query}&x={'x' * 300_000}"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", path)
        assert connection.getresponse().status in (200, 400, 404, 413, 414, 431)
        connection.close()
    output = capfd.readouterr()
    assert not [secret for secret in SECRETS if secret in caplog.text + output.out + output.err]


# -- a store that fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("do", sorted(set(JSON_METHODS) - {"verifySettings", "disableSlave"}))
def test_outage_of_the_store_is_no_answer(stored_master: MasterSite, caplog: pytest.LogCaptureFixture, do: str) -> None:
    stored_master.register("Ann")
    with stored_master.installation.store.storage(TABLES).writing() as connection:
        for table in ("accounts", "counters"):
            connection.exec_driver_sql(f"DROP TABLE ips_connect_{table}")
    response = stored_master.request(query_string=signed(do, id="1", **{**EVERYTHING, "name": "Anna"}))
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert not [secret for secret in SECRETS if secret in caplog.text + response.text]


@pytest.mark.parametrize("do", ["verifySettings", "disableSlave", "validate"])
def test_outage_of_the_subscriptions_is_no_answer(make_master: Callable[..., MasterSite], do: str) -> None:
    site = make_master()
    with site.installation.store.storage(TABLES).writing() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("ALTER TABLE subscriptions RENAME TO elsewhere")
    response = site.request(query_string=signed(do, id="1", **EVERYTHING), caller="20.9.9.9")
    assert response.status_code == 503


# -- encryption, and the key that is made ----------------------------------------------------------------------------


def test_plain_http_is_for_this_machine_alone(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(**LOCAL)
    query = signed("checkName", name="x")
    for caller, status in (("127.0.0.1", 200), ("20.0.0.1", 403)):
        plain = {"REMOTE_ADDR": caller}
        response = site.app.test_client().get("/gw", query_string=query, environ_overrides=plain)
        assert response.status_code == status
    site = make_master(**LOCAL, allow_plain_http=True)
    response = site.app.test_client().get("/gw", query_string=query, environ_overrides={"REMOTE_ADDR": "20.0.0.1"})
    assert answered(response)["status"] == "SUCCESS"


def test_key_is_made_where_none_is_configured(tmp_path: Path) -> None:
    with opened(write_master(tmp_path, master_key=None)) as installation:
        site = MasterSite(installation)
        key = MasterKey("forum", installation.store.storage(TABLES), None).value()
        assert len(key) == 32
        for sent, status in ((signed("checkName", key), "SUCCESS"), (signed("checkName", ""), "BAD_KEY")):
            assert answered(site.request(query_string=sent))["status"] == status
