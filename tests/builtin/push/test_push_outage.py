"""A store that cannot be used is told as such, and nothing that was accepted before is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from integration_server import ConfigError
from integration_server.builtin.push.tables import TABLES
from tests.builtin.push.live_push import LivePush, live_push
from tests.builtin.push.push_site import PushSite, new_channel
from tests.waiting import wait_for


@contextmanager
def tables_gone(live: LivePush) -> Iterator[None]:
    """As if the database could not be used."""
    storage = live.installation.store.storage(TABLES)
    with storage.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE push_agents RENAME TO gone_agents")
    try:
        yield
    finally:
        with storage.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE gone_agents RENAME TO push_agents")


def test_outage_is_told_as_one_and_ends(tmp_path: Path) -> None:
    channel = new_channel()
    with live_push(tmp_path, in_flight_seconds=0) as live:
        with live.client() as client:
            uaid = client.hello()
            endpoint = client.register(channel)
        wait_for(lambda: live.put(endpoint, 1) == 202, "the client to be gone")
        assert live.put(endpoint, 2) == 202
        with live.client() as connected, live.client("push-update") as relay:
            connected.hello()
            with tables_gone(live):
                assert live.put(endpoint, 3) == 503
                assert live.post("connect", {"UAIDS": [uaid]})[0] == 503
                assert live.post("register", {"APPID": channel})[0] == 503
                with live.client() as client:
                    answer = client.ask({"messageType": "hello", "uaid": uaid})
                    assert (answer["messageType"], answer["status"]) == ("hello", 503)
                    assert client.closed() == (1013, "try again later")
                answer = connected.ask({"messageType": "register", "channelID": channel})
                assert (answer["status"], answer["channelID"]) == (503, channel)
                assert relay.ask({"REGISTER": {"APPID": channel}})["REGISTER"]["status"] == 503
                relay.say({"CONNECT": [uaid]})
                assert relay.ask({}) == {}
            assert relay.hear() == {"UPDATE": {uaid: {channel: 2}}}, "it is asked for again by itself"
        with live.client() as client:
            assert client.hello(uaid) == uaid
            assert client.notified() == {channel: 2}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"websocket_port": 8081}, "public_url must be set"),
        (
            {"websocket_port": 8081, "public_url": "https://x.example", "username": "u", "password": "p"},
            "clients show no user name",
        ),
        ({"public_url": "nowhere"}, "public_url"),
    ],
)
def test_settings_that_cannot_work_together_are_told(
    make_push: Callable[..., PushSite], settings: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        make_push(**settings)
