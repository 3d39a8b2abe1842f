"""URLs are read strictly and shown without their keys."""

from __future__ import annotations

import pytest

from integration_server import masked_url, parse_url
from integration_server.sdk.urls import Target


@pytest.mark.parametrize(
    ("url", "target", "origin"),
    [
        ("https://hook.example.org", Target("https", "hook.example.org", 443, "/"), "https://hook.example.org"),
        ("http://hook.example.org:80/a", Target("http", "hook.example.org", 80, "/a"), "http://hook.example.org"),
        (
            "HTTP://Hook.Example.ORG:8080/A",
            Target("http", "hook.example.org", 8080, "/A"),
            "http://hook.example.org:8080",
        ),
        ("https://h/?key=a%20b&c=+d", Target("https", "h", 443, "/?key=a%20b&c=+d"), "https://h"),
        ("https://h?key=1", Target("https", "h", 443, "/?key=1"), "https://h"),
        ("https://h/a#part", Target("https", "h", 443, "/a"), "https://h"),
        ("https://[::1]:8443/", Target("https", "::1", 8443, "/"), "https://[::1]:8443"),
        ("https://my_service.local./", Target("https", "my_service.local.", 443, "/"), "https://my_service.local"),
        (
            "https://bücher.example/ä?ö",
            Target("https", "xn--bcher-kva.example", 443, "/%C3%A4?%C3%B6"),
            "https://xn--bcher-kva.example",
        ),
        ("https://h/?a='\"<>{}|^`\\@", Target("https", "h", 443, "/?a='\"<>{}|^`\\@"), "https://h"),
    ],
)
def test_good_urls_are_read(url: str, target: Target, origin: str) -> None:
    assert parse_url(url) == target
    assert target.origin == origin


@pytest.mark.parametrize(
    "url",
    [
        *("", "/hook", "hook.example.org", "//hook.example.org/", "https:", "https://", "https:///path", "https:/h/"),
        *("ftp://h/", "file:///etc/passwd", "gopher://h/", "javascript:alert(1)", "httpss://h/", "unix:///x"),
        *("https://user@h/", "https://user:pw@h/", "https://@h/", "https://a:b@c@h/", "http://good.example\\@127.0.0.1/"),
        *("https://h:0/", "https://h:65536/", "https://h:x/", "https://h:-1/", "https://[::1/", "https://::1/"),
        *("https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[v1.x]/", "https://[127.0.0.1]/"),
        *("https://h[::1]/", "https://[::1]h/", "https://[::1]:8443[::1]/", "https://h.example[2001:db8::1]:443/"),
        *("https://h /", " https://h/", "https://h/\r\nX: y", "https://h/\n", "https://h\t/", "https://h/\x00", "https://h/\x7f"),
        *("https://.h/", "https://a..b/", "https://h%2fx/", "https://h%00/", "https://-h/", "https://h,i/", "https://h*/"),
        *("http://2130706433/", "http://0x7f.2/", "http://0177.0.0.2/", "http://127.2/", "http://1.2.3.256/", "http://a.1/"),
        *("https://" + "a" * 64 + "/", "https://" + "a." * 127 + "aa/", "https://\ud800/", "https://a\u2100b/"),
    ],
)  # fmt: skip
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        parse_url(url)


def test_refusal_quotes_nothing_of_a_url_that_may_hold_a_key() -> None:
    for url in (
        "https://geheim:geheim@h/?key=geheim",
        "geheim://geheim/",
        "https://h:geheim/",
        "https://geheim geheim/",
    ):
        with pytest.raises(ValueError, match="URL") as caught:
            parse_url(url)
        assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/hook", "https://h/hook"),
        ("https://h:8443/hook?key=geheim", "https://h:8443/hook?key=***"),
        ("https://h/?a=geheim&b=geheim&geheim", "https://h/?a=***&b=***&***"),
        ("https://h/?geheim", "https://h/?***"),
        ("https://h/?a=geheim=geheim", "https://h/?a=***"),
        ("https://geheim:geheim@h/", "https://***"),
        ("https://h/#geheim", "https://h/"),
        ("geheim", "://***"),
        ("https://[geheim", "***"),
    ],
)
def test_keys_are_masked(url: str, shown: str) -> None:
    assert masked_url(url) == shown
