"""The proxies of docs/proxies.rst, run with the text that stands there, before a real server of ours."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from integration_server.builtin.ips_connect.keys import key_of_id
from tests.builtin.ips_connect.chain_network import Slave
from tests.builtin.push.live_push import Client
from tests.builtin.push.push_site import new_channel
from tests.cli.conftest import Serving, run_process
from tests.scripted_server import ScriptedServer, read_request
from tests.server.proxy_recipes import (
    CALLER,
    MAKERS,
    MASTER_KEY,
    PAGE,
    PASSWORD,
    SERVICE,
    Caller,
    House,
    names,
    recipe,
    running,
)
from tests.servers.certificates import Authority, Certificate
from tests.servers.proxies import Nginx, Proxy
from tests.servers.server import free_port
from tests.waiting import wait_for

PEOPLE = 60_000


# -- what tests take -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    authority.create()
    return authority


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("users")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> House:
    return House(tmp_path_factory.mktemp("a house"), certificate)


@pytest.fixture(scope="module")
def serving(house: House) -> Iterator[Serving]:
    with house.serving(PEOPLE) as serving:
        yield serving


@pytest.fixture(scope="module", params=sorted(MAKERS))
def proxy(
    request: pytest.FixtureRequest, house: House, serving: Serving, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """Each recipe, before the same server."""
    with running(MAKERS[request.param](house, tmp_path_factory.mktemp("a proxy"))) as proxy:
        yield proxy


@pytest.fixture
def caller(proxy: Proxy, authority: Authority) -> Caller:
    return Caller(proxy.port, authority)


def line_of(serving: Serving, request_id: str) -> str:
    """What the server logged of a request that it answered."""

    def found() -> str | None:
        return next((line for line in list(serving.log) if f" {request_id}]" in line and "access" in line), None)

    return str(serving.wait_until(found, f"a line of {request_id}"))


# -- MailStore -------------------------------------------------------------------------------------------------------


def test_list_and_auth_over_https(caller: Caller) -> None:
    listed = caller.mailstore("/few")
    assert names(listed) == ["ann"]
    for password, told in ((PASSWORD, True), ("wrong", False)):
        answer = caller.mailstore("/few", {"cmd": "auth", "user": "ann", "pass": password})
        assert (answer.status, answer.json) == (200, {"succeeded": told})
    assert caller.ask("POST", "/few", "cmd=list").headers["WWW-Authenticate"].startswith("Basic ")


def test_big_list_arrives_whole(caller: Caller) -> None:
    listed = caller.mailstore()
    assert listed.status == 200
    assert len(listed.body) > 10_000_000
    assert len(listed.json) == PEOPLE + 1


def test_the_caller_is_the_one_who_called_the_proxy(caller: Caller, serving: Serving) -> None:
    forged = {"X_Forwarded_For": "6.6.6.6", "X_Real_IP": "6.6.6.6", "Forwarded": "for=6.6.6.6;proto=http"}
    answer = caller.mailstore("/few", **forged, X_Forwarded_Proto="http", X_Forwarded_Host="evil.example")
    assert answer.status == 200
    assert f" {CALLER} POST /few 200 " in line_of(serving, answer.headers["X-Request-Id"])


def test_refusals_arrive_with_their_reasons(caller: Caller) -> None:
    assert caller.ask("GET", "/nobody").json == {"error": "Not Found"}
    assert caller.ask("GET", "/few").status == 405
    assert caller.ask("POST", "/mailstore", "x" * (1 << 21)).status == 413


# -- mistakes --------------------------------------------------------------------------------------------------------

WITHOUT_TLS = {
    "nginx": [("443 ssl", "443"), ("listen 443;", "listen 127.0.0.1:PORT; # listen 443 ssl;")],
    "caddy": [("users.example.org {", "http://localhost:PORT {\n# users.example.org {"), ("    tls ", "    # tls ")],
}


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_proxy_that_was_called_without_tls_is_refused(
    name: str, house: House, serving: Serving, tmp_path: Path
) -> None:
    with running(MAKERS[name](house, tmp_path, *WITHOUT_TLS[name])) as proxy:
        caller = Caller(proxy.port, None)
        for forged in ({}, {"X_Forwarded_Proto": "https"}):
            answer = caller.mailstore("/few", **forged)
            assert (answer.status, "use HTTPS" in answer.json["error"]) == (403, True)
        assert caller.connect("checkName", MASTER_KEY, name="ann").status == 403
        assert caller.ask("GET", "/dashboard/sign-in").status == 403


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_proxy_that_is_not_trusted_is_refused(
    name: str, certificate: Certificate, authority: Authority, tmp_path: Path
) -> None:
    house = House(tmp_path / "house", certificate, trusted='trusted_proxies = ["192.0.2.7"]')
    with house.serving(0), running(MAKERS[name](house, tmp_path / "proxy")) as proxy:
        answer = Caller(proxy.port, authority).mailstore("/few")
        assert (answer.status, "named in trusted_proxies" in answer.json["error"]) == (403, True)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_answer_that_breaks_off_is_no_shorter_answer(
    name: str, certificate: Certificate, authority: Authority, tmp_path: Path
) -> None:
    house = House(tmp_path, certificate)
    with ScriptedServer(_answers_half) as server:
        house.port = server.port
        with (
            running(MAKERS[name](house, tmp_path / "proxy")) as proxy,
            pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)),
        ):
            Caller(proxy.port, authority).mailstore()
    house.port = free_port()
    with running(MAKERS[name](house, tmp_path / "another")) as proxy:
        assert Caller(proxy.port, authority).mailstore().status == 502


def _answers_half(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200_000)


# -- ids and logs ----------------------------------------------------------------------------------------------------


def test_request_has_one_id_in_both_logs(caller: Caller, proxy: Proxy, serving: Serving) -> None:
    answer = caller.mailstore("/few", X_Request_Id="from.the-caller")
    id = answer.headers["X-Request-Id"]
    assert line_of(serving, id)
    if isinstance(proxy, Nginx):
        # Its own, which it logs, too.
        wait_for(lambda: id in proxy.requests.read_text(), "the line of nginx")
    else:
        assert id == "from.the-caller"


def test_no_log_has_keys_or_endpoints(caller: Caller, proxy: Proxy, serving: Serving) -> None:
    endpoint = urlsplit(registered(caller)["ENDPOINT"]).path
    if isinstance(proxy, Nginx):
        endpoint = endpoint.replace("/rest/", "/push/")
    hashed = "c5a8d9e0f1b2c3d4e5f60718293a4b5c"
    last = [
        caller.connect("login", key_of_id(MASTER_KEY, "Ann"), id="Ann", idType="1", password=hashed),
        caller.connect("checkName", MASTER_KEY, name="Ann"),
        caller.ask("PUT", endpoint, "version=1"),
        caller.mailstore("/few"),
    ][-1]
    line_of(serving, last.headers["X-Request-Id"])
    wait_for(lambda: "/few" in proxy.requests.read_text(), "its own line")
    for log in (proxy.requests.read_text(), proxy.log.read_text(), "\n".join(serving.log)):
        for secret in (MASTER_KEY, key_of_id(MASTER_KEY, "Ann"), hashed, SERVICE[1]):
            assert secret not in log
    if isinstance(proxy, Nginx):
        assert endpoint not in proxy.requests.read_text()
    assert endpoint.rpartition("/")[2] not in "\n".join(serving.log)


# -- URLs that we make -----------------------------------------------------------------------------------------------


def registered(caller: Caller, mount: str = "/rest") -> dict[str, str]:
    body = json.dumps({"UAID": "", "APPID": new_channel()})
    answer = caller.ask("POST", f"{mount}/register", body, Content_Type="application/json")
    assert answer.status == 200, answer.body
    found: dict[str, str] = answer.json
    return found


def test_endpoints_begin_with_https_and_the_host_that_was_called(caller: Caller) -> None:
    endpoint = registered(caller)["ENDPOINT"]
    assert endpoint.startswith(f"https://localhost:{caller.port}/rest/update/")
    assert caller.ask("PUT", urlsplit(endpoint).path, "version=1").status == 202


def test_browser_of_a_forum_is_led_back_over_https(caller: Caller) -> None:
    slaves = [Slave(host, f"{number:032x}") for number, host in enumerate(("127.0.0.6", "127.0.0.7"))]
    try:
        for slave in slaves:
            told = caller.connect("verifySettings", MASTER_KEY, url=slave.url, ourKey=slave.key)
            assert told.json == {"status": "SUCCESS"}
        name = f"Eve{caller.port}"
        account = {
            "name": name,
            "email": f"{name}@example.org",
            "pass_hash": "$2y$13$" + "x" * 53,
            "pass_salt": "y" * 22,
        }
        made = caller.connect("register", MASTER_KEY, url=slaves[0].url, **account).json
        assert made["status"] == "SUCCESS", "the caller has the address of a slave"
        id = str(made["connect_id"])
        led = caller.connect("crossLogin", key_of_id(MASTER_KEY, id), id=id, url=slaves[0].url, returnTo=slaves[0].page)
        assert led.status == 303
        assert led.headers["Location"].startswith(slaves[1].url)
        back = dict(parse_qsl(urlsplit(led.headers["Location"]).query))["returnTo"]
        assert back.startswith(f"https://localhost:{caller.port}/connect?do=crossLogin&slaveReturn=1&state=")
        parts = urlsplit(back)
        assert caller.ask("GET", f"{parts.path}?{parts.query}").headers["Location"] == slaves[0].page
        for cookie in led.headers.get_all("Set-Cookie", []):
            assert "Secure" in cookie
    finally:
        for slave in slaves:
            caller.connect("disableSlave", MASTER_KEY, url=slave.url)
            slave.close()


def test_administrator_signs_in_over_https(caller: Caller, house: House) -> None:
    name, password = f"olga{caller.port}", "olga behind a proxy"
    made = run_process("admin", "create", name, "--stdin", "--config", house.config, input=f"{password}\n")
    assert made.returncode == 0, made.stderr
    form = urlencode({"name": name, "password": password})
    kind = "application/x-www-form-urlencoded"
    for origin, status in ((f"https://localhost:{caller.port}", 303), ("https://evil.example", 403)):
        answer = caller.ask("POST", "/dashboard/sign-in", form, Content_Type=kind, Origin=origin)
        assert answer.status == status, answer.body
        if status == 303:
            assert answer.headers["Location"] == "/dashboard/"
            assert "Secure" in answer.headers["Set-Cookie"]


# -- push ------------------------------------------------------------------------------------------------------------


@contextmanager
def first_api(caller: Caller) -> Iterator[Client]:
    url, offered = f"wss://localhost:{caller.port}/push/ws", [Subprotocol("push-update")]
    with connect(url, subprotocols=offered, ssl=caller.tls, close_timeout=1) as wire:
        assert wire.subprotocol == "push-update"
        yield Client(wire)


def test_websocket_of_the_first_api(caller: Caller) -> None:
    channel = new_channel()
    with first_api(caller) as client:
        made = client.ask({"REGISTER": {"UAID": None, "APPID": channel}})["REGISTER"]
        assert made["status"] == 200
        path = urlsplit(made["ENDPOINT"]).path
        client.say({"CONNECT": [made["UAID"]]})
        assert client.ask({}) == {}
        caller.ask("PUT", path, "version=7")
        told = {"UPDATE": {made["UAID"]: {channel: 7}}}
        assert client.hear() == told
        client.say({"ACK": [made["UAID"]]})
        # What comes while it is still being connected may come twice.
        heard = client.ask({})
        assert (client.hear() if heard == told else heard) == {}


def test_token_is_taken_over_a_websocket_with_tls(caller: Caller, house: House) -> None:
    name = f"reader{time.time_ns()}"
    made = run_process("token", "create", name, "--scope", "subscriptions:write", "--config", house.config, "--json")
    assert made.returncode == 0, made.stderr
    token = json.loads(made.stdout)["token"]
    bound = {"UAID": None, "APPID": new_channel(), "TOKEN": token, "RESOURCE": {"kind": "backend", "backend": "people"}}
    with first_api(caller) as client:
        answer = client.ask({"REGISTER": bound})["REGISTER"]
        assert answer["status"] == 200, answer


# -- below a path ----------------------------------------------------------------------------------------------------

BELOW = {"nginx": ("location / {", "location /users/ {"), "caddy": ("handle {", "handle /users/* {")}
CUT = {
    "nginx": (
        "location / {\n        proxy_pass http://127.0.0.1:8080;",
        "location /users/ {\n        proxy_pass http://127.0.0.1:8080/;",
    ),
    "caddy": ("handle {", "handle_path /users/* {"),
}


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_below_a_path_that_is_handed_on(
    name: str, certificate: Certificate, authority: Authority, tmp_path: Path
) -> None:
    house = House(tmp_path / "house", certificate, prefix="/users")
    with house.serving(0), running(MAKERS[name](house, tmp_path / "proxy", BELOW[name])) as proxy:
        caller = Caller(proxy.port, authority)
        assert names(caller.mailstore("/users/mailstore")) == ["ann"]
        made = registered(caller, "/users/rest")
        assert made["ENDPOINT"].startswith(f"https://localhost:{proxy.port}/users/rest/update/")


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_below_a_path_that_is_cut_off(
    name: str, certificate: Certificate, authority: Authority, tmp_path: Path
) -> None:
    house = House(tmp_path / "house", certificate, cut="/users")
    with house.serving(0), running(MAKERS[name](house, tmp_path / "proxy", CUT[name])) as proxy:
        caller = Caller(proxy.port, authority)
        assert names(caller.mailstore("/users/mailstore")) == ["ann"]
        endpoint = registered(caller, "/users/push")["ENDPOINT"]
        assert endpoint.startswith("https://localhost/users/push/update/")
        assert caller.ask("PUT", urlsplit(endpoint).path, "version=1").status == 202


# -- IIS -------------------------------------------------------------------------------------------------------------


def test_web_config_for_iis_is_well_formed_and_says_what_the_others_say() -> None:
    root = ET.fromstring(recipe("xml").encode())
    assert root.tag == "configuration"
    rules = root.findall("./system.webServer/rewrite/rules/rule")
    targets = [rule.find("action").attrib["url"] for rule in rules]  # type: ignore[union-attr]
    assert targets == ["http://127.0.0.1:8081/push/ws", "http://127.0.0.1:8080{UNENCODED_URL}"]
    for rule in rules:
        names = [child.tag for child in rule if isinstance(child.tag, str)]
        assert names == ["match", "conditions", "serverVariables", "action"]
        assert rule.find("conditions/add").attrib == {"input": "{HTTPS}", "pattern": "^on$"}  # type: ignore[union-attr]
        variable = rule.find("serverVariables/set")
        assert variable is not None
        assert variable.attrib == {"name": "HTTP_X_FORWARDED_PROTO", "value": "https"}
        assert f"[name='{variable.attrib['name']}']" in recipe("bat")
    limits = root.find("./system.webServer/security/requestFiltering/requestLimits")
    assert limits is not None
    assert int(limits.attrib["maxAllowedContentLength"]) == 1 << 20
    assert "was not run" in PAGE.read_text(encoding="utf-8")
