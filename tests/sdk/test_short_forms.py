"""Forms read without a framework hold what the framework finds in them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import example, given, reject
from hypothesis import strategies as st
from werkzeug.formparser import parse_form_data

from integration_server import FORM, form_pairs, is_short_form, short_body

PIECES = st.sampled_from(
    [b"a", b"b=", b"=", b"&", b"+", b"%41", b"%C3%A9", "é".encode(), b"%zz", b"%", b";", b" ", b"\0"]
)


def request(body: bytes, **changed: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "",
        "CONTENT_TYPE": FORM,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    return {key: value for key, value in (made | changed).items() if value is not None}


@given(st.lists(PIECES, max_size=12).map(b"".join))
@example(b"user=a%40b&pass=%26%3D&x&&=&=1&y=1=2")
def test_names_and_values_are_those_that_werkzeug_finds(body: bytes) -> None:
    _, form, _ = parse_form_data(request(body))
    found: dict[str, list[str]] = {}
    try:
        for name, value in form_pairs(body):
            found.setdefault(name, []).append(value)
    except UnicodeError:
        reject()  # another test's

    assert found == dict(form.lists())


@pytest.mark.parametrize("body", [b"a=\xff", b"a=%FF", b"%C3=a", b"a=%ED%A0%80"])
def test_what_is_not_utf_8_is_an_error(body: bytes) -> None:
    with pytest.raises(UnicodeError):
        form_pairs(body)


def test_a_body_can_be_read_again() -> None:
    environ = request(b"cmd=list")

    assert short_body(environ) == b"cmd=list"
    assert environ["wsgi.input"].read() == b"cmd=list"


@pytest.mark.parametrize(
    "changed",
    [
        {"REQUEST_METHOD": "PUT"},
        {"QUERY_STRING": "a=b"},
        {"CONTENT_TYPE": f"{FORM}; charset=utf-8"},
        {"CONTENT_TYPE": None},
        {"CONTENT_LENGTH": None},
        {"CONTENT_LENGTH": ""},
        {"CONTENT_LENGTH": "10000"},
        {"CONTENT_LENGTH": "-1"},
        {"CONTENT_LENGTH": "²"},
    ],
)
def test_any_other_request_is_left_unread(changed: dict[str, str | None]) -> None:
    assert is_short_form(request(b"cmd=list"))
    assert is_short_form(request(b"cmd=list", QUERY_STRING=None))
    assert not is_short_form(request(b"cmd=list", **changed))
