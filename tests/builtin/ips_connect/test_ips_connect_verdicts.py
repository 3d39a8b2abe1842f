"""What a slave's answer means, and how much of it people are shown."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote

import pytest

from integration_server import HttpAnswer
from integration_server.builtin.ips_connect.masking import masked
from integration_server.builtin.ips_connect.verdicts import Meaning, verdict

HASH, SALT, KEY = "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2", "s&l<t", "b" * 32


def answer(body: bytes | str, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, {}, body.encode() if isinstance(body, str) else body)


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        ('{"status":"SUCCESS"}', Meaning.TAKEN),
        ('\ufeff \n{"connect_id": 7, "status": "SUCCESS"}\n', Meaning.TAKEN),
        ('{"status":"DISABLED"}', Meaning.GONE),
        ('{"status":"EMAIL_IN_USE"}', Meaning.IN_USE),
        ('{"status":"USERNAME_IN_USE"}', Meaning.IN_USE),
        ('{"status":"BAD_KEY"}', Meaning.REFUSED),
        ('{"status":"INVALID_ACTION"}', Meaning.REFUSED),
        ('{"status":"REQUEST_MISSING_DATA"}', Meaning.REFUSED),
        ('{"status":"ACCOUNT_NOT_FOUND"}', Meaning.UNKNOWN_ID),
        ('{"status":"FAILURE"}', Meaning.REFUSED),
        ('{"status":"success"}', Meaning.REFUSED),
        ('{"status":{"SUCCESS":1}}', Meaning.REFUSED),
        ('{"status":null}', Meaning.REFUSED),
    ],
)
def test_status_within_the_json_decides_whatever_the_http_status_is(body: str, meaning: Meaning) -> None:
    for status in (200, 404, 500, 503):
        for accept_empty in (False, True):
            found = verdict(answer(body, status), accept_empty)
            assert (found.meaning, found.is_clear) == (meaning, True)


@pytest.mark.parametrize("body", ["", " \n", "null", "\ufeff", "\ufeffnull "])
def test_empty_answer_is_a_success_of_those_alone_who_are_known_for_it(body: str) -> None:
    assert verdict(answer(body), accept_empty=True).meaning is Meaning.TAKEN
    strict = verdict(answer(body), accept_empty=False)
    assert (strict.meaning, strict.is_clear) == (Meaning.REFUSED, False)
    assert "accept_empty" in strict.reason
    for status in (201, 301, 404, 500):
        assert verdict(answer(body, status), accept_empty=True).meaning is Meaning.REFUSED


@pytest.mark.parametrize(
    "body",
    [
        "<html>It works!</html>",
        '<b>Notice</b>: Undefined index in gw.php\n{"status":"SUCCESS"}',
        "[]",
        "{}",
        '"SUCCESS"',
        "SUCCESS",
        "true",
        "0",
        b"\xff\xfe\x00\x80",
        "{" * 20_000,
        "[" * 20_000,
        '{"status":"SUCC',
    ],
)
def test_whatever_is_no_gateways_answer_leaves_open_what_was_done(body: str | bytes) -> None:
    for accept_empty in (False, True):
        found = verdict(answer(body), accept_empty)
        assert (found.meaning, found.is_clear) == (Meaning.REFUSED, False)
        assert "not as a gateway does" in found.reason


def test_wrong_key_is_said_in_words_for_people() -> None:
    for body in ('{"status":"BAD_KEY"}', "Security key mismatch.", "<p>Security key mismatch.</p>"):
        for accept_empty in (False, True):
            found = verdict(answer(body), accept_empty)
            assert (found.meaning, found.reason) == (Meaning.REFUSED, "refuses our key; it must register again")
            assert found.is_clear


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_slave_that_asks_for_a_rest_is_down_as_a_whole(status: int) -> None:
    found = verdict(answer("<h1>Please wait</h1>", status), accept_empty=True)
    assert (found.meaning, found.is_clear) == (Meaning.UNAVAILABLE, status == 429)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    found = verdict(answer("", status), accept_empty=False)
    assert (found.meaning, found.is_clear) == (Meaning.REFUSED, True)
    assert "register with the URL where that leads" in found.reason


@pytest.mark.parametrize(("status", "is_clear"), [(400, True), (403, True), (404, True), (500, False), (520, False)])
def test_only_a_refusal_of_the_request_says_that_nothing_was_done(status: int, is_clear: bool) -> None:
    found = verdict(answer("no", status), accept_empty=True)
    assert (found.meaning, found.is_clear) == (Meaning.REFUSED, is_clear)


def spellings(secret: str) -> list[str]:
    url = quote(secret, safe="")
    return [
        secret,
        url,
        re.sub("%..", lambda found: found[0].lower(), url),
        quote(url, safe=""),
        json.dumps({"x": secret}).replace("/", "\\/"),
        "".join(f"\\u{ord(letter):04x}" for letter in secret),
        html.escape(secret),
        "".join(f"&#{ord(letter)};" for letter in secret),
        html.escape(f"?returnTo={quote('https://x/?p=' + url, safe='')}"),
    ]


@pytest.mark.parametrize("secret", [HASH, SALT, KEY, "a b+c"])
def test_what_a_slave_was_asked_with_is_not_shown_however_it_repeats_it(secret: str) -> None:
    for spelling in spellings(secret):
        shown = masked(f"<p>no such page: {spelling} </p>", [HASH, SALT, KEY, "a b+c", ""])
        assert "***" in shown, spelling
        assert secret not in shown
        assert spelling not in shown


def test_rest_of_an_answer_is_shown() -> None:
    assert masked('{"status":"FAILURE"}', [HASH, KEY]) == '{"status":"FAILURE"}'
    assert masked(f"a {KEY} b {KEY}", [HASH, KEY]) == "a *** b ***"
    assert len(masked("x" * 20_000, [HASH, KEY])) == 1_000


def test_no_part_of_a_secret_is_left_where_an_answer_is_cut() -> None:
    for begin in range(900, 2_100):
        shown = masked("x" * begin + HASH + "x" * 5_000, [HASH, KEY])
        assert "2a$13" not in shown
    assert "2a$13" not in masked(HASH * 40, [HASH])
