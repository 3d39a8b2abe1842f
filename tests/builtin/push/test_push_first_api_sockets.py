"""The first API over a WebSocket, for one client with many user agents, as docs/push.rst tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builtin.push.live_push import Client, LivePush, live_push
from tests.builtin.push.push_site import new_channel
from tests.waiting import wait_for

API = "push-update"


def register(client: Client, channel: str, uaid: str | None = None) -> tuple[str, str]:
    """UAID and endpoint."""
    answer = client.ask({"REGISTER": {"UAID": uaid, "APPID": channel}})["REGISTER"]
    assert (answer["status"], answer["APPID"]) == (200, channel)
    return answer["UAID"], answer["ENDPOINT"]


def test_from_registration_to_acknowledgement(live: LivePush) -> None:
    channel = new_channel()
    with live.client(API) as client:
        assert client.wire.subprotocol == API
        uaid, endpoint = register(client, channel)
        assert live.put(endpoint, 1) == 202, "it has not connected"
        client.say({"CONNECT": [uaid]})
        assert client.hear() == {"UPDATE": {uaid: {channel: 1}}}
        assert live.put(endpoint, 2) == 503, "the UPDATE is on its way"
        client.say({"ACK": [uaid]})
        status = wait_for(lambda: (got := live.put(endpoint, 2)) != 503 and got, "app servers to be let through")
        assert status == 200
        assert client.hear() == {"UPDATE": {uaid: {channel: 2}}}
        client.say({"ACK": {uaid: {channel: 2}}})
        assert client.ask({}) == {}
        client.say({"CONNECT": [uaid]})
        assert client.hears_nothing(), "no data is silence"
        gone = {"UAID": uaid, "APPID": channel}
        assert client.ask({"UNREGISTER": gone}) == {"UNREGISTER": {**gone, "status": 200}}
        assert live.put(endpoint, 3) == 410


def test_one_client_connects_for_many(live: LivePush) -> None:
    channel = new_channel()
    with live.client(API) as client:
        known = dict(register(client, channel) for _ in range(20))
        for number, endpoint in enumerate(known.values()):
            assert live.put(endpoint, number) == 202
        client.say({"CONNECT": [*known, "stranger"]})
        assert client.hear() == {"UNKNOWN": ["stranger"]}
        assert client.hear() == {"UPDATE": {uaid: {channel: number} for number, uaid in enumerate(known)}}
        client.say({"ACK": list(known)})
        first = next(iter(known))
        wait_for(lambda: live.put(known[first], 50) == 200, "app servers to be let through")
        assert client.hear() == {"UPDATE": {first: {channel: 50}}}


def test_what_is_not_acknowledged_comes_again_and_after_reconnecting(tmp_path: Path) -> None:
    channel = new_channel()
    with live_push(tmp_path, resend_seconds=1, in_flight_seconds=0.2) as live:
        with live.client(API) as client:
            uaid, endpoint = register(client, channel)
            client.say({"CONNECT": [uaid]})
            client.ask({})
            wait_for(lambda: live.frontend._board and live.frontend._board.connected(), "it to be connected")
            assert live.put(endpoint, 1) == 200
            assert [client.hear(), client.hear()] == [{"UPDATE": {uaid: {channel: 1}}}] * 2
        with live.client(API) as client:
            client.say({"CONNECT": [uaid]})
            assert client.hear() == {"UPDATE": {uaid: {channel: 1}}}
            client.say({"ACK": [uaid]})
            assert client.hears_nothing(2.5)


def test_acknowledgements_that_come_together_all_count(live: LivePush) -> None:
    channels = [new_channel() for _ in range(6)]
    with live.client(API) as client:
        uaid, endpoint = register(client, channels[0])
        endpoints = [endpoint, *(register(client, one, uaid)[1] for one in channels[1:])]
        for each in endpoints:
            assert live.put(each, 5) == 202
        client.say({"CONNECT": [uaid]})
        assert client.hear() == {"UPDATE": {uaid: dict.fromkeys(channels, 5)}}
        client.say(*({"ACK": {uaid: {one: 5}}} for one in channels), {"ACK": {uaid: {channels[0]: 1}}})
        client.say({"CONNECT": [uaid]})
        assert client.hears_nothing()


def test_user_agent_moves_to_the_connection_that_names_it_last(live: LivePush) -> None:
    channel = new_channel()
    with live.client(API) as first, live.client(API) as second:
        (one, endpoint), (other, _) = register(first, channel), register(first, channel)
        first.say({"CONNECT": [one, other]})
        first.ask({})
        board = live.frontend._board
        assert board is not None
        wait_for(lambda: {one, other} <= set(board.connected()), "both to be connected")
        second.say({"CONNECT": [one]})
        assert first.hear() == {"MOVED": [one]}
        assert live.put(endpoint, 1) == 200
        assert second.hear() == {"UPDATE": {one: {channel: 1}}}
        second.say({"CONNECT": [other]})
        assert first.closed() == (4001, "another connection has this user agent now")


def test_both_protocols_and_rest_share_user_agents(live: LivePush) -> None:
    channel = new_channel()
    with live.client() as simple:
        uaid = simple.hello()
        endpoint = simple.register(channel)
    wait_for(lambda: live.put(endpoint, 1) == 202 or None, "it to be gone")
    assert live.post("connect", {"UAIDS": [uaid]}) == (200, {"UPDATE": {uaid: {channel: 1}}})
    with live.client(API) as client:
        client.say({"CONNECT": [uaid]})
        assert client.hear() == {"UPDATE": {uaid: {channel: 1}}}
    assert live.post("ack", {"UAIDS": [uaid]}) == (204, None)
    with live.client() as simple:
        simple.hello(uaid)
        assert simple.hears_nothing()


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"REGISTER": {}}, "REGISTER: APPID: must be a UUID"),
        ({"REGISTER": "x"}, "REGISTER: must be an object"),
        ({"CONNECT": "x"}, "CONNECT: UAIDS: a list of one or more texts"),
        ({"CONNECT": []}, "CONNECT: UAIDS: a list of one or more texts"),
        ({"CONNECT": ["x"] * 1001}, "CONNECT: UAIDS: at most 1000"),
        ({"ACK": {"x": {"y": "1"}}}, "ACK: UAIDS: an object must have objects"),
        ({"UNREGISTER": {"UAID": "x"}}, "UNREGISTER: APPID: must be a UUID"),
    ],
)
def test_wrong_message_is_told_with_what_is_wrong(live: LivePush, message: object, told: str) -> None:
    with live.client(API) as client:
        assert told in client.ask(message)["ERROR"]
        assert client.ask({}) == {}


def test_more_user_agents_than_one_connection_may_have_are_refused(live: LivePush) -> None:
    with live.client(API) as client:
        client.say({"CONNECT": [f"{number:032x}" for number in range(600)]})
        assert len(client.hear()["UNKNOWN"]) == 600
        known = [register(client, new_channel())[0] for _ in range(2)]
        client.say({"CONNECT": known})
        client.ask({})
        board = live.frontend._board
        assert board is not None
        wait_for(lambda: set(known) <= set(board.connected()), "both to be connected")
        assert "at most 1000" in client.ask({"CONNECT": [f"{number:032x}" for number in range(999)]})["ERROR"]


def test_unknown_messages_are_ignored(live: LivePush) -> None:
    with live.client(API) as client:
        client.say({"messageType": "hello"}, {"UPDATE": {}}, {"x": None})
        assert client.ask({}) == {}


def test_limits_are_told(tmp_path: Path) -> None:
    with live_push(tmp_path, channels_per_agent=1) as live, live.client(API) as client:
        uaid, _ = register(client, new_channel())
        answer = client.ask({"REGISTER": {"UAID": uaid, "APPID": new_channel()}})["REGISTER"]
        assert answer["status"] == 403
        assert "unregister one" in answer["error"]
