"""Receivers that keep the HTTP client waiting, cut their answers short, or send more than anybody wants."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from integration_server import ConsumerUnavailable, Deadline, Watchdog
from integration_server.sdk.http import HttpClient
from tests.scripted_server import OK, Script, ScriptedServer, answering, read_request
from tests.servers.certificates import Authority

SECONDS = 0.5
#: How much later than the deadline the answer may be, on a machine that is busy with other tests.
GRACE = 3.0


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(["127.0.0.0/8"], Watchdog())
    yield made
    made.close()


@pytest.fixture
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.create()
    return made


def must_end_in_time(client: HttpClient, url: str, **more: object) -> None:
    began = time.monotonic()
    with pytest.raises(ConsumerUnavailable, match="in time"):
        client.post(url, b"{}", {}, Deadline(SECONDS), **more)  # type: ignore[arg-type]
    assert SECONDS * 0.9 < time.monotonic() - began < SECONDS + GRACE


def drip(content: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        for number in range(len(content)):
            connection.sendall(content[number : number + 1])
            time.sleep(0.1)

    return script


def hanging(content: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(content)
        connection.recv(1)

    return script


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(hanging(b""), id="hangs-before-the-headers"),
        pytest.param(hanging(b"HTTP/1.1 200 OK\r\nContent-Le"), id="hangs-in-the-headers"),
        pytest.param(hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), id="hangs-after-the-headers"),
        pytest.param(hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntake"), id="hangs-in-the-body"),
        pytest.param(
            hanging(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), id="hangs-in-chunks"
        ),
        pytest.param(hanging(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"), id="never-ends"),
        pytest.param(drip(OK), id="drips-headers"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b"x" * 99), id="drips-everything"),
        pytest.param(drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 9), id="drips-continues"),
    ],
)
def test_total_deadline_holds(client: HttpClient, script: Script) -> None:
    with ScriptedServer(script) as server:
        must_end_in_time(client, server.url())


def test_receiver_that_reads_nothing_is_left_at_the_deadline(client: HttpClient) -> None:
    with ScriptedServer(lambda _: time.sleep(SECONDS + 1)) as server:
        began = time.monotonic()
        with pytest.raises(ConsumerUnavailable, match="in time"):
            client.post(server.url(), b"x" * 50_000_000, {}, Deadline(SECONDS))
        assert time.monotonic() - began < SECONDS + GRACE


def test_deadline_holds_while_a_connection_is_not_taken(client: HttpClient) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        crowd = [socket.socket() for _ in range(4)]
        for each in crowd:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        time.sleep(0.05)
        must_end_in_time(client, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        for each in crowd:
            each.close()


@pytest.mark.parametrize("is_dripping", [False, True])
def test_deadline_holds_while_tls_is_negotiated(client: HttpClient, is_dripping: bool) -> None:
    def script(connection: socket.socket) -> None:
        connection.recv(1000)
        # The head of a record of 4,000 bytes, and then its content, slowly.
        connection.sendall(b"\x16\x03\x03\x0f\xa0")
        while is_dripping:
            connection.sendall(b"\x02")
            time.sleep(0.05)
        connection.recv(1)

    with ScriptedServer(script) as server:
        must_end_in_time(client, server.url().replace("http:", "https:"))


def test_deadline_holds_in_a_tls_answer(client: HttpClient, authority: Authority) -> None:
    with ScriptedServer(drip(OK), authority.issue("slow")) as server:
        must_end_in_time(client, server.url(), ca_file=str(authority.ca_file))


def test_silent_resolver_holds_one_thread_for_a_name_and_nobody_past_the_deadline(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        if host == "silent.example.test":
            release.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with ScriptedServer(answering(OK)) as server:
        threads = [
            threading.Thread(target=must_end_in_time, args=(client, server.url(host="silent.example.test")))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        answer = client.post(server.url(host="quick.example.test"), b"", {}, Deadline(5))
        assert answer.status == 200
        for thread in threads:
            thread.join(10)
        assert sum(thread.name == "resolver" for thread in threading.enumerate()) == 1
        assert sorted(asked) == ["quick.example.test", "silent.example.test"]
        release.set()
        # Once the resolver speaks again, so does the name.
        assert client.post(server.url(host="silent.example.test"), b"", {}, Deadline(5)).status == 200


def test_deadline_that_has_passed_sends_nothing(client: HttpClient) -> None:
    deadline = Deadline(0.001)
    time.sleep(0.01)
    with ScriptedServer(answering(OK)) as server:
        with pytest.raises(ConsumerUnavailable, match="in time"):
            client.post(server.url(), b"", {}, deadline)
        assert server.connections == 0


def test_connection_after_a_deadline_is_a_new_one(client: HttpClient) -> None:
    """What comes late must not be taken for the answer to the next request."""
    late = threading.Event()

    def script(connection: socket.socket) -> None:
        read_request(connection)
        late.wait(5)
        connection.sendall(OK.replace(b"taken", b"stale"))

    with ScriptedServer(script) as server:
        must_end_in_time(client, server.url())
        server.script = answering(OK)
        late.set()
        assert client.post(server.url(), b"", {}, Deadline(5)).body == b"taken"
        assert server.connections == 2


# -- cut and garbled ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "without an answer"),
        (b"HTTP", "proper HTTP"),
        (b"HTTP/1.1 200 OK", "in the middle"),
        (b"HTTP/1.1 200 OK\r\n", "in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntake", "in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ntak", "in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ntaken\r\n", "in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\ntaken\r\n", "in the middle"),
        (b"220 mail.example.org ESMTP\r\n", "proper HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "proper HTTP"),
        (b"HTTP/9.9 200 OK\r\n\r\n", "proper HTTP"),
        (b"\x00\xff\xfe" * 30 + b"\r\n\r\n", "proper HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n", "proper HTTP"),
    ],
)  # fmt: skip
def test_answer_that_is_not_whole_is_none(client: HttpClient, answer: bytes, told: str) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    with ScriptedServer(script) as server:
        with pytest.raises(ConsumerUnavailable, match=told):
            client.post(server.url(), b"{}", {}, Deadline(5))
        assert server.connections == 1


def test_answer_whose_end_is_the_end_of_the_connection_is_whole(client: HttpClient) -> None:
    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\ntaken")

    with ScriptedServer(script) as server:
        for _ in range(2):
            assert client.post(server.url(), b"", {}, Deadline(5)).body == b"taken"
        assert server.connections == 2


def test_length_that_is_no_number_one_can_read_is_none(client: HttpClient) -> None:
    """The body ends with the connection then, as without any."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\ntaken")

    with ScriptedServer(script) as server:
        assert client.post(server.url(), b"", {}, Deadline(20)).body == b"taken"


def test_refused_connection_is_an_outage(client: HttpClient) -> None:
    with ScriptedServer(answering(OK)) as server:
        pass
    with pytest.raises(ConsumerUnavailable, match=rf"http://127\.0\.0\.1:{server.port} cannot be reached: .*refused"):
        client.post(server.url(), b"", {}, Deadline(5))


def test_second_answer_to_one_request_is_nobodys(client: HttpClient) -> None:
    with ScriptedServer(answering(OK + OK.replace(b"taken", b"stale"), OK)) as server:
        assert client.post(server.url(), b"", {}, Deadline(5)).body == b"taken"
        time.sleep(0.05)
        assert client.post(server.url(), b"", {}, Deadline(5)).body == b"taken"


# -- too much -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head", [b"Content-Length: 10000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n989680\r\n", b"\r\n"]
)
def test_big_answer_is_read_up_to_twenty_thousand_bytes(client: HttpClient, head: bytes) -> None:
    ended = threading.Event()

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)
        try:
            for _ in range(10_000):
                connection.sendall(b"x" * 1000)
        finally:
            ended.set()

    with ScriptedServer(script) as server:
        for number in range(2):
            answer = client.post(server.url(), b"", {}, Deadline(5))
            assert answer.status == 200
            assert answer.body == b"x" * 20_000
            assert ended.wait(5)
            assert server.connections == number + 1


@pytest.mark.parametrize(
    ("opening", "more"),
    [
        pytest.param(b"", b"x" * 1000, id="a-status-without-end"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", id="headers-without-end"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 60_000 + b"\r\n", id="long-headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 1000, id="a-header-without-end"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="continues-without-end"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\nX-A: b\r\n", id="headers-of-a-continue"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 1000, id="a-size-without-end"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000, id="endless-extension"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-T: b\r\n", id="trailers-without-end"
        ),
    ],
)  # fmt: skip
def test_what_stands_around_the_body_is_bounded(client: HttpClient, opening: bytes, more: bytes) -> None:
    sent = [0]

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(opening)
        while True:
            connection.sendall(more * 100)
            sent[0] += len(more) * 100

    with ScriptedServer(script) as server, pytest.raises(ConsumerUnavailable, match=r"proper HTTP|in the middle"):
        client.post(server.url(), b"", {}, Deadline(20))
    # Most of it lies in the buffers of the system.
    assert sent[0] < 50_000_000


def leaks(count: Callable[[], int], work: Callable[[], object]) -> int:
    work()
    before = count()
    for _ in range(5):
        work()
    return count() - before


def test_nothing_is_left_open_by_failures(client: HttpClient) -> None:
    def descriptors() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    ended: list[int] = []

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nta")
        ended.append(1)

    with ScriptedServer(script) as server:

        def work() -> None:
            with pytest.raises(ConsumerUnavailable):
                client.post(server.url(), b"", {}, Deadline(5))
            time.sleep(0.02)

        assert leaks(descriptors, work) <= 0
