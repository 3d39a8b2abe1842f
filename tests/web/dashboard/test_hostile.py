"""What a hostile caller sends, with an account and without: it is refused, and costs others nothing."""

from __future__ import annotations

import pytest

from tests.web.dashboard.pages import ADMIN, PASSWORD, PREFIX, Browser
from tests.web.sites import Site


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://[x]:80"])
def test_an_origin_that_is_none_is_another_site(browser: Browser, site: Site, origin: str) -> None:
    stranger = Browser(site)
    data = {"name": ADMIN, "password": PASSWORD}
    assert stranger._open("POST", "/sign-in", data=data, headers={"Origin": origin}).status_code == 403
    data = {"form_token": browser.form_token(), "backend": "hq"}
    assert browser._open("POST", "/guard/lower", data=data, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/guard/lower"])
def test_a_form_that_is_too_large_is_told_so(browser: Browser, path: str) -> None:
    part = 'Content-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    bodies = {
        "many fields": "".join(f"--x\r\n{part}" for _ in range(1_500)) + "--x--\r\n",
        "a long field": f"--x\r\n{part.replace('b', 'b' * 700_000)}--x--\r\n",
        "a long body": "a=" + "b" * 1_100_000,
    }
    for what, body in bodies.items():
        kind = "application/x-www-form-urlencoded" if body.startswith("a=") else "multipart/form-data; boundary=x"
        response = browser.client.post(PREFIX + path, data=body, content_type=kind)
        assert response.status_code == 413, (what, response.status_code)
        assert response.headers["Content-Security-Policy"], what
