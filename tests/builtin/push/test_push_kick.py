"""Waking user agents that are not connected, with real datagrams and real HTTP."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from integration_server import ConfigError, Deadline, HttpClient, StoreUnavailable, Watchdog
from integration_server.builtin.push.kick_drivers import HttpKick, UdpKick
from integration_server.builtin.push.kicker import Kicker
from integration_server.builtin.push.waking import KickData, KickDriver, KickFailed, Sleeper, Unwakeable
from integration_server.server.installation import opened
from tests.builtin.push.live_push import LivePush, live_push
from tests.builtin.push.push_site import new_channel, write_push
from tests.builtin.push.raw_client import RawClient
from tests.receiver import HANG, UNAVAILABLE, LocalReceiver
from tests.waiting import wait_for

LOOPBACK = "127.0.0.0/8"


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    """Where datagrams come in."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        found.settimeout(20)
        yield found


def place(ear: socket.socket) -> dict[str, object]:
    return {"ip": "127.0.0.1", "port": ear.getsockname()[1]}


def is_silent(ear: socket.socket, seconds: float) -> bool:
    ear.settimeout(seconds)
    try:
        ear.recv(100)
    except TimeoutError:
        return True
    return False


@pytest.fixture(scope="module")
def udp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePush]:
    """Wakes by datagram, at most once a second; idle clients are closed soon."""
    folder = tmp_path_factory.mktemp("udp push")
    settings = {"kick": "udp", "kick_allow_networks": [LOOPBACK], "kick_seconds": 1.0, "idle_seconds": 1.0}
    with live_push(folder, in_flight_seconds=1.0, **settings) as running:
        yield running


def register(live: LivePush, kick: object, uaid: str | None = None) -> dict[str, str]:
    status, answer = live.post("register", {"UAID": uaid, "APPID": new_channel(), "KICK": kick})
    assert status == 200, answer
    found: dict[str, str] = answer
    return found


# -- by UDP --------------------------------------------------------------------------------------------------------


def test_datagram_wakes_who_is_not_connected(udp: LivePush, ear: socket.socket) -> None:
    mine = register(udp, place(ear))
    assert is_silent(ear, 0.2)
    ear.settimeout(20)
    assert udp.put(mine["ENDPOINT"], 7) == 202
    assert ear.recv(100) == b"push"
    assert udp.post("connect", {"UAIDS": [mine["UAID"]]})[1] == {"UPDATE": {mine["UAID"]: {mine["APPID"]: 7}}}
    assert udp.post("ack", {"UAIDS": [mine["UAID"]]})[0] == 204


def test_flood_of_versions_wakes_once_in_a_while(udp: LivePush, ear: socket.socket) -> None:
    mine = register(udp, place(ear))
    begun = time.monotonic()
    for version in range(60):
        assert udp.put(mine["ENDPOINT"], version) == 202
    assert ear.recv(100) == b"push"
    udp.put(mine["ENDPOINT"], 100)
    assert ear.recv(100) == b"push"
    assert time.monotonic() - begun >= 1.0
    # Nothing new came since.
    assert is_silent(ear, 1.5)


def test_who_has_collected_everything_is_not_woken(udp: LivePush, ear: socket.socket) -> None:
    mine = register(udp, place(ear))
    udp.put(mine["ENDPOINT"], 7)
    udp.post("connect", {"UAIDS": [mine["UAID"]]})
    udp.post("ack", {"UAIDS": [mine["UAID"]]})
    assert is_silent(ear, 1.5)


def test_address_is_taken_from_hello_and_idle_client_is_closed_until_it_is_woken(
    udp: LivePush, ear: socket.socket
) -> None:
    channel = new_channel()
    with udp.client() as client:
        uaid = client.hello(wakeup_hostport=place(ear), mobilenetwork={"mcc": "214", "mnc": "07"})
        endpoint = client.register(channel)
        assert client.closed() == (4774, "idle; you will be woken when something comes")
    assert udp.put(endpoint, 3) == 202
    assert ear.recv(100) == b"push"
    with udp.client() as client:
        assert client.hello(uaid, (channel,), wakeup_hostport=place(ear)) == uaid
        assert client.notified() == {channel: 3}
        # Not while something is to be acknowledged.
        assert client.hears_nothing(2.5)
        client.ack({channel: 3})
        assert client.closed()[0] == 4774


def test_connected_client_is_not_woken_but_one_that_leaves_without_ack_is(udp: LivePush, ear: socket.socket) -> None:
    channel = new_channel()
    with udp.client() as client:
        client.hello(wakeup_hostport=place(ear))
        endpoint = client.register(channel)
        assert udp.put(endpoint, 3) == 200
        assert client.notified() == {channel: 3}
        assert is_silent(ear, 1.5)
        ear.settimeout(20)
    assert ear.recv(100) == b"push"


def test_idle_client_that_ignores_its_close_frame_is_gone_seconds_later(udp: LivePush, ear: socket.socket) -> None:
    with RawClient(udp.port) as client:
        client.say({"messageType": "hello", "wakeup_hostport": place(ear)})
        client.say({"messageType": "register", "channelID": new_channel()})
        client.read_until(b"idle; you will be woken")
        assert (4774).to_bytes(2) in client.got
        assert client.is_reset_within(20)


def test_idle_client_that_cannot_be_woken_stays(udp: LivePush) -> None:
    with udp.client() as plain, udp.client() as refused, udp.client() as unregistered:
        plain.hello()
        plain.register(new_channel())
        refused.hello(wakeup_hostport={"ip": "10.0.0.1", "port": 7})
        refused.register(new_channel())
        unregistered.hello(wakeup_hostport={"ip": "127.0.0.1", "port": 7})
        assert plain.hears_nothing(2.5)
        for client in (plain, refused, unregistered):
            assert client.ask({}) == {}


@pytest.mark.parametrize(
    "kick",
    [
        {},
        {"ip": "10.0.0.1", "port": 7},
        {"ip": "169.254.169.254", "port": 7},
        {"ip": "255.255.255.255", "port": 9},
        {"ip": "224.0.0.1", "port": 9},
        {"ip": "::ffff:10.0.0.1", "port": 9},
        {"ip": "fe80::1%lo", "port": 9},
        {"ip": "localhost", "port": 9},
        {"ip": "127.1", "port": 9},
        {"ip": 2130706433, "port": 9},
        {"ip": None, "port": None},
        {"ip": "127.0.0.1", "port": 0},
        {"ip": "127.0.0.1", "port": 65536},
        {"ip": "127.0.0.1", "port": True},
        {"ip": "127.0.0.1", "port": "7"},
        {"ip": "127.0.0.1", "port": 7.5},
        {"ip": "127.0.0.1"},
        {"wakeup_hostport": {"ip": "10.0.0.1", "port": 7}},
        {"wakeup_hostport": [], "interface": 7},
        {"ip": "\ud800", "port": 7},
        {"ip": "1" * 4000, "port": 7},
    ],
)
def test_kick_data_that_cannot_be_used_are_a_bad_request(udp: LivePush, kick: object) -> None:
    status, answer = udp.post("register", {"APPID": new_channel(), "KICK": kick})
    assert status == 400
    assert answer["error"].startswith("KICK: ")
    with udp.client("push-update") as client:
        told = client.ask({"REGISTER": {"APPID": new_channel(), "KICK": kick}})
        assert told["REGISTER"]["status"] == 400


@pytest.mark.parametrize("ip", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_addresses_are_bound_to_the_rules_of_webhooks(ip: str) -> None:
    client = HttpClient((), Watchdog())
    kick = {"ip": ip, "port": 9}
    with pytest.raises(Unwakeable, match="allow_networks"):
        UdpKick(client, ()).check(kick)
    UdpKick(client, (LOOPBACK,)).check(kick)
    UdpKick(HttpClient((LOOPBACK,), Watchdog()), ()).check(kick)
    # It may have been registered before the rules were changed.
    with pytest.raises(KickFailed):
        UdpKick(client, ()).wake(Sleeper("x", kick), Deadline(5))


def test_datagrams_go_over_ipv6(ear: socket.socket) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
        try:
            six.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        six.settimeout(20)
        kick = {"interface": {"ip": "::1", "port": six.getsockname()[1]}}
        UdpKick(HttpClient(("::1/128",), Watchdog()), ()).wake(Sleeper("x", kick), Deadline(5))
        assert six.recv(100) == b"push"


def test_many_user_agents_flood_no_address(ear: socket.socket) -> None:
    now = [0.0]
    driver = UdpKick(HttpClient((LOOPBACK,), Watchdog()), (), clock=lambda: now[0])
    for number in range(600):
        driver.wake(Sleeper(f"{number}", place(ear)), Deadline(5))
    with pytest.raises(KickFailed, match="too many"):
        driver.wake(Sleeper("x", place(ear)), Deadline(5))
    now[0] += 1
    driver.wake(Sleeper("x", place(ear)), Deadline(5))


# -- by HTTP -------------------------------------------------------------------------------------------------------


@contextmanager
def http_push(folder: Path, **settings: object) -> Iterator[LivePush]:
    with live_push(folder, kick="http", kick_allow_networks=[LOOPBACK], kick_seconds=1.0, **settings) as running:
        yield running


def test_operator_is_sent_the_plain_values_as_a_form_and_no_id(tmp_path: Path) -> None:
    with (
        LocalReceiver(tmp_path / "receiver") as receiver,
        http_push(tmp_path, kick_url=receiver.url("/wakeup/v1")) as live,
    ):
        with live.client() as client:
            uaid = client.hello(
                wakeup_hostport={"ip": "10.0.0.1", "port": 8080},
                mobilenetwork={"mcc": "214", "mnc": "07", "netid": "tefé"},
                protocol="udp",
            )
            endpoint = client.register(new_channel())
        assert live.put(endpoint, 1) == 202
        (request,) = wait_for(receiver.requests, "the wake-up")
    assert request.path == "/wakeup/v1"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert {name: value for name, (value,) in parse_qs(request.body.decode()).items()} == {
        "ip": "10.0.0.1",
        "port": "8080",
        "mcc": "214",
        "mnc": "07",
        "netid": "tefé",
        "protocol": "udp",
    }
    assert uaid not in request.body.decode()


def test_user_agent_names_the_url_itself_and_gets_json(tmp_path: Path) -> None:
    with LocalReceiver(tmp_path / "receiver") as receiver, http_push(tmp_path, kick_format="json") as live:
        mine = register(live, {"url": receiver.url("/me?key=1"), "token": ["x", 1]})
        assert live.put(mine["ENDPOINT"], 1) == 202
        (request,) = wait_for(receiver.requests, "the wake-up")
        assert json.loads(request.body) == {"token": ["x", 1]}
        for url in ("http://10.0.0.1/", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "x", "http://169.254.169.254/", 7):
            status, answer = live.post("register", {"APPID": new_channel(), "KICK": {"url": url}})
            assert status == 400
            assert answer["error"].startswith("KICK: url: ")


def test_receiver_that_hangs_delays_no_put_and_nobody_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with LocalReceiver(tmp_path / "receiver") as receiver, http_push(tmp_path) as live:
        receiver.behave("/hang", HANG)
        receiver.behave("/down", UNAVAILABLE)
        hanging = [register(live, {"url": receiver.url("/hang")}) for _ in range(3)]
        down = register(live, {"url": receiver.url("/down")})
        well = register(live, {"url": receiver.url("/well")})
        begun = time.monotonic()
        for one in [*hanging, down, well]:
            assert live.put(one["ENDPOINT"], 1) == 202
        assert time.monotonic() - begun < 5
        wait_for(lambda: [one for one in receiver.requests() if one.path == "/well"], "the one that is well")
    told = [record.getMessage() for record in caplog.records if "wake" in record.getMessage()]
    assert len(told) == 1
    assert "answers with status 503" in told[0]
    assert "/down" not in told[0]


def test_receiver_that_was_down_is_left_alone_for_a_while() -> None:
    now = [0.0]
    driver = HttpKick(HttpClient((LOOPBACK,), Watchdog()), None, "json", (), clock=lambda: now[0])
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    sleeper = Sleeper("x", {"url": url})
    with pytest.raises(KickFailed, match="cannot be reached"):
        driver.wake(sleeper, Deadline(5))
    with pytest.raises(KickFailed, match="left alone"):
        driver.wake(sleeper, Deadline(5))
    now[0] += 31
    with pytest.raises(KickFailed, match="cannot be reached"):
        driver.wake(sleeper, Deadline(5))


# -- by plugins ----------------------------------------------------------------------------------------------------

PLUGIN = """
from pathlib import Path
from integration_server import hookimpl

@hookimpl
def wake_consumer(mount, consumer, kick):
    if "raise" in kick:
        raise ValueError("the secret " + consumer)
    Path(kick["file"]).write_text(f"{mount} {consumer}")
"""


def test_plugin_wakes_whom_it_knows_and_its_failures_tell_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "waker.py").write_text(PLUGIN, encoding="utf-8")
    config = write_push(tmp_path)
    (config / "plugins.toml").write_text('[plugins]\nfolder = "../hooks"\n', encoding="utf-8")
    with live_push(tmp_path, kick="plugin") as live:
        failing = register(live, {"raise": 1})
        mine = register(live, {"file": str(tmp_path / "woken")})
        for one in (failing, mine):
            assert live.put(one["ENDPOINT"], 1) == 202
        woken = wait_for(lambda: (tmp_path / "woken").exists() and (tmp_path / "woken").read_text(), "the plugin")
        assert woken == f"push {mine['UAID']}"
        wait_for(lambda: [one for one in caplog.records if "ValueError" in one.getMessage()], "the complaint")
    assert failing["UAID"] not in caplog.text


def test_kick_by_plugin_without_one_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    with opened(write_push(tmp_path, kick="plugin")) as installation, pytest.raises(ConfigError, match="wake_consumer"):
        installation.mounted()


@pytest.mark.parametrize(
    "settings",
    [
        {"kick": "smoke"},
        {"kick_url": "http://127.0.0.1/"},
        {"kick": "http", "kick_url": "x"},
        {"kick": "udp", "kick_allow_networks": ["x"]},
        {"idle_seconds": 10},
    ],
)
def test_settings_that_cannot_work_are_faults(tmp_path: Path, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"push\.toml"), opened(write_push(tmp_path, **settings)):
        pass


# -- who is woken when ---------------------------------------------------------------------------------------------


class Bells(KickDriver):
    """Counts wake-ups; hangs where it is told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.rung: list[str] = []
        self.go_on = threading.Event()

    def check(self, kick: KickData) -> None:
        return

    def wake(self, sleeper: Sleeper, deadline: Deadline) -> None:
        self.begun.append(sleeper.uaid)
        if sleeper.uaid.startswith("hang"):
            self.go_on.wait(20)
        self.rung.append(sleeper.uaid)


class Asleep:
    """A store of those for whom something waits."""

    def __init__(self, *uaids: str) -> None:
        self.uaids = {uaid: Sleeper(uaid, {}) for uaid in uaids}
        self.is_down = False

    def __call__(self, asked: object) -> list[Sleeper]:
        if self.is_down:
            raise StoreUnavailable("down")
        wanted = self.uaids if asked is None else asked
        assert isinstance(wanted, list | dict)
        return [self.uaids[uaid] for uaid in wanted if uaid in self.uaids]


@contextmanager
def kicking(asleep: Asleep, connected: set[str] | None = None) -> Iterator[tuple[Kicker, Bells, list[float]]]:
    """A kicker whose clock runs, and can be set forward."""
    bells, ahead = Bells(), [0.0]
    kicker = Kicker(bells, 5.0, clock=lambda: time.monotonic() + ahead[0])
    kicker.start(asleep, (connected or set()).__contains__)
    try:
        yield kicker, bells, ahead
    finally:
        bells.go_on.set()
        kicker.stop(10)


def test_those_for_whom_something_waits_at_the_start_are_woken() -> None:
    with kicking(Asleep("a", "b")) as (_, bells, _now):
        assert sorted(wait_for(lambda: len(bells.rung) == 2 and bells.rung, "both")) == ["a", "b"]


def test_wake_up_that_was_lost_is_followed_by_others_less_and_less_often() -> None:
    asleep = Asleep("a")
    with kicking(asleep) as (_, bells, ahead):
        for count, pause in enumerate((0.0, 61.0, 601.0, 3601.0, 3601.0), 1):
            ahead[0] += pause
            wait_for(lambda count=count: len(bells.rung) == count, "the next one")
            time.sleep(0.3)
            assert len(bells.rung) == count
        asleep.uaids.clear()
        ahead[0] += 3601
        time.sleep(0.6)
        assert len(bells.rung) == 5


def test_connected_one_is_woken_later_where_it_did_not_acknowledge() -> None:
    connected = {"a"}
    with kicking(Asleep("a"), connected) as (_, bells, ahead):
        time.sleep(0.6)
        assert bells.rung == []
        connected.clear()
        ahead[0] += 61
        wait_for(lambda: bells.rung == ["a"], "the wake-up")


def test_driver_that_hangs_holds_up_nobody_else_and_not_the_end() -> None:
    asleep = Asleep()
    with kicking(asleep) as (kicker, bells, ahead):
        for number in range(20):
            asleep.uaids[f"hang{number}"] = Sleeper(f"hang{number}", {})
            kicker.wake(f"hang{number}")
        asleep.uaids["a"] = Sleeper("a", {})
        kicker.wake("a")
        wait_for(lambda: bells.rung == ["a"], "the other one")
        ahead[0] += 4000
        time.sleep(0.6)
        assert len([uaid for uaid in bells.begun if uaid != "a"]) == 20, "one that hangs was begun twice"
        begun = time.monotonic()
        kicker.stop(10)
        assert time.monotonic() - begun < 5


def test_outage_of_the_store_wakes_nobody_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    asleep = Asleep("a")
    asleep.is_down = True
    with caplog.at_level(logging.WARNING), kicking(asleep) as (_, bells, _now):
        wait_for(lambda: "nobody can be woken" in caplog.text, "the complaint")
        asleep.is_down = False
        wait_for(lambda: bells.rung == ["a"], "the wake-up after all", 20)
    assert len(caplog.records) == 1


def test_kicker_can_be_started_again() -> None:
    asleep = Asleep("a")
    with kicking(asleep) as (kicker, bells, _now):
        wait_for(lambda: bells.rung == ["a"], "the first")
        kicker.stop(10)
        kicker.wake("a")
        kicker.start(asleep, lambda uaid: False)
        wait_for(lambda: bells.rung == ["a", "a"], "the second")
    with suppress(RuntimeError):
        kicker.stop(1)
