"""A push server as the relay of another one, both with real listeners."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration_server import ConfigError, HttpClient, Watchdog
from integration_server.builtin.push.tables import TABLES, agents, channels
from integration_server.builtin.push.upstream import Upstream, UpstreamNonsense, UpstreamRefused, UpstreamUnavailable
from integration_server.server.installation import opened
from tests.builtin.push.liar import Liar, http
from tests.builtin.push.live_push import LivePush, live_push
from tests.builtin.push.push_site import new_channel, write_push
from tests.servers.certificates import Authority
from tests.waiting import wait_for


@contextmanager
def relay_of(upstream: str, folder: Path, **settings: object) -> Iterator[LivePush]:
    known = {"upstream": upstream, "public_url": None, "upstream_wait_seconds": 2}
    with live_push(folder, **{**known, **settings}) as running:
        yield running


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePush]:
    with live_push(tmp_path_factory.mktemp("upstream"), in_flight_seconds=1.0) as running:
        yield running


def url_of(live: LivePush) -> str:
    return f"http://127.0.0.1:{live.http_port}/push"


@pytest.fixture(scope="module")
def relay(upstream: LivePush, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePush]:
    with relay_of(url_of(upstream), tmp_path_factory.mktemp("relay")) as running:
        yield running


def register(live: LivePush, uaid: str | None = None, **more: object) -> dict[str, str]:
    status, answer = live.post("register", {"UAID": uaid, "APPID": new_channel(), **more})
    assert status == 200, answer
    found: dict[str, str] = answer
    return found


def update(live: LivePush, *uaids: str, wait: int = 20) -> Any:
    """What the next UPDATE has, once there is one, acknowledged at once."""
    status, answer = wait_for(lambda: (found := live.post("connect", {"UAIDS": uaids}, wait))[1] and found, "an UPDATE")
    assert status == 200, answer
    assert live.post("ack", {"UAIDS": answer["UPDATE"]})[0] == 204
    return answer["UPDATE"]


def put(live: LivePush, endpoint: str, version: int) -> int:
    """What an app server is answered, once nothing is in flight."""
    return wait_for(lambda: (status := live.put(endpoint, version)) != 503 and status, "an answer")


# -- what passes through -------------------------------------------------------------------------------------------


def test_endpoint_is_the_upstream_servers_and_versions_arrive(upstream: LivePush, relay: LivePush) -> None:
    mine = register(relay)
    assert mine["ENDPOINT"].startswith(f"{url_of(upstream)}/update/")
    assert put(upstream, mine["ENDPOINT"], 7) == 202
    assert update(relay, mine["UAID"]) == {mine["UAID"]: {mine["APPID"]: 7}}
    # It is the relay's now.
    assert wait_for(lambda: upstream.put(mine["ENDPOINT"], 7) == 200)
    assert put(upstream, mine["ENDPOINT"], 8) == 202
    assert update(relay, mine["UAID"]) == {mine["UAID"]: {mine["APPID"]: 8}}


def test_upstream_server_never_hears_a_uaid_of_the_relays_clients(upstream: LivePush, relay: LivePush) -> None:
    mine = register(relay)
    assert upstream.post("connect", {"UAIDS": [mine["UAID"]]})[0] == 410
    again = register(relay, mine["UAID"])
    assert again["UAID"] == mine["UAID"]
    put(upstream, mine["ENDPOINT"], 1)
    put(upstream, again["ENDPOINT"], 2)
    wanted = {mine["APPID"]: 1, again["APPID"]: 2}
    found: dict[str, int] = {}
    while found != wanted:
        found |= update(relay, mine["UAID"])[mine["UAID"]]


def test_same_channel_again_has_the_same_endpoint(relay: LivePush) -> None:
    mine = register(relay)
    assert relay.post("register", {"UAID": mine["UAID"], "APPID": mine["APPID"]}) == (200, mine)


def test_websocket_clients_are_told(upstream: LivePush, relay: LivePush) -> None:
    first, second = new_channel(), new_channel()
    with relay.client() as client:
        uaid = client.hello()
        endpoint, other = client.register(first), client.register(second)
        put(upstream, endpoint, 3)
        assert client.notified() == {first: 3}
        client.ack({first: 3})
    put(upstream, endpoint, 4)
    put(upstream, other, 5)
    wait_for(lambda: upstream.put(endpoint, 4) == 200 and upstream.put(other, 5) == 200, "the relay to have both")
    with relay.client() as client:
        assert client.hello(uaid, (first, second)) == uaid
        assert client.notified() == {first: 4, second: 5}


def test_unregistering_passes_through(upstream: LivePush, relay: LivePush) -> None:
    mine = register(relay)
    kept = register(relay, mine["UAID"])
    assert relay.post("unregister", {"UAID": mine["UAID"], "APPID": mine["APPID"]})[0] == 204
    wait_for(lambda: upstream.put(mine["ENDPOINT"], 1) == 410, "the upstream server to hear of it")
    assert put(upstream, kept["ENDPOINT"], 1) == 202
    assert update(relay, mine["UAID"]) == {mine["UAID"]: {kept["APPID"]: 1}}
    # And back again.
    assert relay.post("register", {"UAID": mine["UAID"], "APPID": mine["APPID"]}) == (200, mine)
    assert put(upstream, mine["ENDPOINT"], 2) == 202
    assert update(relay, mine["UAID"]) == {mine["UAID"]: {mine["APPID"]: 2}}


def forget_all(live: LivePush) -> None:
    """The server loses what it knows."""
    with live.installation.store.storage(TABLES).writing() as connection:
        for table in (channels, agents):
            connection.execute(table.delete())


def test_reset_passes_through_once_what_waits_was_delivered(tmp_path: Path) -> None:
    with (
        live_push(tmp_path / "up") as upstream,
        relay_of(url_of(upstream), tmp_path / "relay") as relay,
        relay.client() as client,
    ):
        mine, other, channel = register(relay), register(relay), new_channel()
        uaid = client.hello()
        client.register(channel)
        put(upstream, mine["ENDPOINT"], 7)
        wait_for(lambda: upstream.put(mine["ENDPOINT"], 7) == 200, "the relay to have it")
        forget_all(upstream)
        # Who has a connection is told at once.
        assert client.closed()[0] == 4002
        with relay.client() as again:
            assert again.hello(uaid, (channel,)) != uaid
        wait_for(lambda: relay.post("connect", {"UAIDS": [other["UAID"]]})[0] == 410, "the other one to be forgotten")
        assert update(relay, mine["UAID"]) == {mine["UAID"]: {mine["APPID"]: 7}}
        # Registering is a reset at once.
        new = relay.post("register", {"UAID": mine["UAID"], "APPID": mine["APPID"]})[1]
        assert new["UAID"] != mine["UAID"]
        assert relay.post("connect", {"UAIDS": [mine["UAID"]]})[0] == 410
        put(upstream, new["ENDPOINT"], 1)
        assert update(relay, new["UAID"]) == {new["UAID"]: {mine["APPID"]: 1}}


def test_limits_of_the_upstream_server_are_told(tmp_path: Path) -> None:
    with (
        live_push(tmp_path / "up", websocket_port=None, channels_per_agent=1) as upstream,
        relay_of(url_of(upstream), tmp_path / "relay") as relay,
        relay.client() as client,
    ):
        mine = register(relay)
        status, answer = relay.post("register", {"UAID": mine["UAID"], "APPID": new_channel()})
        assert (status, "refuses" in answer["error"]) == (403, True)
        client.hello()
        client.register(new_channel())
        assert client.ask({"messageType": "register", "channelID": new_channel()})["status"] == 403
        # Others do not feel it.
        register(relay)


def test_two_relays_in_a_row(upstream: LivePush, relay: LivePush, tmp_path: Path) -> None:
    with relay_of(url_of(relay), tmp_path / "last") as last, last.client() as client:
        mine, channel = register(last), new_channel()
        assert mine["ENDPOINT"].startswith(f"{url_of(upstream)}/update/")
        client.hello()
        endpoint = client.register(channel)
        put(upstream, mine["ENDPOINT"], 5)
        put(upstream, endpoint, 6)
        assert client.notified() == {channel: 6}
        assert update(last, mine["UAID"]) == {mine["UAID"]: {mine["APPID"]: 5}}


def test_relay_wakes_its_own_clients(upstream: LivePush, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(20)
        settings = {"kick": "udp", "kick_allow_networks": ["127.0.0.0/8"]}
        with relay_of(url_of(upstream), tmp_path / "relay", **settings) as relay:
            mine = register(relay, KICK={"ip": "127.0.0.1", "port": ear.getsockname()[1]})
            bad = relay.post("register", {"APPID": new_channel(), "KICK": {"ip": "10.0.0.1", "port": 7}})
            assert bad[0] == 400
            put(upstream, mine["ENDPOINT"], 1)
            assert ear.recv(100) == b"push"


def test_upstream_server_may_want_a_user_name(tmp_path: Path) -> None:
    with live_push(tmp_path / "up", username="relay", password="pässword", websocket_port=None) as upstream:
        with relay_of(
            url_of(upstream), tmp_path / "relay", upstream_username="relay", upstream_password="pässword"
        ) as relay:
            mine = register(relay)
            put(upstream, mine["ENDPOINT"], 1)
            assert update(relay, mine["UAID"]) == {mine["UAID"]: {mine["APPID"]: 1}}
        with relay_of(url_of(upstream), tmp_path / "other") as relay:
            assert relay.post("register", {"APPID": new_channel()})[0] == 503


def test_certificate_of_the_upstream_server_is_checked(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    authority.create()
    with Liar(authority.issue("upstream")) as liar:
        liar.answers["register"] = lambda message: http(
            {"UAID": uuid.uuid4().hex, "APPID": message["APPID"], "ENDPOINT": liar.url("/x")}
        )
        # Relative to the configuration's folder.
        with relay_of(liar.url("/push"), tmp_path / "relay", upstream_ca_file="../../authority/ca.pem") as relay:
            register(relay)
        with relay_of(liar.url("/push"), tmp_path / "other") as relay:
            assert relay.post("register", {"APPID": new_channel()})[0] == 503


# -- outages -------------------------------------------------------------------------------------------------------


def test_clients_are_served_while_the_upstream_server_is_down(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as later:
        up = later.enter_context(ExitStack())
        upstream = up.enter_context(live_push(tmp_path / "up", websocket_port=None))
        settings = {"upstream_wait_seconds": 1}
        relay = later.enter_context(relay_of(url_of(upstream), tmp_path / "relay", **settings))
        mine = register(relay)
        other = register(relay, mine["UAID"])
        put(upstream, mine["ENDPOINT"], 7)
        wait_for(lambda: upstream.put(mine["ENDPOINT"], 7) == 200, "the relay to have it")
        port = upstream.http_port
        up.close()
        assert update(relay, mine["UAID"]) == {mine["UAID"]: {mine["APPID"]: 7}}
        # Nothing is new about a channel that is known; a new one needs the upstream server.
        assert relay.post("register", {"UAID": mine["UAID"], "APPID": mine["APPID"]}) == (200, mine)
        status, answer = relay.post("register", {"APPID": new_channel()})
        assert (status, answer["error"]) == (503, "the server before this one cannot be asked now; try again later")
        assert relay.post("unregister", {"UAID": mine["UAID"], "APPID": mine["APPID"]})[0] == 204
        with relay.client() as client:
            client.hello()
            assert client.ask({"messageType": "register", "channelID": new_channel()})["status"] == 503
            assert client.ask({}) == {}
        wait_for(lambda: "gets nothing from upstream" in caplog.text, "the complaint")
        # On the port that its endpoints name.
        again = later.enter_context(live_push(tmp_path / "up", at=port, websocket_port=None))
        wait_for(lambda: again.put(mine["ENDPOINT"], 9) == 410, "what was unregistered meanwhile")
        assert put(again, other["ENDPOINT"], 8) == 202
        assert update(relay, mine["UAID"]) == {mine["UAID"]: {other["APPID"]: 8}}
    told = [one for one in caplog.records if "gets nothing from upstream" in one.getMessage()]
    assert len(told) <= 2


def test_slow_upstream_server_holds_up_no_other_client(tmp_path: Path) -> None:
    go_on = threading.Event()

    def slow(message: dict[str, Any]) -> bytes:
        go_on.wait(30)
        return http({})

    with Liar() as liar, relay_of(liar.url("/push"), tmp_path / "relay") as relay, relay.client() as slow_client:
        liar.answers["register"] = slow
        slow_client.hello()
        slow_client.say({"messageType": "register", "channelID": new_channel()})
        wait_for(lambda: liar.messages("register"), "the registration")
        with relay.client() as client:
            client.hello()
            assert client.ask({}) == {}
        threads = [threading.Thread(target=lambda: relay.post("register", {"APPID": new_channel()})) for _ in range(12)]
        for thread in threads:
            thread.start()
        assert relay.post("connect", {"UAIDS": ["x"]})[0] == 410
        assert relay.put(f"http://x/push/update/{'x' * 44}") == 404
        go_on.set()
        for thread in threads:
            thread.join(30)


# -- lies ----------------------------------------------------------------------------------------------------------

UAID = "0" * 31 + "1"


@pytest.fixture(scope="module")
def lied_to(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Liar, LivePush]]:
    with Liar() as liar:
        folder = tmp_path_factory.mktemp("lied to")
        with relay_of(liar.url("/push"), folder, upstream_wait_seconds=1) as relay:
            yield liar, relay


@dataclass
class Lied:
    """A client of a relay that is lied to. ``upstream`` is its UAID there."""

    liar: Liar
    relay: LivePush
    uaid: str
    channel: str
    upstream: str

    def poll(self) -> tuple[int, Any]:
        return self.relay.post("connect", {"UAIDS": [self.uaid]})

    def acks(self) -> list[dict[str, int]]:
        """Those for this client."""
        found = [one["UAIDS"].get(self.upstream) for one in self.liar.messages("ack")]
        return [one for one in found if one]


@pytest.fixture
def lied(lied_to: tuple[Liar, LivePush]) -> Iterator[Lied]:
    liar, relay = lied_to
    yield lied_client(liar, relay)
    liar.answers.clear()


def lied_client(liar: Liar, relay: LivePush) -> Lied:
    upstream = uuid.uuid4().hex
    liar.answers["register"] = lambda message: http(
        {"UAID": upstream, "APPID": message["APPID"], "ENDPOINT": liar.url("/push/update/x")}
    )
    found = wait_for(lambda: (answer := relay.post("register", {"APPID": new_channel()}))[0] == 200 and answer[1])
    return Lied(liar, relay, found["UAID"], found["APPID"], upstream)


@pytest.mark.parametrize(
    "answer",
    [
        b"SMTP ready\r\n\r\n",
        http(b"\xff\x00 not JSON"),
        http([]),
        http({"UPDATE": []}),
        http({"UPDATE": {UAID: []}, "UNKNOWN": 7}),
        http({"error": "gone"}, "410 Gone"),
        http({}, "302 Found"),
        http({}, "500 Oops"),
        http(b"[" * 100_000),
        http(b'{"UPDATE":' + b" " * 5_000_000 + b"{}}"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\xff\r\n{}",
    ],
    ids=["smtp", "bytes", "list", "update", "types", "gone", "redirect", "fault", "deep", "huge", "chunks"],
)
def test_nonsense_from_upstream_changes_nothing(lied: Lied, answer: bytes) -> None:
    before = len(lied.liar.messages("connect"))
    lied.liar.answers["connect"] = lambda message: answer
    wait_for(lambda: len(lied.liar.messages("connect")) >= before + 2, "it to be asked again")
    assert lied.poll() == (204, None)
    assert lied.acks() == []
    # And it is believed again once it makes sense.
    version = {lied.channel: 9}
    lied.liar.answers["connect"] = lambda message: http({"UPDATE": {lied.upstream: version}})
    assert update(lied.relay, lied.uaid) == {lied.uaid: version}
    assert wait_for(lied.acks, "the ACK")[0] == version


def test_what_was_not_asked_for_or_makes_no_sense_is_passed_over(lied: Lied) -> None:
    channel = lied.channel
    odd = {channel: 5, "x": 1, new_channel(): -1, new_channel(): 2**60, new_channel(): "7", new_channel(): True}
    strangers = {"f" * 32: {channel: 8}, lied.uaid: {channel: 8}, "x": 7}
    lied.liar.answers["connect"] = lambda message: http(
        {"UPDATE": {lied.upstream: odd, **strangers}, "UNKNOWN": ["f" * 32, lied.uaid, 7, None]}
    )
    assert update(lied.relay, lied.uaid) == {lied.uaid: {channel: 5}}
    assert wait_for(lied.acks, "the ACK")[0] == {channel: 5}


@pytest.mark.parametrize(
    "lie",
    [
        {"ENDPOINT": "javascript:alert(1)"},
        {"ENDPOINT": "https://u:p@example.org/"},
        {"ENDPOINT": "https://example.org/" + "x" * 3000},
        {"ENDPOINT": 7},
        {"UAID": "x"},
        {"UAID": None},
        {"APPID": "x"},
        "the UAID of another client",
    ],
)
def test_registration_that_makes_no_sense_is_none(lied: Lied, lie: dict[str, object] | str) -> None:
    wrong = {"UAID": lied.upstream} if isinstance(lie, str) else lie
    right = {"UAID": uuid.uuid4().hex, "ENDPOINT": lied.liar.url("/push/update/y")}
    lied.liar.answers["register"] = lambda message: http({"APPID": message["APPID"], **right, **wrong})
    assert lied.relay.post("register", {"APPID": new_channel()})[0] == 503
    assert lied.poll() == (204, None)


def test_update_that_was_stored_before_the_ack_was_lost_is_acknowledged_again(lied: Lied) -> None:
    version = {lied.channel: 9}
    lied.liar.answers["ack"] = lambda message: http({}, "503 Oops")
    lied.liar.answers["connect"] = lambda message: http({"UPDATE": {lied.upstream: version}})
    assert update(lied.relay, lied.uaid) == {lied.uaid: version}
    wait_for(lambda: len(lied.acks()) >= 2, "another ACK")
    # It is nothing new to the client.
    assert lied.poll() == (204, None)


def test_server_that_does_not_wait_is_not_asked_without_rest(lied: Lied) -> None:
    before = len(lied.liar.messages("connect"))
    time.sleep(2.0)
    # Of everybody, and of newcomers.
    assert len(lied.liar.messages("connect")) - before <= 8


def test_update_that_was_cut_is_asked_for_in_parts(lied_to: tuple[Liar, LivePush]) -> None:
    liar, relay = lied_to
    clients = [lied_client(liar, relay) for _ in range(4)]
    most = wait_for(lambda: max((len(one["UAIDS"]) for one in liar.messages("connect")), default=0) >= 4 and 4)
    uaids = {client.upstream for client in clients}
    has_been_whole = threading.Event()

    def answer(message: dict[str, Any]) -> bytes:
        if len(message["UAIDS"]) >= most:
            has_been_whole.set()
            return http(b"[" * 5_000_000)
        return http({"UPDATE": {one: {client.channel: 3} for client in clients if (one := client.upstream) in uaids}})

    liar.answers["connect"] = answer
    for client in clients:
        assert update(relay, client.uaid) == {client.uaid: {client.channel: 3}}
    assert has_been_whole.is_set()
    liar.answers.clear()


def test_client_of_the_upstream_server_holds_it_to_the_protocol() -> None:
    client = HttpClient((), Watchdog())
    with Liar() as liar:
        upstream = Upstream(client, liar.url("/push/"))
        assert upstream.connect([UAID], 0).update == {}
        liar.answers["connect"] = lambda message: http({"UPDATE": {UAID: {new_channel(): 1}}, "UNKNOWN": [UAID]})
        assert upstream.connect([UAID], 0).unknown == (UAID,)
        liar.answers["register"] = lambda message: http({}, "403 Forbidden")
        with pytest.raises(UpstreamRefused, match="status 403"):
            upstream.register(None, new_channel())
        liar.answers["register"] = lambda message: http({}, "500 Oops")
        with pytest.raises(UpstreamUnavailable, match="status 500"):
            upstream.register(None, new_channel())
        with pytest.raises(UpstreamUnavailable, match="failed a moment ago"):
            upstream.register(None, new_channel())
        liar.answers["connect"] = lambda message: http(b"no")
        with pytest.raises(UpstreamNonsense):
            upstream.connect([UAID], 0)
    client.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"upstream": "x"},
        {"upstream": "http://u:p@127.0.0.1/"},
        {"upstream": "http://127.0.0.1/", "upstream_username": "x"},
        {"upstream_username": "x", "upstream_password": "y"},
        {"upstream": "http://127.0.0.1/", "upstream_wait_seconds": 61},
    ],
)
def test_settings_that_cannot_work_are_faults(tmp_path: Path, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="upstream"), opened(write_push(tmp_path, **settings)):
        pass
