"""The first API over REST: what docs/push.rst says of paths, bodies and codes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.builtin.push.push_site import PushSite, new_channel

MakePush = Callable[..., PushSite]

#: For parameters, which must be the same in every process of a run.
CHANNEL = "5f6f5ec0-0000-4000-8000-00000000000a"


def test_from_registration_to_acknowledgement(push: PushSite) -> None:
    channel = new_channel()
    found = push.register(None, channel)
    assert set(found) == {"UAID", "APPID", "ENDPOINT"}
    assert found["APPID"] == channel
    uaid, endpoint = found["UAID"], found["ENDPOINT"]
    assert endpoint.startswith("http://localhost/push/update/")
    assert push.connect(uaid) == (204, None)
    answer = push.put(endpoint, 7)
    assert (answer.status_code, answer.data) == (202, b"")
    assert push.connect(uaid) == (200, {"UPDATE": {uaid: {channel: 7}}})
    held = push.put(endpoint, 8)
    assert (held.status_code, held.headers["Retry-After"]) == (503, "1")
    assert push.ack(uaid) == 204
    assert push.connect(uaid) == (204, None)
    assert push.put(endpoint, 7).status_code == 200
    assert push.put(endpoint, 8).status_code == 202
    assert push.connect(uaid) == (200, {"UPDATE": {uaid: {channel: 8}}})
    assert push.post("ack", {"UAIDS": {uaid: {channel: 8}}}).status_code == 204
    assert push.connect(uaid) == (204, None)
    assert push.post("unregister", {"UAID": uaid, "APPID": channel}).status_code == 204
    assert push.put(endpoint, 9).status_code == 410
    assert push.connect(uaid) == (204, None)


def test_several_user_agents_connect_at_once(push: PushSite) -> None:
    channel = new_channel()
    first, second = push.register(None, channel), push.register(None, channel)
    push.put(first["ENDPOINT"], 1)
    push.put(second["ENDPOINT"], 2)
    status, found = push.connect(first["UAID"], second["UAID"], "stranger")
    assert status == 200
    assert found == {
        "UPDATE": {first["UAID"]: {channel: 1}, second["UAID"]: {channel: 2}},
        "UNKNOWN": ["stranger"],
    }


def test_only_unknown_user_agents_are_gone(push: PushSite) -> None:
    status, found = push.connect("stranger", "0" * 32)
    assert status == 410
    assert found == {
        "UPDATE": {},
        "UNKNOWN": ["stranger", "0" * 32],
        "error": "no such user agent; register again",
    }


@pytest.mark.parametrize("uaid", [None, "", "stranger", 7, ["x"], "0" * 32])
def test_registration_of_an_unknown_user_agent_makes_one(push: PushSite, uaid: object) -> None:
    answer = push.post("register", {"UAID": uaid, "APPID": new_channel()})
    assert answer.status_code == 200
    assert len(answer.get_json()["UAID"]) == 32
    assert answer.get_json()["UAID"] != uaid


def test_endpoints_begin_with_the_public_url(make_push: MakePush) -> None:
    push = make_push(public_url="https://push.example.org/p/")
    assert push.register()["ENDPOINT"].startswith("https://push.example.org/p/update/")


# -- what app servers send -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "version"),
    [
        ({"data": {"version": "5"}}, 5),
        ({"data": b"version=5", "content_type": None}, 5),
        ({"data": b"version=5&data=x", "content_type": "text/plain"}, 5),
        ({"data": b"other=1", "query_string": "version=5"}, 5),
        ({"query_string": "version=5"}, 5),
        ({"query_string": "version=4", "data": {"version": "5"}}, 5),
        ({"data": {"version": "0"}}, 0),
        ({"data": {"version": str(2**53 - 1)}}, 2**53 - 1),
        ({"data": b"v%65rsion=5", "content_type": "application/x-www-form-urlencoded"}, 5),
    ],
)
def test_version_is_read(push: PushSite, options: dict[str, object], version: int) -> None:
    found = push.register()
    assert push.put(found["ENDPOINT"], **options).status_code == 202
    assert push.connect(found["UAID"])[1]["UPDATE"] == {found["UAID"]: {found["APPID"]: version}}


@pytest.mark.parametrize("options", [{}, {"data": b""}, {"data": {"version": ""}}, {"data": b"x=1"}])
def test_missing_version_is_the_time(push: PushSite, options: dict[str, object]) -> None:
    found = push.register()
    before = int(time.time())
    assert push.put(found["ENDPOINT"], **options).status_code == 202
    (version,) = push.connect(found["UAID"])[1]["UPDATE"][found["UAID"]].values()
    assert before <= version <= time.time()


@pytest.mark.parametrize("version", ["-1", "1.5", "x", "1e3", "٣", str(2**53), "9" * 400, "0x1", "1 2", "+1", "true"])
def test_wrong_version_is_refused_with_what_is_right(push: PushSite, version: str) -> None:
    found = push.register()
    answer = push.put(found["ENDPOINT"], version)
    assert answer.status_code == 400
    assert answer.get_json() == {"error": "version: must be a whole number from 0 to 9007199254740991"}
    assert push.connect(found["UAID"]) == (204, None)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": b'{"version": 5}', "content_type": "application/json"}, 415),
        ({"data": b"version=1&version=2", "content_type": "text/plain"}, 400),
        ({"data": b"version=1&" + b"x" * 4096}, 413),
        ({"data": b"version=1" + b"&a=b" * 500, "content_type": "text/plain"}, 400),
    ],
)
def test_wrong_body_is_refused(push: PushSite, options: dict[str, object], status: int) -> None:
    found = push.register()
    answer = push.put(found["ENDPOINT"], **options)
    assert answer.status_code == status
    assert answer.get_json()["error"]
    assert push.connect(found["UAID"]) == (204, None)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
def test_other_methods_are_refused_with_the_right_one(push: PushSite, method: str) -> None:
    endpoint = push.register()["ENDPOINT"]
    answer = push.app.test_client().open(endpoint.removeprefix("http://localhost"), method=method)
    assert answer.status_code == 405
    assert "PUT" in answer.headers["Allow"]
    for path in ("register", "connect", "ack", "unregister"):
        assert push.app.test_client().get(f"/push/{path}").status_code == 405


@pytest.mark.parametrize("token", ["x", "A" * 44, "%00", "é", "A" * 5000, "a/b", ""])
def test_forged_endpoint_is_404(push: PushSite, token: str) -> None:
    push.register()
    assert push.put(f"http://localhost/push/update/{token}", 1).status_code == 404


def test_endpoint_takes_so_many_versions_a_minute(make_push: MakePush) -> None:
    push = make_push(puts_per_minute=2)
    found, other = push.register(), push.register()
    assert [push.put(found["ENDPOINT"], version).status_code for version in (1, 2, 3)] == [202, 202, 429]
    assert push.put(found["ENDPOINT"], 3).headers["Retry-After"] == "10"
    assert push.put(other["ENDPOINT"], 1).status_code == 202


# -- what clients send ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message", "told"),
    [
        ("register", [], "this is no JSON object"),
        ("register", {}, "APPID: must be a UUID"),
        ("register", {"APPID": "x"}, "APPID: must be a UUID"),
        ("register", {"APPID": CHANNEL.upper()}, "APPID: must be a UUID"),
        ("register", {"APPID": 7}, "APPID: must be a UUID"),
        ("register", {"APPID": CHANNEL, "KICK": "x"}, "KICK: must be an object"),
        ("register", {"APPID": CHANNEL, "KICK": {"x": "y" * 4096}}, "KICK: kick data may have 4096 bytes"),
        ("connect", {}, "UAIDS: a list of one or more texts"),
        ("connect", {"UAIDS": []}, "UAIDS: a list of one or more texts"),
        ("connect", {"UAIDS": [7]}, "UAIDS: a list of one or more texts"),
        ("connect", {"UAIDS": "x"}, "UAIDS: a list of one or more texts"),
        ("connect", {"UAIDS": {}}, "UAIDS: a list of one or more texts"),
        ("connect", {"UAIDS": ["x"] * 1001}, "UAIDS: at most 1000 at once"),
        ("ack", {"UAIDS": 1}, "UAIDS: a list of one or more texts"),
        ("ack", {"UAIDS": {"x": 1}}, "UAIDS: an object must have objects with whole numbers"),
        ("ack", {"UAIDS": {"x": {"y": "1"}}}, "UAIDS: an object must have objects with whole numbers"),
        ("ack", {"UAIDS": {"x": {"y": True}}}, "UAIDS: an object must have objects with whole numbers"),
        ("ack", {"UAIDS": {str(number): {} for number in range(1001)}}, "UAIDS: at most 1000 at once"),
        ("unregister", {"APPID": CHANNEL}, "UAID: a text must be there"),
        ("unregister", {"UAID": "x", "APPID": "x"}, "APPID: must be a UUID"),
    ],
)
def test_wrong_message_is_refused_with_what_is_wrong(push: PushSite, path: str, message: object, told: str) -> None:
    answer = push.post(path, message)
    assert answer.status_code == 400, answer.text
    assert told in answer.get_json()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"APPID": NaN}', b"9" * 5000, b'"x"', b"null"])
def test_what_is_no_json_object_is_refused(push: PushSite, body: bytes) -> None:
    for path in ("register", "connect", "ack", "unregister"):
        answer = push.app.test_client().post(f"/push/{path}", data=body)
        assert answer.status_code == 400
        assert answer.get_json()["error"].startswith("this is no JSON")


def test_no_depth_of_kick_data_is_a_fault_of_the_server(push: PushSite) -> None:
    """They are written in another place of the stack than they were read in: there is a depth for which only one of
    the two has room."""
    channel = new_channel()
    for depth in range(850, 1000):
        body = f'{{"APPID": "{channel}", "KICK": {{"a": {"[" * depth}{"]" * depth}}}}}'
        assert push.app.test_client().post("/push/register", data=body).status_code == 400, depth


def test_kick_data_have_so_many_levels(push: PushSite) -> None:
    for depth, told in ((30, None), (31, "at most 32 objects and lists may stand within each other")):
        body = f'{{"APPID": "{new_channel()}", "KICK": {{"a": {"[" * depth}{"]" * depth}}}}}'
        answer = push.app.test_client().post("/push/register", data=body)
        assert answer.get_json().get("error") == told


def test_number_that_would_be_written_as_infinity_is_refused(push: PushSite) -> None:
    body = f'{{"APPID": "{new_channel()}", "KICK": {{"a": 1e999}}}}'
    answer = push.app.test_client().post("/push/register", data=body)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "this is no JSON in UTF-8")


def test_unregister_of_what_is_not_there_is_no_failure(push: PushSite) -> None:
    assert push.post("unregister", {"UAID": "x", "APPID": new_channel()}).status_code == 204
    assert push.ack("x", "0" * 32) == 204


def test_too_many_channels_are_refused(make_push: MakePush) -> None:
    push = make_push(channels_per_agent=1)
    uaid = push.register()["UAID"]
    answer = push.post("register", {"UAID": uaid, "APPID": new_channel()})
    assert answer.status_code == 403
    assert "unregister one" in answer.get_json()["error"]


def test_too_many_user_agents_are_refused(make_push: MakePush) -> None:
    push = make_push(user_agents=1)
    push.register()
    answer = push.post("register", {"APPID": new_channel()})
    assert answer.status_code == 503
    assert "try again later" in answer.get_json()["error"]


def test_clients_of_other_machines_need_encryption_and_app_servers_do_not(push: PushSite) -> None:
    found = push.register()
    far = {"REMOTE_ADDR": "192.0.2.1"}
    assert push.connect(found["UAID"], environ_base=far)[0] == 403
    assert push.connect(found["UAID"], environ_base=far, base_url="https://push.example.org")[0] == 204
    assert push.put(found["ENDPOINT"], 1, environ_base=far).status_code == 202


# -- the long poll -------------------------------------------------------------------------------------------------


def test_long_poll_is_answered_as_soon_as_there_is_a_version(push: PushSite) -> None:
    found = push.register()
    answers: list[object] = []
    poll = threading.Thread(target=lambda: answers.append(push.connect(found["UAID"], wait=30)))
    poll.start()
    time.sleep(0.5)
    assert not answers
    began = time.monotonic()
    assert push.put(found["ENDPOINT"], 3).status_code == 202
    poll.join(20)
    assert time.monotonic() - began < 10
    assert answers == [(200, {"UPDATE": {found["UAID"]: {found["APPID"]: 3}}})]


def test_long_poll_hears_of_versions_that_another_process_took(make_push: MakePush) -> None:
    push, other = make_push(), make_push()
    found = push.register()
    answers: list[object] = []
    poll = threading.Thread(target=lambda: answers.append(push.connect(found["UAID"], wait=30)))
    poll.start()
    time.sleep(0.3)
    assert other.put(found["ENDPOINT"], 3).status_code == 202
    poll.join(20)
    assert answers == [(200, {"UPDATE": {found["UAID"]: {found["APPID"]: 3}}})]


def test_long_poll_ends_with_its_time_and_with_the_server(make_push: MakePush) -> None:
    push = make_push()
    uaid = push.register()["UAID"]
    began = time.monotonic()
    assert push.connect(uaid, wait=1) == (204, None)
    assert time.monotonic() - began >= 1
    push.installation.stopping.set()
    began = time.monotonic()
    assert push.connect(uaid, wait=60) == (204, None)
    assert time.monotonic() - began < 20


def test_more_polls_than_may_wait_are_answered_at_once(make_push: MakePush) -> None:
    push = make_push()
    uaid = push.register()["UAID"]
    places = push.installation.waiters
    taken = 0
    while places.acquire(blocking=False):
        taken += 1
    assert taken == push.installation.config.core.server.threads // 8
    began = time.monotonic()
    assert push.connect(uaid, wait=60) == (204, None)
    assert time.monotonic() - began < 20
    places.release()
    assert push.connect(uaid, wait=1) == (204, None)
    assert places.acquire(blocking=False), "a poll that ended keeps its place"


@pytest.mark.parametrize("wait", ["-1", "61", "x", "1.5", "99999"])
def test_wrong_wait_is_refused(push: PushSite, wait: str) -> None:
    status, answer = push.connect(push.register()["UAID"], wait=wait)
    assert status == 400
    assert answer == {"error": "wait: must be a whole number of seconds from 0 to 60"}


def test_ids_and_tokens_are_in_no_log(push: PushSite, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    found = push.register(KICK={"secret": "s3cret"})
    push.put(found["ENDPOINT"], 1)
    push.connect(found["UAID"])
    push.post("connect", {"UAIDS": {found["UAID"]: 1}})
    token = found["ENDPOINT"].rpartition("/")[2]
    caller = push.app.test_client()
    assert caller.get(f"/push/update/{token}").status_code == 405
    for path in (f"/push//update/{token}", f"/push/update/{token}/version", f"/{token}", f"//push/update/{token}"):
        assert caller.put(path).status_code == 404
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "GET /push/update/*** 405" in said
    assert "PUT /push/update/*** 202" in said
    assert found["UAID"] not in said
    assert token not in said
    assert "s3cret" not in said
