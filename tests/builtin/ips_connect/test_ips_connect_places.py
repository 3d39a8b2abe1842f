"""To which pages browsers may be sent back, and what is made of URLs."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server import ConfigError, parse_url
from integration_server.builtin.ips_connect.places import Places, bare_page, plain_url, shown_host, with_query
from integration_server.builtin.ips_connect.settings import GatewaySettings

SLAVES = ("https://forum.example/gw", "https://shop.example:8443/gw?site=1", "http://[2001:db8::7]/gw")


def _places(**values: object) -> Places:
    given = {"type": "ips_connect", "path": "/connect", "backends": ["forum"], **values}
    return Places(GatewaySettings.model_validate(given))


PLACES = _places(
    public_url="https://sso.example/connect",
    home_url="https://home.example/start",
    known_hosts=("wiki.example", "wiki.example:8080", "bücher.example"),
)


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://forum.example/", None),
        ("https://forum.example", "https://forum.example/"),
        ("http://forum.example/x", None),
        ("HTTPS://FORUM.example:443/A?b=C#d", "https://forum.example/A?b=C#d"),
        ("https://forum.example./x", "https://forum.example/x"),
        ("https://forum.example/a?returnTo=https%3A%2F%2Fevil.example%2F&x=%0d%0aX", None),
        ("https://forum.example//evil.example/", None),
        ("https://forum.example/\\evil.example", None),
        ("https://forum.example/?x=@evil.example", None),
        ("https://forum.example/ä?ö#ü", "https://forum.example/%C3%A4?%C3%B6#%C3%BC"),
        ("https://shop.example:8443/", None),
        ("https://shop.example/", None),
        ("http://shop.example/", None),
        ("http://[2001:db8::7]/", None),
        ("http://[2001:DB8:0::7]:80/", "http://[2001:db8::7]/"),
        ("https://sso.example/connect?do=x", None),
        ("https://home.example/", None),
        ("https://wiki.example:8080/", None),
        ("https://BÜCHER.example/", "https://xn--bcher-kva.example/"),
        ("https://xn--bcher-kva.example/", None),
        # Browsers take these dots, and these letters, for the usual ones, and so do we: they lead to the known host.
        ("https://forum。example/", "https://forum.example/"),
        ("https://ｆorum.example/", "https://forum.example/"),
    ],
)
def test_pages_of_known_hosts_are_written_as_they_were_understood(url: str, page: str | None) -> None:
    assert PLACES.page(url, SLAVES) == (page or url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "/index.php",
        "index.php",
        "//forum.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "https:forum.example/",
        "https:evil.example",
        "https:/forum.example/",
        "https:///forum.example/",
        "https:\\\\forum.example/",
        "https://evil.example/",
        "https://evil.example/?https://forum.example/",
        "https://evil.example#https://forum.example/",
        "https://forum.example.evil.example/",
        "https://evilforum.example/",
        "https://sub.forum.example/",
        "https://forum.example@evil.example/",
        "https://evil.example@forum.example/",
        "https://user:pass@forum.example/",
        "https://forum.example:443@evil.example/",
        "https://evil.example\\@forum.example/",
        "https://evil.example\\.forum.example/",
        "https://forum.example\\.evil.example/",
        "https://evil.example;forum.example/",
        "https://forum.example,evil.example/",
        "https://[forum.example]/",
        "https://[::ffff:1.2.3.4]/",
        "https://%66orum.example/",
        "https://forum%2Eexample/",
        "https://evil.example%2F.forum.example/",
        "https://forum.example%00.evil.example/",
        "https://forum.example:8443/",
        "https://forum.example:0/",
        "https://forum.example:99999/",
        "https://forum.example:x/",
        "https://shop.example:8444/",
        "https://wiki.example:8081/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://fоrum.example/",  # a Cyrillic letter
        "https://forum.examp1e/",
        "https://forum.example\u200b.evil.example/",
        "javascript:alert(1)",
        "javascript://forum.example/%0aalert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "data://forum.example/",
        "vbscript:x",
        "file://forum.example/etc/passwd",
        "ftp://forum.example/",
        "blob:https://forum.example/x",
        "view-source:https://forum.example/",
        " https://forum.example/",
        "https://forum.example/ ",
        "ht\ntps://forum.example/",
        "java\tscript:alert(1)",
        "https://forum.example/\r\nSet-Cookie: a=b",
        "https://forum.example/\r\n\r\n<script>",
        "https://forum.example\r\n.evil.example/",
        "https://forum.example/\x00",
        "https://forum.example/\x7f",
        "https://forum.example/\ud800",
        "https://" + "a" * 300 + ".example/",
        "https://forum.example/" + "x" * 2048,
        "https://forum.example/" + "ä" * 1000,
    ],
)
def test_no_trick_leads_anywhere_else(url: str) -> None:
    assert PLACES.page(url, SLAVES) is None


@given(st.text(max_size=60), st.sampled_from(["", "https://", "https://forum.example", "http://forum.example:443"]))
def test_whatever_is_sent_the_page_is_plain_and_of_a_known_host(text: str, begin: str) -> None:
    page = PLACES.page(begin + text, SLAVES)
    if page is not None:
        assert page.isascii()
        assert page.isprintable()
        assert " " not in page
        assert parse_url(page).host in {"forum.example", "shop.example", "2001:db8::7", "sso.example", "home.example"}
        assert PLACES.page(page, SLAVES) == page


def test_without_settings_only_slaves_are_known() -> None:
    places = _places()
    assert places.home is None
    assert places.page("https://forum.example/", SLAVES) is not None
    assert places.page("https://forum.example/", SLAVES[1:]) is None
    assert places.page("https://sso.example/", SLAVES) is None


@pytest.mark.parametrize(
    "values",
    [
        {"public_url": "sso.example/connect"},
        {"public_url": "https://user@sso.example/"},
        {"home_url": "/start"},
        {"home_url": "javascript:alert(1)"},
        {"known_hosts": "https://wiki.example"},
        {"known_hosts": "wiki.example/"},
        {"known_hosts": "wiki.example/x"},
        {"known_hosts": "wiki.example?x"},
        {"known_hosts": "*.example"},
        {"known_hosts": "user@wiki.example"},
        {"known_hosts": ""},
    ],
)
def test_settings_that_name_no_place_are_configuration_errors(values: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        _places(**values)


@pytest.mark.parametrize(
    ("public_url", "called", "url", "path", "is_encrypted"),
    [
        (None, "http://sso.example/connect", "http://sso.example/connect", "/connect", False),
        (None, "https://sso.example/connect?do=x", "https://sso.example/connect", "/connect", True),
        (
            "https://sso.example/connect",
            "http://127.0.0.1:8080/connect",
            "https://sso.example/connect",
            "/connect",
            True,
        ),
        ("https://sso.example/", "http://10.0.0.1/connect", "https://sso.example/", "/", True),
        (
            "https://sso.example/forum/applications/core/interface/ipsconnect/ipsconnect.php",
            "http://10.0.0.1/connect",
            "https://sso.example/forum/applications/core/interface/ipsconnect/ipsconnect.php",
            "/forum",
            True,
        ),
    ],
)
def test_the_mount_is_where_browsers_see_it(
    public_url: str | None, called: str, url: str, path: str, is_encrypted: bool
) -> None:
    parts = urlsplit(called)
    builder = flask.Flask("x").test_request_context(
        parts.path, base_url=f"{parts.scheme}://{parts.netloc}", query_string=parts.query
    )
    with builder:
        here = _places(public_url=public_url).here(flask.request)
    assert (here.url, here.cookie_path, here.is_encrypted) == (url, path, is_encrypted)


@pytest.mark.parametrize("host", ["a b", "evil.example/x", "user@evil.example", "a\\b", "[::1", "x:y", "<script>"])
def test_a_host_header_that_is_none_is_no_place(host: str) -> None:
    with (
        flask.Flask("x").test_request_context("/connect", headers={"Host": host}),
        pytest.raises(ValueError, match="URL"),
    ):
        _places().here(flask.request)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://a.example/gw", "https://a.example/gw?x=%C3%A4%26%3D%20&y="),
        ("https://a.example/gw?", "https://a.example/gw?x=%C3%A4%26%3D%20&y="),
        ("https://a.example/gw?a=1", "https://a.example/gw?a=1&x=%C3%A4%26%3D%20&y="),
        ("https://a.example/gw?a=1&", "https://a.example/gw?a=1&x=%C3%A4%26%3D%20&y="),
    ],
)
def test_parameters_follow_those_that_are_there(url: str, found: str) -> None:
    assert with_query(url, [("x", "ä&= "), ("y", "")]) == found
    assert parse_qsl(urlsplit(found).query, keep_blank_values=True)[-2:] == [("x", "ä&= "), ("y", "")]


def test_what_is_shown_of_a_url_holds_no_key() -> None:
    url = "https://forum.example:8443/index.php?ipsconnectKey=hush#hush"
    assert plain_url(url) == "https://forum.example:8443/index.php?ipsconnectKey=hush"
    assert bare_page(url) == "https://forum.example:8443/index.php"
    assert shown_host(url) == "forum.example:8443"
    assert shown_host("https://user:hush@forum.example/") == shown_host("hush") == "an URL that cannot be read"
