"""WebSocket protocol v1, as docs/push.rst tells it."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.builtin.push.live_push import LivePush, live_push
from tests.builtin.push.push_site import new_channel
from tests.waiting import wait_for

#: For parameters, which must be the same in every process of a run.
CHANNEL = "5f6f5ec0-0000-4000-8000-00000000000a"


def test_from_hello_to_acknowledgement(live: LivePush) -> None:
    channel = new_channel()
    with live.client() as client:
        assert client.wire.subprotocol == "push-notification"
        uaid = client.hello()
        endpoint = client.register(channel)
        assert client.register(channel) == endpoint
        assert live.put(endpoint, 7) == 200
        assert client.notified() == {channel: 7}
        assert live.put(endpoint, 9) == 200
        assert client.notified() == {channel: 9}
        client.ack({channel: 9})
        assert client.ask({}) == {}
        assert live.put(endpoint, 9) == 200
        assert live.put(endpoint, 3) == 200
        assert client.hears_nothing()
        answer = client.ask({"messageType": "unregister", "channelID": channel, "code": 200})
        assert answer == {"messageType": "unregister", "channelID": channel, "status": 200}
    assert live.put(endpoint, 10) == 410
    with live.client() as client:
        assert client.hello(uaid) == uaid
        assert client.hears_nothing()


def test_what_came_while_nobody_was_connected_follows_the_answer_to_hello(live: LivePush) -> None:
    channel = new_channel()
    with live.client() as client:
        uaid = client.hello()
        endpoint = client.register(channel)
    wait_for(lambda: live.put(endpoint) == 202, "the client to be gone")
    assert live.put(endpoint, 2**40) == 202
    with live.client() as client:
        assert client.hello(uaid, (channel,)) == uaid
        assert client.notified() == {channel: 2**40}
    with live.client() as client:
        client.hello(uaid)
        assert client.notified() == {channel: 2**40}, "it was not acknowledged"
        client.ack({channel: 2**40})
        assert client.ask({}) == {}
    wait_for(lambda: _pending(live, uaid) == {}, "the acknowledgement in the store")
    with live.client() as client:
        client.hello(uaid)
        assert client.hears_nothing()


def _pending(live: LivePush, uaid: str) -> object:
    return live.post("connect", {"UAIDS": [uaid]})[1] or {}


def test_acknowledging_an_older_version_clears_nothing(live: LivePush) -> None:
    channel = new_channel()
    with live.client() as client:
        uaid = client.hello()
        endpoint = client.register(channel)
        live.put(endpoint, 5)
        assert client.notified() == {channel: 5}
        client.ack({channel: 4})
        assert client.ask({}) == {}
    with live.client() as client:
        client.hello(uaid)
        assert client.notified() == {channel: 5}


def test_what_is_not_acknowledged_comes_again_until_it_is(tmp_path: Path) -> None:
    first, second = new_channel(), new_channel()
    with live_push(tmp_path, resend_seconds=1) as live, live.client() as client:
        client.hello()
        endpoints = {channel: client.register(channel) for channel in (first, second)}
        for endpoint in endpoints.values():
            live.put(endpoint, 1)
        assert {**client.notified(), **client.notified()} == {first: 1, second: 1}
        client.ack({first: 1})
        began = time.monotonic()
        assert client.notified() == {second: 1}
        assert client.notified() == {second: 1}
        assert time.monotonic() - began > 1
        client.ack({second: 1})
        assert client.hears_nothing(2.5)


def test_versions_that_another_process_takes_reach_the_client(tmp_path: Path) -> None:
    channel = new_channel()
    with live_push(tmp_path) as live, live.client() as client:
        client.hello()
        endpoint = client.register(channel)
        # Another frontend on the same store, as another process has it.
        other = live.installation.app()
        caller = other.test_client()  # type: ignore[attr-defined]
        answer = caller.put(endpoint.removeprefix(f"http://127.0.0.1:{live.http_port}"), data={"version": 4})
        assert answer.status_code == 202
        assert client.notified() == {channel: 4}


# -- hello ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uaid", [None, "", "stranger", "0" * 32, 7, ["x"], "\ud800"])
def test_unknown_or_malformed_uaid_gets_another_one(live: LivePush, uaid: object) -> None:
    with live.client() as client:
        answer = client.ask({"messageType": "hello", "uaid": uaid, "channelIDs": [new_channel()]})
        assert (answer["messageType"], answer["status"]) == ("hello", 200)
        assert len(answer["uaid"]) == 32
        assert answer["uaid"] != uaid


def test_firefox_is_understood(live: LivePush) -> None:
    channel = new_channel()
    with live.client() as client:
        client.say(
            {"messageType": "hello", "broadcasts": {"remote-settings/monitor_changes": "x"}, "use_webpush": True}
        )
        answer = client.hear()
        assert set(answer) == {"messageType", "uaid", "status"}
        client.say({"messageType": "broadcast_subscribe", "broadcasts": {"x": "y"}})
        endpoint = client.register(channel)
        live.put(endpoint, 7)
        assert client.notified() == {channel: 7}
        client.say({"messageType": "ack", "updates": [{"channelID": channel, "version": 7, "code": 100}]})
        assert client.ask({}) == {}


def test_new_user_agent_keeps_its_id_over_a_second_hello(live: LivePush) -> None:
    channel = new_channel()
    with live.client() as client:
        uaid = client.hello()
        assert client.hello(uaid) == uaid
        assert client.hello("") == uaid
        endpoint = client.register(channel)
        live.put(endpoint, 1)
        assert client.notified() == {channel: 1}
        assert client.hello(uaid) == uaid
        assert client.notified() == {channel: 1}


def test_second_hello_of_another_user_agent_ends_the_connection(live: LivePush) -> None:
    with live.client() as client:
        client.hello()
        client.say({"messageType": "hello", "uaid": "0" * 32})
        assert client.closed() == (1008, "another user agent said hello here before")


def test_second_connection_of_a_user_agent_takes_the_place_of_the_first(live: LivePush) -> None:
    channel = new_channel()
    with live.client() as first, live.client() as second:
        uaid = first.hello()
        endpoint = first.register(channel)
        assert second.hello(uaid) == uaid
        assert first.closed() == (4001, "another connection has this user agent now")
        assert live.put(endpoint, 3) == 200
        assert second.notified() == {channel: 3}


def test_what_is_said_before_the_answer_to_hello_is_done_after_it(live: LivePush) -> None:
    channels = [new_channel() for _ in range(20)]
    with live.client() as client:
        client.say({"messageType": "hello", "uaid": ""})
        client.say(*({"messageType": "register", "channelID": channel} for channel in channels))
        assert client.hear()["messageType"] == "hello"
        answers = [client.hear() for _ in channels]
        assert [answer["channelID"] for answer in answers] == channels
        assert {answer["status"] for answer in answers} == {200}


@pytest.mark.parametrize(
    "message",
    [{}, {"messageType": "register", "channelID": CHANNEL}, {"messageType": "broadcast_subscribe"}, {"x": 1}],
)
def test_hello_must_come_first(live: LivePush, message: object) -> None:
    with live.client() as client:
        client.say(message)
        assert client.closed() == (1008, "hello must be the first message")


def test_wrong_list_of_channels_is_told(live: LivePush) -> None:
    with live.client() as client:
        answer = client.ask({"messageType": "hello", "uaid": "", "channelIDs": "x"})
        assert (answer["status"], answer["reason"]) == (401, "channelIDs: must be a list")
        assert client.closed()[0] == 1008


def test_who_says_no_hello_is_cut_off(tmp_path: Path) -> None:
    with live_push(tmp_path, hello_seconds=0.5) as live, live.client() as client:
        assert client.closed() == (1008, "no hello came in time")


# -- other messages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [None, 7, "x", CHANNEL.upper(), CHANNEL.replace("-", ""), ["x"], "é" * 36])
@pytest.mark.parametrize("type", ["register", "unregister"])
def test_wrong_channel_is_told_with_what_is_right(live: LivePush, type: str, sent: object) -> None:
    with live.client() as client:
        client.hello()
        answer = client.ask({"messageType": type, "channelID": sent})
        assert answer == {
            "messageType": type,
            "status": 401,
            "channelID": sent if isinstance(sent, str) else None,
            "reason": "channelID: must be a UUID in lower case",
        }
        assert client.ask({}) == {}


def test_channels_have_a_limit(tmp_path: Path) -> None:
    with live_push(tmp_path, channels_per_agent=1, user_agents=1) as live, live.client() as client:
        client.hello()
        client.register(new_channel())
        answer = client.ask({"messageType": "register", "channelID": new_channel()})
        assert answer["status"] == 403
        assert "unregister one" in answer["reason"]
        with live.client() as other:
            other.hello()
            assert other.ask({"messageType": "register", "channelID": new_channel()})["status"] == 503


@pytest.mark.parametrize("updates", [None, "x", {}, 7])
def test_wrong_acknowledgement_is_told(live: LivePush, updates: object) -> None:
    with live.client() as client:
        client.hello()
        answer = client.ask({"messageType": "ack", "updates": updates})
        assert (answer["messageType"], answer["status"]) == ("ack", 401)
        assert client.ask({}) == {}


def test_acknowledgements_that_make_no_sense_clear_nothing(live: LivePush) -> None:
    channel = new_channel()
    with live.client() as client:
        uaid = client.hello()
        live.put(client.register(channel), 5)
        client.notified()
        versions = ["5", 5.0, True, None, -1, [5], 2**53]
        client.say(
            {
                "messageType": "ack",
                "updates": [7, None, {}, {"channelID": channel}, {"version": 5}]
                + [{"channelID": channel, "version": version} for version in versions],
            }
        )
        assert client.ask({}) == {}
    with live.client() as client:
        client.hello(uaid)
        assert client.notified() == {channel: 5}


def test_purge_unregisters_everything(live: LivePush) -> None:
    with live.client() as client:
        client.hello()
        endpoints = [client.register(new_channel()) for _ in range(3)]
        assert client.ask({"messageType": "purge"}) == {"messageType": "purge", "status": 200}
        assert [live.put(endpoint, 1) for endpoint in endpoints] == [410] * 3


def test_message_types_are_read_in_any_case_and_unknown_ones_ignored(live: LivePush) -> None:
    with live.client(None, "/v1/") as client:
        assert client.wire.subprotocol is None
        assert client.ask({"messageType": "HELLO", "uaid": ""})["status"] == 200
        client.say({"messageType": "nack"}, {"messageType": 7}, {"x": 1}, {"messageType": None})
        assert client.ask({"messageType": "ping"}) == {}


def test_unregister_of_what_is_not_there_and_of_what_others_have_is_no_failure(live: LivePush) -> None:
    channel = new_channel()
    with ExitStack() as stack:
        mine, other = (stack.enter_context(live.client()) for _ in range(2))
        mine.hello()
        other.hello()
        endpoint = mine.register(channel)
        for one in (channel, new_channel()):
            assert other.ask({"messageType": "unregister", "channelID": one})["status"] == 200
        assert live.put(endpoint, 1) == 200


def test_unregister_and_register_at_once_are_done_in_turn(live: LivePush) -> None:
    channel = new_channel()
    with live.client() as client:
        client.hello()
        endpoint = client.register(channel)
        client.say(
            {"messageType": "unregister", "channelID": channel}, {"messageType": "register", "channelID": channel}
        )
        assert [client.hear()["messageType"], client.hear()["messageType"]] == ["unregister", "register"]
        assert live.put(endpoint, 1) == 200


# -- what is no protocol -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code", "reason"),
    [
        ("x", 1008, "this is no JSON in UTF-8"),
        ("[]", 1008, "this is no JSON object"),
        ("", 1008, "this is no JSON in UTF-8"),
        ("[" * 30_000, 1008, "this is no JSON in UTF-8"),
        (json.dumps({"messageType": "hello"}).encode(), 1003, "text frames only"),
    ],
)
def test_what_is_no_message_ends_the_connection(live: LivePush, content: str | bytes, code: int, reason: str) -> None:
    with live.client() as client:
        client.say(content)
        assert client.closed() == (code, reason)


def test_fragments_are_put_together(live: LivePush) -> None:
    with live.client() as client:
        client.wire.send(iter(['{"messageType":', "", '"hel', 'lo"}']))
        assert client.hear()["status"] == 200


def test_other_subprotocols_are_not_confirmed(live: LivePush) -> None:
    with live.client("chat") as client:
        assert client.wire.subprotocol is None


def test_plain_http_is_told_that_this_is_none(live: LivePush) -> None:
    with pytest.raises(InvalidStatus) as caught, live.client(additional_headers={"Sec-WebSocket-Version": "7"}):
        pass
    assert caught.value.response.status_code == 400
