"""Forwarding headers are believed when they come from a trusted proxy, and never reach the application."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server.sdk.errors import ConfigError
from integration_server.web.proxy import IS_FORWARDED, TrustedProxies
from tests.server.conftest import StartServer
from tests.server.wire import ask

TRUSTED = ["10.0.0.1", "10.1.0.0/16", "fd00::/8"]


def seen_through(trusted: list[str], peer: str, **headers: str) -> WSGIEnvironment:
    """What the application gets of a request by ``peer``."""
    seen: WSGIEnvironment = {}

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.update(environ)
        return []

    environ: dict[str, Any] = {"REMOTE_ADDR": peer, "REMOTE_HOST": peer, "REMOTE_PORT": "5", "wsgi.url_scheme": "http"}
    environ |= {"HTTP_" + name: value for name, value in headers.items()}
    list(TrustedProxies(application, trusted)(environ, lambda *_: lambda data: None))
    return seen


def caller(peer: str, forwarded_for: str) -> str:
    return str(seen_through(TRUSTED, peer, X_FORWARDED_FOR=forwarded_for)["REMOTE_ADDR"])


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.1.2.3", "192.0.2.7", "192.0.2.7"),
        ("fd00::5", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.7, 10.1.0.9", "192.0.2.7"),
        ("10.0.0.1", "192.0.2.7,10.1.0.9,10.1.0.8", "192.0.2.7"),
        ("10.0.0.1", "10.1.0.9, 10.1.0.8", "10.1.0.9"),
        ("10.0.0.1", "127.0.0.1, 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "192.0.2.7:51234", "192.0.2.7"),
        ("10.0.0.1", "[2001:db8::7]:51234", "2001:db8::7"),
        ("10.0.0.1", '"[2001:db8::7]"', "2001:db8::7"),
        ("10.0.0.1", "2001:DB8:0::7", "2001:db8::7"),
        ("10.0.0.1", "::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("fd00::5%eth0", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7, unknown", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7, unknown, 10.1.0.9", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7,", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.777", "10.0.0.1"),
        ("10.0.0.1", "[::1", "10.0.0.1"),
        ("10.0.0.2", "192.0.2.7", "10.0.0.2"),
        ("127.0.0.1", "192.0.2.7", "127.0.0.1"),
        ("192.0.2.9", "10.0.0.1", "192.0.2.9"),
        ("", "192.0.2.7", ""),
        ("localhost", "192.0.2.7", "localhost"),
    ],
)
def test_caller_is_the_nearest_address_that_is_no_trusted_proxy(peer: str, forwarded_for: str, expected: str) -> None:
    assert caller(peer, forwarded_for) == expected


@pytest.mark.parametrize(
    ("peer", "proto", "expected"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "HTTPS ", "https"),
        ("10.0.0.1", "http, https", "https"),
        ("10.0.0.1", "https, http", "http"),
        ("10.0.0.1", "wss", "http"),
        ("10.0.0.1", "", "http"),
        ("10.0.0.1", "https,", "http"),
        ("192.0.2.7", "https", "http"),
    ],
)
def test_scheme_is_what_the_last_trusted_proxy_says(peer: str, proto: str, expected: str) -> None:
    assert seen_through(TRUSTED, peer, X_FORWARDED_PROTO=proto)["wsgi.url_scheme"] == expected


@pytest.mark.parametrize("peer", ["10.0.0.1", "192.0.2.7"])
def test_no_forwarding_header_reaches_the_application(peer: str) -> None:
    names = ["X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_FORWARDED_HOST", "X_FORWARDED_PREFIX", "FORWARDED"]
    seen = seen_through(TRUSTED, peer, HOST="x", **dict.fromkeys(names, "evil"))
    assert [key for key in seen if "FORWARDED" in key] == []
    assert seen["HTTP_HOST"] == "x"
    assert seen[IS_FORWARDED] is True


def test_direct_request_is_known_as_such() -> None:
    seen = seen_through(TRUSTED, "127.0.0.1", HOST="x")
    assert seen[IS_FORWARDED] is False
    assert seen["REMOTE_PORT"] == "5"


def test_nobody_is_trusted_unless_named() -> None:
    seen = seen_through([], "127.0.0.1", X_FORWARDED_FOR="192.0.2.7", X_FORWARDED_PROTO="https")
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize("entry", ["proxy.example.test", "10.0.0.0/33", "10.0.0", "", "*"])
def test_entry_that_is_no_address_is_named(entry: str) -> None:
    with pytest.raises(ConfigError, match="is not an IP address or network"):
        TrustedProxies(lambda environ, start_response: [], [entry])


@given(st.text(alphabet='0123456789abcdef.:[]%/,"\t \xfc', max_size=60), st.text(max_size=20))
def test_no_header_makes_it_fail(forwarded_for: str, proto: str) -> None:
    seen = seen_through(TRUSTED, "10.0.0.1", X_FORWARDED_FOR=forwarded_for, X_FORWARDED_PROTO=proto)
    assert seen["wsgi.url_scheme"] in ("http", "https")
    assert seen["REMOTE_ADDR"]


def test_server_and_proxies_agree(start_server: StartServer) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        keys = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED")
        answer = json.dumps([environ.get(key) for key in keys]).encode()
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]

    request = (
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.7\r\n"
        b"X-Forwarded-Proto: https\r\nForwarded: for=7.7.7.7\r\n\r\n"
    )
    behind = start_server(TrustedProxies(application, ["127.0.0.0/8"]))
    assert json.loads(ask(behind.port, request).body) == ["192.0.2.7", "https", None, None]
    alone = start_server(TrustedProxies(application, ["10.0.0.1"]))
    assert json.loads(ask(alone.port, request).body) == ["127.0.0.1", "http", None, None]
