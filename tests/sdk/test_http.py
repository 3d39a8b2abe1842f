"""The HTTP client: what goes over the wire, how connections are kept, and where they may lead."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from integration_server import (
    AddressRefused,
    ConsumerUnavailable,
    Deadline,
    DeliveryFailed,
    HttpAnswer,
    ReceiverUnreachable,
    Watchdog,
)
from integration_server.sdk.certificates import Sightings
from integration_server.sdk.http import HttpClient
from tests.scripted_server import OK, ScriptedServer, answering, read_request
from tests.servers.certificates import Authority

Post = Callable[..., HttpAnswer]


class Clock:
    """Monotonic time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Iterator[HttpClient]:
    """One that may connect to this machine."""
    made = HttpClient(["127.0.0.0/8", "::1"], Watchdog(), clock)
    yield made
    made.close()


@pytest.fixture
def strict() -> Iterator[HttpClient]:
    """One that may connect to the public network only."""
    made = HttpClient([], Watchdog())
    yield made
    made.close()


def post(client: HttpClient, url: str, seconds: float = 5.0, **more: object) -> HttpAnswer:
    return client.post(url, b"{}", {"Content-Type": "application/json"}, Deadline(seconds), **more)  # type: ignore[arg-type]


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Stands for the resolver of the system: each question gets the next answer, the last one from then on."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


# -- over the wire --------------------------------------------------------------------------------------------------


def test_request_is_exactly_what_was_asked_for(client: HttpClient) -> None:
    seen = []

    def script(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\nyes")

    with ScriptedServer(script) as server:
        url = server.url("/hook?key=a%20b+c&d=%41'")
        answer = client.post(url, b'{"a": 1}', {"Content-Type": "application/json", "X-Key": "ü"}, Deadline(5))
    assert answer == HttpAnswer(202, {"x-a": "1, 2", "content-length": "3"}, b"yes")
    assert seen == [
        b"POST /hook?key=a%20b+c&d=%41' HTTP/1.1\r\n"
        + f"Host: 127.0.0.1:{server.port}\r\n".encode()
        + b"Accept-Encoding: identity\r\nContent-Length: 8\r\nContent-Type: application/json\r\nX-Key: \xfc\r\n\r\n"
        + b'{"a": 1}'
    ]


def test_empty_body_has_a_length(client: HttpClient) -> None:
    seen = []
    with ScriptedServer(lambda connection: (seen.append(read_request(connection)), connection.sendall(OK))) as server:
        client.post(server.url(), b"", {}, Deadline(5))
    assert b"\r\nContent-Length: 0\r\n" in seen[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("X-A", "a\r\nX-B: b"), ("X-A", "a\n"), ("X-A", "a\0"), ("X-A", "Ω"), ("X A", "a"), ("X-A:", "a"), ("", "a")),
        *(("Host", "other"), ("content-length", "0"), ("Transfer-Encoding", "chunked"), ("Connection", "close")),
    ],
)
def test_headers_that_would_change_the_request_are_refused(client: HttpClient, name: str, value: str) -> None:
    with ScriptedServer(answering(OK)) as server:
        with pytest.raises(DeliveryFailed):
            client.post(server.url(), b"", {name: value}, Deadline(5))
        assert server.connections == 0


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 200 K\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n", 200, b"abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 500, b""),
        (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n", 302, b""),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b""),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x00\xff{[", 200, b"\x00\xff{["),
    ],
)  # fmt: skip
def test_answers_are_read_as_they_are_and_the_connection_serves_again(
    client: HttpClient, answer: bytes, status: int, body: bytes
) -> None:
    with ScriptedServer(answering(answer, OK)) as server:
        found = post(client, server.url())
        assert (found.status, found.body) == (status, body)
        assert post(client, server.url()).body == b"taken"
        assert server.connections == 1


def test_redirects_cookies_and_proxies_do_not_exist(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes | None] = []

    def script(connection: socket.socket) -> None:
        for _ in range(2):
            seen.append(read_request(connection))
            connection.sendall(
                b"HTTP/1.1 307 Elsewhere\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
            )

    with ScriptedServer(answering(OK)) as proxy, ScriptedServer(script) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url("/"))
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert post(client, server.url()).status == 307
        assert post(client, server.url()).status == 307
        assert proxy.connections == 0
    assert len(seen) == 2
    assert seen[0] == seen[1]


# -- connections ----------------------------------------------------------------------------------------------------


def test_connection_is_kept_for_the_next_request(client: HttpClient) -> None:
    with ScriptedServer(answering(OK)) as server:
        for _ in range(50):
            assert post(client, server.url()).status == 200
        assert server.connections == 1


def test_threads_have_connections_of_their_own(client: HttpClient) -> None:
    barrier = threading.Barrier(4)

    def script(connection: socket.socket) -> None:
        while read_request(connection) is not None:
            barrier.wait(10)
            connection.sendall(OK)

    with ScriptedServer(script) as server:
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.extend(post(client, server.url()).status for _ in range(20)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert found == [200] * 80
        assert server.connections == 4


def test_connection_serves_for_sixty_seconds_at_most(client: HttpClient, clock: Clock) -> None:
    with ScriptedServer(answering(OK)) as server:
        post(client, server.url())
        clock.now += 59
        post(client, server.url())
        assert server.connections == 1
        clock.now += 2
        post(client, server.url())
        assert server.connections == 2


def test_old_connections_are_closed_even_when_nobody_wants_their_destination(client: HttpClient, clock: Clock) -> None:
    ended = threading.Event()

    def script(connection: socket.socket) -> None:
        answering(OK)(connection)
        ended.set()

    with ScriptedServer(script) as server, ScriptedServer(answering(OK)) as other:
        post(client, server.url())
        clock.now += 61
        post(client, other.url())
        assert ended.wait(5)


def test_a_closed_client_keeps_nothing_open(client: HttpClient) -> None:
    ended = threading.Event()

    def script(connection: socket.socket) -> None:
        answering(OK)(connection)
        ended.set()

    with ScriptedServer(script) as server:
        post(client, server.url())
        client.close()
        client.close()
        assert ended.wait(5)
        with pytest.raises(ConsumerUnavailable, match="stopped"):
            post(client, server.url())


def test_receiver_that_closes_idle_connections_is_no_outage(client: HttpClient) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK)

    with ScriptedServer(script) as server:
        for number in range(5):
            assert post(client, server.url()).status == 200
            assert server.connections == number + 1
            time.sleep(0.05)


@pytest.mark.parametrize("is_reset", [False, True])
def test_connection_that_ends_as_the_request_comes_is_replaced_once(client: HttpClient, is_reset: bool) -> None:
    seen: list[bytes | None] = []

    def script(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(OK)
        # The second one is read whole or not at all, and then the connection ends without an answer.
        if is_reset:
            connection.recv(1)
        else:
            seen.append(read_request(connection))

    with ScriptedServer(script) as server:
        assert post(client, server.url()).status == 200
        assert post(client, server.url()).status == 200
        assert server.connections == 2


def test_new_connection_that_ends_without_an_answer_is_not_tried_again(client: HttpClient) -> None:
    with ScriptedServer(read_request) as server:
        with pytest.raises(ConsumerUnavailable, match="without an answer"):
            post(client, server.url())
        assert server.connections == 1


def test_outage_before_anything_was_sent_is_told_from_one_after_which_nobody_knows(client: HttpClient) -> None:
    def script(connection: socket.socket) -> None:
        answering(OK)(connection)

    with ScriptedServer(script) as server:
        post(client, server.url())
        server.script = read_request
        server.drop()
        time.sleep(0.1)
        with pytest.raises(ConsumerUnavailable, match="without an answer") as caught:
            post(client, server.url())
        assert not isinstance(caught.value, ReceiverUnreachable)
        url = server.url()
    with pytest.raises(ReceiverUnreachable, match="refused"):
        post(client, url)
    with pytest.raises(ReceiverUnreachable, match="in time"):
        post(client, url, seconds=-1)


def test_request_that_went_out_on_a_connection_that_ended_was_sent(client: HttpClient) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK)
        read_request(connection)
        server.close()

    with ScriptedServer(script) as server:
        post(client, server.url())
        with pytest.raises(ConsumerUnavailable, match="refused") as caught:
            post(client, server.url())
    assert not isinstance(caught.value, ReceiverUnreachable)


def test_answer_that_began_is_not_asked_for_again(client: HttpClient) -> None:
    with ScriptedServer(lambda connection: answering(OK, b"HTTP/1.1 200 OK\r\nContent-Le")(connection)) as server:
        post(client, server.url())
        thread = threading.Timer(0.3, server.close)
        thread.start()
        with pytest.raises(ConsumerUnavailable):
            post(client, server.url())
        assert server.connections == 1


def test_receiver_may_answer_before_it_has_read_everything(client: HttpClient) -> None:
    def script(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass

    with ScriptedServer(script) as server:
        answer = client.post(server.url(), b"x" * 5_000_000, {}, Deadline(5))
    assert answer.status == 413


def test_destinations_with_other_networks_or_trust_share_no_connection(client: HttpClient, strict: HttpClient) -> None:
    with ScriptedServer(answering(OK)) as server:
        post(strict, server.url(), allow_networks=["127.0.0.1"])
        with pytest.raises(AddressRefused):
            post(strict, server.url())
        with pytest.raises(AddressRefused):
            post(strict, server.url(), allow_networks=["127.0.0.2"])
        assert server.connections == 1


# -- where they may lead --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "LOCALHOST", "localhost.", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"),
        *("[::ffff:7f00:1]", "①②⑦.⓪.⓪.①"),
    ],
)  # fmt: skip
def test_this_machine_is_refused_however_it_is_written(strict: HttpClient, host: str) -> None:
    with ScriptedServer(answering(OK)) as server:
        # Where the resolver knows no such spelling, the name leads nowhere, which is as good.
        with pytest.raises(ConsumerUnavailable, match=r"allow_networks|cannot be resolved"):
            post(strict, server.url(host=host))
        with pytest.raises(ConsumerUnavailable, match=r"allow_networks|cannot be resolved"):
            strict.check(server.url(host=host), Deadline(5))
        time.sleep(0.02)
        assert server.connections == 0


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0x7f.1", "0", "0177.0.0.1"])
def test_address_that_is_not_four_numbers_is_nothing_to_send_to(strict: HttpClient, host: str) -> None:
    with ScriptedServer(answering(OK)) as server:
        with pytest.raises(DeliveryFailed, match="four numbers"):
            post(strict, server.url(host=host))
        with pytest.raises(DeliveryFailed, match="four numbers"):
            strict.check(server.url(host=host), Deadline(5))
        time.sleep(0.02)
        assert server.connections == 0


def test_refusal_names_address_and_key(strict: HttpClient) -> None:
    with pytest.raises(AddressRefused) as caught:
        post(strict, "http://10.1.2.3/hook?key=geheim")
    assert str(caught.value) == (
        "10.1.2.3 is a private address; add 10.1.2.3 or its network to [forwarding] allow_networks if that is meant"
    )


def test_metadata_is_refused_although_everything_is_allowed() -> None:
    client = HttpClient(["0.0.0.0/0", "::/0"], Watchdog())
    for host in ("169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"):
        with pytest.raises(AddressRefused, match="credentials"):
            post(client, f"http://{host}/latest/meta-data/")


def test_every_address_of_a_name_is_checked(strict: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolving(monkeypatch, ["127.0.0.1", "10.0.0.1"])
    with ScriptedServer(answering(OK)) as server:
        with pytest.raises(AddressRefused, match=r"hook\.example\.test \(10\.0\.0\.1\)"):
            post(strict, server.url(host="hook.example.test"), allow_networks=["127.0.0.0/8"])
        assert server.connections == 0
    assert asked == ["hook.example.test"]


def test_what_was_checked_is_what_is_connected_to(strict: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes between the check and the connection: there is nothing between, the name is asked once."""
    asked = resolving(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    with ScriptedServer(answering(OK)) as server:
        url = server.url(host="hook.example.test")
        assert post(strict, url, allow_networks=["127.0.0.1"]).status == 200
        assert len(asked) == 1
        assert post(strict, url, allow_networks=["127.0.0.1"]).status == 200
        assert len(asked) == 1


def test_name_is_asked_for_and_checked_anew_for_each_connection(
    client: HttpClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolving(monkeypatch, ["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1"])
    with ScriptedServer(answering(OK)) as server:
        url = server.url(host="hook.example.test")
        assert post(client, url).status == 200
        clock.now += 61
        with pytest.raises(AddressRefused):
            post(client, url)
        assert post(client, url).status == 200
        assert len(asked) == 3
        assert server.connections == 2


def test_second_address_is_tried_when_the_first_refuses(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["127.0.0.99", "127.0.0.1"])
    with ScriptedServer(answering(OK)) as server:
        assert post(client, server.url(host="hook.example.test")).status == 200


def test_host_header_stays_the_urls(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["127.0.0.1"])
    seen = []
    with ScriptedServer(lambda connection: (seen.append(read_request(connection)), connection.sendall(OK))) as server:
        post(client, server.url(host="Hook.Example.Test."))
    assert f"\r\nHost: hook.example.test:{server.port}\r\n".encode() in seen[0]


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6_works_and_keeps_its_brackets(client: HttpClient) -> None:
    seen = []
    try:
        server = ScriptedServer(
            lambda connection: (seen.append(read_request(connection)), connection.sendall(OK)), family=socket.AF_INET6
        )
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with server:
        assert post(client, server.url(host="[::1]")).status == 200
    assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in seen[0]


def test_unknown_name_is_an_outage(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(ConsumerUnavailable, match=r"nowhere\.example\.test cannot be resolved"):
        post(client, "http://nowhere.example.test/")


def test_wrong_url_or_network_is_told_at_once(client: HttpClient) -> None:
    with pytest.raises(DeliveryFailed, match="https:// or http://"):
        post(client, "ftp://example.org/")
    with pytest.raises(DeliveryFailed, match="nonsense"):
        post(client, "http://127.0.0.1/", allow_networks=["nonsense"])
    with pytest.raises(ValueError, match="nonsense"):
        HttpClient(["nonsense"], Watchdog())


# -- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.create()
    return made


def test_certificate_is_checked_against_the_urls_name(
    client: HttpClient, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, ["127.0.0.1"])
    certificate = authority.issue("hook", names=("hook.example.test",), addresses=())
    ca_file = str(authority.ca_file)
    with ScriptedServer(answering(OK), certificate) as server:
        assert post(client, server.url(host="hook.example.test"), ca_file=ca_file).status == 200
        assert post(client, server.url(host="hook.example.test"), ca_file=ca_file).status == 200
        assert server.connections == 1
        assert server.server_names == ["hook.example.test"]
        with pytest.raises(ConsumerUnavailable, match=r"certificate of https://other\.example\.test:\d+ is refused"):
            post(client, server.url(host="other.example.test"), ca_file=ca_file)
        with pytest.raises(ConsumerUnavailable, match="certificate"):
            post(client, server.url(host="127.0.0.1"), ca_file=ca_file)


def test_certificate_for_an_address_is_good_for_that_address(client: HttpClient, authority: Authority) -> None:
    with ScriptedServer(answering(OK), authority.issue("address")) as server:
        assert post(client, server.url(), ca_file=str(authority.ca_file)).status == 200


def test_expired_certificate_is_refused(client: HttpClient, authority: Authority) -> None:
    with (
        ScriptedServer(answering(OK), authority.issue("old", is_expired=True)) as server,
        pytest.raises(ConsumerUnavailable, match="expired"),
    ):
        post(client, server.url(), ca_file=str(authority.ca_file))


def test_unknown_authority_is_refused_unless_nothing_is_verified(client: HttpClient, authority: Authority) -> None:
    with ScriptedServer(answering(OK), authority.issue("unknown")) as server:
        with pytest.raises(ConsumerUnavailable, match="certificate"):
            post(client, server.url())
        assert post(client, server.url(), is_verified=False).status == 200
        with pytest.raises(ConsumerUnavailable, match="certificate"):
            post(client, server.url())


def test_missing_authority_file_is_told_by_name(client: HttpClient) -> None:
    with ScriptedServer(answering(OK)) as server, pytest.raises(ConsumerUnavailable, match=r"no-such\.pem"):
        post(client, server.url().replace("http:", "https:"), ca_file="/no-such.pem")


def test_plain_http_behind_an_https_url_is_an_outage(client: HttpClient) -> None:
    def script(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with ScriptedServer(script) as server, pytest.raises(ConsumerUnavailable, match="TLS"):
        post(client, server.url().replace("http:", "https:"), 2.0)


def test_second_answer_in_tls_is_nobodys(client: HttpClient, authority: Authority) -> None:
    """The rest of one TLS record is with us although the socket looks quiet."""
    more = OK.replace(b"taken", b"stale") * 250
    with ScriptedServer(answering(OK + more, OK), authority.issue("double")) as server:
        for _ in range(3):
            assert post(client, server.url(), ca_file=str(authority.ca_file)).body == b"taken"
            time.sleep(0.05)


@pytest.mark.parametrize("is_verified", [True, False])
def test_the_end_of_a_receivers_certificate_is_noted(authority: Authority, is_verified: bool) -> None:
    sightings = Sightings()
    client = HttpClient(["127.0.0.0/8"], Watchdog(), sightings=sightings)
    ca_file = {"ca_file": str(authority.ca_file)} if is_verified else {}
    with ScriptedServer(answering(OK, OK), authority.issue("noted")) as server:
        post(client, server.url("/hook?key=secret"), is_verified=is_verified, **ca_file)
        origin = server.url().removesuffix("/hook")
    client.close()
    seen = {one.certificate.holder: one.certificate.expires_at - time.time() for one in sightings.take()}
    assert seen.pop(origin) == pytest.approx(365 * 86400, abs=60)
    if is_verified:
        ((holder, seconds),) = seen.items()
        assert holder == f"ca_file {authority.ca_file} (Authority of the test suite)"
        assert seconds == pytest.approx(700 * 86400, abs=600)
    else:
        assert seen == {}


def test_kept_connection_that_tls_ended_is_replaced(client: HttpClient, authority: Authority) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK)

    with ScriptedServer(script, authority.issue("short")) as server:
        for _ in range(3):
            assert post(client, server.url(), ca_file=str(authority.ca_file)).status == 200
            time.sleep(0.05)
        assert server.connections == 3


@pytest.mark.parametrize(("path", "target"), [("/gw", "/gw?do=x&id=%C3%85"), ("/gw?a=1", "/gw?a=1&do=x&id=%C3%85")])
def test_get_adds_its_query_to_that_of_the_url(client: HttpClient, path: str, target: str) -> None:
    seen: list[bytes | None] = []
    with ScriptedServer(lambda connection: (seen.append(read_request(connection)), connection.sendall(OK))) as server:
        answer = client.get(server.url(path), "do=x&id=%C3%85", {"X-Own": "1"}, Deadline(5.0))
    assert (answer.status, answer.is_second) == (200, False)
    head = (seen[0] or b"").decode()
    assert head.startswith(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "X-Own: 1\r\n" in head
    assert "Content-Length" not in head


def test_request_that_went_out_twice_says_so(client: HttpClient) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK)
        # Kept open until the next request has come, which is not answered.
        read_request(connection)

    with ScriptedServer(script) as server:
        answers = [client.get(server.url(), "n=1", {}, Deadline(5.0)) for _ in range(2)]
    assert [one.is_second for one in answers] == [False, True]


@pytest.mark.parametrize("query", ["a b", "a\r\nX: 1", "\u00e4", "a\x00"])
def test_query_that_would_break_the_request_is_refused(client: HttpClient, query: str) -> None:
    with pytest.raises(DeliveryFailed, match="printable"):
        client.get("http://127.0.0.1:9/", query, {}, Deadline(5.0))
