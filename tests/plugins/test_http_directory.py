"""The backend that asks another Application Integration server: its promises, and what it makes of lies."""

from __future__ import annotations

import base64
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from integration_server import (
    AmbiguousEntry,
    Backend,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    ConfigError,
    Deadline,
    Entry,
    IncompleteListing,
    Lookup,
    Verdict,
)
from integration_server.sdk.testing import (
    AuthenticatorConformance,
    BackendConformance,
    Outage,
    list_users,
    open_backend,
    open_mapper,
)
from tests.plugins.drop_ins import load_drop_in
from tests.servers.certificates import Authority, Certificate
from tests.tcp_proxy import BlackHole, CutAfter, Drip, Fault, FreezeAfter, Pass, Refuse, TcpProxy

PASSWORDS = {"ann": "ann's Passw0rd", "Bob": "b&b=c+d %20", "jörg": "Grün, süß, 密码", "o'hara": "x\ty"}
USERS: list[dict[str, Any]] = [
    {"userName": name, "fullName": f"Dr. {name}", "emailAddresses": [f"{n}@example.org", f"{n}@example.com"]}
    for n, name in enumerate(PASSWORDS)
]
USERS += [{"userName": "dora", "distinguishedName": "uid=5"}, {"userName": "eve", "emailAddresses": []}]


plugin = load_drop_in("http_directory")


@dataclass
class Reply:
    """An answer as it goes over the wire. ``length`` overrides Content-Length, None leaves it out."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = -1


class OtherServer:
    """An Application Integration server that may lie. ``lie(fields)`` replaces an answer where it returns one."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.lie: Callable[[dict[str, str]], Reply | None] = lambda fields: None
        self.users = list(USERS)
        self.asked: list[dict[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.scheme = "http"
        if certificate is not None:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(certificate.certificate, certificate.key)
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def url(self, port: int | None = None) -> str:
        return f"{self.scheme}://127.0.0.1:{port or self.port}/mailstore"

    def handler(other) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = {key: values[0] for key, values in parse_qs(body, strict_parsing=True).items()}
                other.asked.append(fields)
                reply = other.lie(fields) or other.truth(self.path, self.headers.get("Authorization"), fields)
                self.send_response(reply.status)
                if reply.length is not None:
                    length = len(reply.body) if reply.length < 0 else reply.length
                    self.send_header("Content-Length", str(length))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: object) -> None:
                return

        return Handler

    def truth(self, path: str, credentials: str | None, fields: dict[str, str]) -> Reply:
        if path != "/mailstore":
            return Reply(b"", 404)
        if credentials != "Basic " + base64.b64encode("mailstore@example.org:süßes".encode()).decode():
            return Reply(b"", 401, {"WWW-Authenticate": 'Basic realm="x"'})
        if fields["cmd"] == "list":
            return Reply(json.dumps(self.users).encode())
        is_right = PASSWORDS.get(fields["user"]) == fields["pass"]
        return Reply(json.dumps({"succeeded": is_right}).encode())


@pytest.fixture
def other() -> Iterator[OtherServer]:
    with closing(OtherServer()) as server:
        yield server


@pytest.fixture
def proxy(other: OtherServer, tcp_proxy: Callable[[int], TcpProxy]) -> TcpProxy:
    return tcp_proxy(other.port)


def make_table(url: str, **keys: Any) -> dict[str, Any]:
    table = {"type": "http_directory", "url": url, "username": "mailstore@example.org", "password": "süßes"}
    return {**table, "list_cache_seconds": 0.0, **keys}


class TestHttpDirectoryBackend(AuthenticatorConformance, BackendConformance):
    backend_class = plugin.HttpDirectoryBackend
    outage_seconds = 0.3

    @pytest.fixture
    def table(self, other: OtherServer, proxy: TcpProxy) -> dict[str, Any]:
        return make_table(other.url(proxy.port), map={"username": {"from": "userName", "ignore_case": True}})

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return {user["userName"]: PASSWORDS.get(user["userName"]) for user in USERS}

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        return [*PASSWORDS.values(), "süßes", base64.b64encode("mailstore@example.org:süßes".encode()).decode()]

    @pytest.fixture
    def outages(self, other: OtherServer, proxy: TcpProxy) -> list[Outage]:
        @contextmanager
        def fault(kind: Fault) -> Iterator[None]:
            proxy.fault = kind
            try:
                yield
            finally:
                proxy.fault = Pass()

        @contextmanager
        def lie(reply: Reply) -> Iterator[None]:
            other.lie = lambda fields: reply
            try:
                yield
            finally:
                other.lie = lambda fields: None

        return [
            Outage("refused", lambda: fault(Refuse())),
            Outage("black hole", lambda: fault(BlackHole())),
            Outage("frozen in the head", lambda: fault(FreezeAfter(9))),
            Outage("dripping", lambda: fault(Drip(0.05))),
            Outage("cut in the head", lambda: fault(CutAfter(9))),
            Outage("reset", lambda: fault(CutAfter(9, is_reset=True))),
            Outage("503", lambda: lie(Reply(b"[]", 503))),
            Outage("500 with a list", lambda: lie(Reply(b"[]", 500))),
            Outage("401", lambda: lie(Reply(b"", 401))),
            Outage("redirect", lambda: lie(Reply(b"[]", 302, {"Location": other.url()}))),
            Outage("an error page", lambda: lie(Reply(b"<html>[]</html>"))),
            Outage("nothing", lambda: lie(Reply(b""))),
        ]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., Backend]]:
    """``made(url, **keys)``: a backend that is closed after the test."""
    opened: list[Backend] = []

    def make(url: str, **keys: Any) -> Backend:
        opened.append(open_backend(plugin.HttpDirectoryBackend, make_table(url, **keys), tmp_path))
        return opened[-1]

    yield make
    for backend in opened:
        backend.close()


Make = Callable[..., Any]


def names(backend: Backend, seconds: float = 20) -> list[object]:
    return [row[0] for batch in backend.users(Deadline(seconds)) for row in batch.rows]


def entry(name: str = "ann") -> Entry:
    return Entry({"userName": name}, handle=name)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"userName": "ann"}',
        b'[{"userName": "ann"}',
        b'[{"userName": "ann"},]',
        b'[{"userName": "ann"}] []',
        b'[{"userName": "ann"}, {"fullName": "Nobody"}]',
        b'[{"userName": ""}]',
        b'[{"userName": "  "}]',
        b'[{"userName": null}]',
        b'[{"userName": ["ann"]}]',
        b'[{"userName": 5}]',
        b'["ann"]',
        b'[{"userName": "ann", "userName": "bob"}]',
        b'[{"userName": "ann", "fullName": 5}]',
        b'[{"userName": "ann", "emailAddresses": "a@example.org"}]',
        b'[{"userName": "ann", "emailAddresses": [null]}]',
        b'[{userName: "ann"}]',
        b'[{"userName": "\xfc"}]',
        b"[" * 200_000,
    ],
)
def test_list_that_is_not_in_order_is_no_list(other: OtherServer, made: Make, body: bytes) -> None:
    other.lie = lambda fields: Reply(body)
    backend = made(other.url())
    with pytest.raises(IncompleteListing, match="cannot be used"):
        names(backend)
    with pytest.raises(IncompleteListing, match="cannot be used"):
        backend.find(Lookup("userName", "ann"), Deadline(20))


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf[{"userName": "ann"}]',
        b' [\n {"userName": "ann"} ] \n',
        b'[{"userName": "ann", "fullName": null, "emailAddresses": null, "more": {"a": [1]}}]',
        b'[{"userName": "\\u0061nn"}]',
    ],
)
def test_list_may_be_written_in_any_proper_way(other: OtherServer, made: Make, body: bytes) -> None:
    other.lie = lambda fields: Reply(body, headers={"Content-Type": "text/json; charset=utf8"})
    assert names(made(other.url())) == ["ann"]


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b'{"succeeded": true}', Verdict.ACCEPTED),
        (b'{"succeeded":false}', Verdict.REJECTED),
        (b'{ "succeeded": true, "more": "x" }', Verdict.ACCEPTED),
        (b"{\n    succeeded: true\n}", Verdict.ACCEPTED),
        (b"{\n    succeeded: false\n}", Verdict.REJECTED),
        (b"\xef\xbb\xbf{succeeded:true}", Verdict.ACCEPTED),
    ],
)
def test_verdict_may_be_written_like_the_protocols_samples(
    other: OtherServer, made: Make, body: bytes, verdict: Verdict
) -> None:
    other.lie = lambda fields: Reply(body)
    assert made(other.url()).verify(entry(), "x", Deadline(20)) is verdict


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"true",
        b"null",
        b"[]",
        b"{}",
        b'{"succeeded": "true"}',
        b'{"succeeded": 1}',
        b'{"succeeded": null}',
        b'{"Succeeded": true}',
        b'{"succeeded": false, "succeeded": true}',
        b"{succeeded: maybe}",
        b'{"succeeded": true',
        b"succeeded: true",
        b"\xff\xfe{}",
    ],
)
def test_answer_that_does_not_say_is_no_verdict(other: OtherServer, made: Make, body: bytes) -> None:
    other.lie = lambda fields: Reply(body)
    with pytest.raises(BackendUnavailable, match="cannot be used"):
        made(other.url()).verify(entry(), "x", Deadline(20))


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (201, BackendUnavailable, "status 201"),
        (204, BackendUnavailable, "status 204"),
        (301, BackendMisconfigured, "a redirect"),
        (307, BackendMisconfigured, "a redirect"),
        (400, BackendMisconfigured, "is this the address"),
        (401, BackendMisconfigured, "username and password"),
        (403, BackendMisconfigured, "username and password"),
        (404, BackendMisconfigured, "is this the address"),
        (405, BackendMisconfigured, "is this the address"),
        (429, BackendUnavailable, "status 429"),
        (500, BackendUnavailable, "status 500"),
        (503, BackendUnavailable, "status 503"),
    ],
)
def test_status_tells_misconfiguration_from_outage(
    other: OtherServer, made: Make, status: int, error: type[Exception], message: str
) -> None:
    other.lie = lambda fields: Reply(b'{"succeeded": true}', status, {"Location": other.url()})
    backend = made(other.url())
    for call in (lambda: names(backend), lambda: backend.verify(entry(), "x", Deadline(20))):
        with pytest.raises(error, match=message):
            call()
    assert len(other.asked) == 2


def test_wrong_service_password_is_a_misconfiguration(other: OtherServer, made: Make) -> None:
    with pytest.raises(BackendMisconfigured, match="username and password") as caught:
        names(made(other.url(), password="another secret"))
    assert "another secret" not in str(caught.value)


def test_answer_shorter_than_announced_is_cut(other: OtherServer, made: Make) -> None:
    # Without its last entry it would be a proper list.
    body = json.dumps(USERS).encode()
    other.lie = lambda fields: Reply(body, length=len(body) + 10)
    with pytest.raises(BackendUnavailable):
        names(made(other.url()))


def test_answer_without_length_counts_when_it_is_whole(other: OtherServer, made: Make) -> None:
    body = json.dumps(USERS).encode()
    other.lie = lambda fields: Reply(body, length=None)
    assert len(names(made(other.url()))) == len(USERS)
    other.lie = lambda fields: Reply(body[:-1], length=None)
    with pytest.raises(IncompleteListing):
        names(made(other.url()))


def test_compressed_answer_was_not_asked_for(other: OtherServer, made: Make) -> None:
    other.lie = lambda fields: Reply(b"[]", headers={"Content-Encoding": "gzip"})
    with pytest.raises(BackendUnavailable, match="encoding"):
        names(made(other.url()))


def test_endless_answer_stops_at_the_limit(other: OtherServer, made: Make) -> None:
    other.lie = lambda fields: Reply(b"[" + b" " * (3 << 20) + b"]", length=None)
    with pytest.raises(BackendUnavailable, match="max_answer_mb = 1"):
        names(made(other.url(), max_answer_mb=1))


def test_server_that_speaks_something_else_is_an_outage(made: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:

        def talk() -> None:
            for _ in range(2):
                client, _ = door.accept()
                client.sendall(b"220 mail.example.org ESMTP\r\n")
                client.close()

        threading.Thread(target=talk, daemon=True).start()
        backend = made(f"http://127.0.0.1:{door.getsockname()[1]}/")
        for _ in range(2):
            with pytest.raises(BackendUnavailable):
                names(backend)


def test_body_that_drips_is_cut_at_the_deadline(other: OtherServer, proxy: TcpProxy, made: Make) -> None:
    backend = made(other.url(proxy.port))
    proxy.fault = Drip(0.01)
    started = time.monotonic()
    with pytest.raises(BackendTimeout):
        names(backend, 0.5)
    assert time.monotonic() - started < 5


def test_one_list_serves_logins_for_a_while(other: OtherServer, made: Make) -> None:
    backend = made(other.url(), list_cache_seconds=60.0)
    for name in ("ann", "Bob", "nobody", "ann"):
        backend.find(Lookup("userName", name), Deadline(20))
    assert [fields["cmd"] for fields in other.asked] == ["list"]
    # A listing is always fresh, and logins have the use of it.
    other.users = [{"userName": "zoe"}]
    assert names(backend) == ["zoe"]
    assert backend.find(Lookup("userName", "zoe"), Deadline(20)) is not None
    assert backend.find(Lookup("userName", "ann"), Deadline(20)) is None
    assert len(other.asked) == 2


def test_list_that_is_too_old_does_not_cover_up_an_outage(other: OtherServer, proxy: TcpProxy, made: Make) -> None:
    backend = made(other.url(proxy.port), list_cache_seconds=0.3)
    assert backend.find(Lookup("userName", "ann"), Deadline(20)) is not None
    proxy.fault = Refuse()
    assert backend.find(Lookup("userName", "ann"), Deadline(20)) is not None
    with pytest.raises(BackendUnavailable):
        backend.verify(entry(), PASSWORDS["ann"], Deadline(20))
    time.sleep(0.35)
    for name in ("ann", "nobody"):
        with pytest.raises(BackendUnavailable):
            backend.find(Lookup("userName", name), Deadline(20))


def test_logins_that_come_together_read_one_list(other: OtherServer, made: Make) -> None:
    backend = made(other.url(), list_cache_seconds=60.0)
    other.lie = lambda fields: time.sleep(0.3)
    threads = [threading.Thread(target=lambda: backend.find(Lookup("userName", "ann"), Deadline(20))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(other.asked) == 1


def test_waiting_for_the_list_of_another_login_ends_at_the_deadline(other: OtherServer, made: Make) -> None:
    backend = made(other.url(), list_cache_seconds=60.0)
    other.lie = lambda fields: time.sleep(1)
    first = threading.Thread(target=lambda: backend.find(Lookup("userName", "ann"), Deadline(20)))
    first.start()
    time.sleep(0.2)
    with pytest.raises(BackendTimeout):
        backend.find(Lookup("userName", "ann"), Deadline(0.1))
    first.join()


def test_name_that_is_listed_twice_is_ambiguous(other: OtherServer, made: Make) -> None:
    other.users = [{"userName": "ann"}, {"userName": "Ann"}, {"userName": "bob"}, {"userName": "bob"}]
    backend = made(other.url())
    with pytest.raises(AmbiguousEntry):
        backend.find(Lookup("userName", "bob"), Deadline(20))
    with pytest.raises(AmbiguousEntry):
        backend.find(Lookup("userName", "ANN", ignore_case=True), Deadline(20))
    assert backend.find(Lookup("userName", "Ann"), Deadline(20)) is not None


def test_people_are_found_by_any_of_their_addresses(other: OtherServer, made: Make) -> None:
    backend = made(other.url(), map={"username": "emailAddresses"})
    found = backend.find(Lookup("emailAddresses", "1@example.com"), Deadline(20))
    assert found is not None
    assert found.attributes["userName"] == "Bob"
    assert backend.verify(found, PASSWORDS["Bob"], Deadline(20)) is Verdict.ACCEPTED


def test_password_goes_over_the_wire_as_it_was_typed(other: OtherServer, made: Make) -> None:
    made(other.url()).verify(entry(), "a&b=c+d %20 ü\t€", Deadline(20))
    assert other.asked == [{"cmd": "auth", "user": "ann", "pass": "a&b=c+d %20 ü\t€"}]


def test_unknown_people_cost_a_question_too(other: OtherServer, made: Make) -> None:
    made(other.url()).verify_nobody("guess", Deadline(20))
    (asked,) = other.asked
    assert asked["pass"] == "guess"
    assert asked["user"] not in PASSWORDS


def test_check_finds_a_server_that_accepts_everybody(other: OtherServer, made: Make) -> None:
    other.lie = lambda fields: Reply(b'{"succeeded": true}') if fields["cmd"] == "auth" else None
    findings = list(made(other.url()).check(Deadline(20)))
    assert [finding.level for finding in findings] == ["ok", "error"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "authority")
    made.create()
    return made


def test_certificate_of_the_given_authority_is_accepted(authority: Authority, made: Make) -> None:
    with closing(OtherServer(authority.issue("good"))) as server:
        backend = made(server.url(), ca_file=str(authority.ca_file))
        assert len(names(backend)) == len(USERS)
        assert backend.verify(entry(), PASSWORDS["ann"], Deadline(20)) is Verdict.ACCEPTED


@pytest.mark.parametrize("fault", ["unknown authority", "another name", "expired"])
def test_certificate_that_proves_nothing_is_an_outage(authority: Authority, made: Make, fault: str) -> None:
    addresses = ("127.0.0.9",) if fault == "another name" else ("127.0.0.1",)
    certificate = authority.issue("bad", addresses=addresses, is_expired=fault == "expired")
    with closing(OtherServer(certificate)) as server:
        backend = made(server.url(), **({} if fault == "unknown authority" else {"ca_file": str(authority.ca_file)}))
        with pytest.raises(BackendUnavailable, match=r"the certificate of https://.* is refused"):
            backend.verify(entry(), PASSWORDS["ann"], Deadline(20))
        assert server.asked == []


def test_handshake_that_never_ends_is_cut_at_the_deadline(
    authority: Authority, tcp_proxy: Callable[[int], TcpProxy], made: Make
) -> None:
    with closing(OtherServer(authority.issue("good"))) as server:
        proxy = tcp_proxy(server.port)
        backend = made(server.url(proxy.port), ca_file=str(authority.ca_file))
        for fault in (BlackHole(), FreezeAfter(100), Drip(0.01)):
            proxy.fault = fault
            started = time.monotonic()
            with pytest.raises(BackendTimeout):
                names(backend, 0.4)
            assert time.monotonic() - started < 5
        proxy.fault = Pass()
        assert len(names(backend)) == len(USERS)


def test_authority_that_cannot_be_read_is_named(other: OtherServer, made: Make) -> None:
    backend = made(other.url().replace("http://", "https://"), ca_file="missing.pem")
    with pytest.raises(BackendMisconfigured, match=r"ca_file .*missing\.pem"):
        names(backend)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"url": "ftp://example.org/"}, "give http://host/path"),
        ({"url": "https://example.org:port/"}, "give http://host/path"),
        ({"url": "https:///path"}, "a host and a path"),
        ({"url": "https://user@example.org/"}, "a host and a path"),
        ({"url": "https://example.org/?cmd=list"}, "a host and a path"),
        ({"url": "http://example.org/"}, "in the clear"),
        ({"url": "http://10.1.2.3/"}, "in the clear"),
        ({"username": None}, "one of username and password"),
        ({"map": {"tz": "zone"}}, "'zone': there is only userName"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(made: Make, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(**{"url": "https://example.org/", **keys})


def test_plain_http_is_possible_here_and_where_it_is_allowed(made: Make) -> None:
    for url in ("http://localhost/", "http://127.0.0.2:81/x", "http://[::1]/"):
        made(url)
    made("http://example.org/", allow_plain_http=True)


def test_name_that_has_no_address_is_an_outage(made: Make) -> None:
    with pytest.raises(BackendUnavailable):
        names(made("https://no-such-host.invalid/"))


def test_nothing_secret_is_logged(other: OtherServer, made: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    backend = made(other.url())
    backend.verify(entry(), "the password", Deadline(20))
    assert "the password" not in caplog.text
    assert "süßes" not in caplog.text + repr(backend) + str(vars(backend))


def test_list_is_mapped_with_all_addresses(other: OtherServer, made: Make, tmp_path: Path) -> None:
    mapper = open_mapper(plugin.HttpDirectoryBackend, make_table(other.url()), tmp_path)
    users = {user.username: user for user in list_users(made(other.url()), mapper, Deadline(20))}
    assert [email.address for email in users["Bob"].emails] == ["1@example.org", "1@example.com"]
    assert users["dora"].distinguished_name == "uid=5"
    assert users["eve"].emails == ()


def test_plugin_registers_its_type() -> None:
    assert [backend.type for backend in plugin.register_backends()] == ["http_directory"]
