"""A browser without JavaScript: Flask's client with an administrator who has signed in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import flask.testing
from werkzeug.test import TestResponse

from integration_server.sdk.passwords import hash_password
from tests.web.sites import Site

ADMIN, PASSWORD = "root", "Secret of the root"
PREFIX = "/dashboard"
#: Made once: a hash takes longer than a test.
_HASH = hash_password(PASSWORD, "argon2")


@dataclass
class Browser:
    """Paths are below the dashboard's."""

    site: Site
    caller: str = "127.0.0.1"
    client: flask.testing.FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.site.app.test_client()

    def get(self, path: str = "/", **options: Any) -> TestResponse:
        return self._open("GET", path, **options)

    def page(self, path: str = "/", **options: Any) -> str:
        """The text of a page that must come."""
        response = self.get(path, **options)
        assert response.status_code == 200, (response.status_code, response.text)
        return response.text

    def post(self, path: str, form_token: str | None = None, **fields: Any) -> TestResponse:
        """A form of a page that was seen: with the session's token, unless another is given."""
        token = self.form_token() if form_token is None else form_token
        return self._open("POST", path, data={"form_token": token, **fields})

    def done(self, path: str, **fields: Any) -> str:
        """What the page says to which a form leads."""
        response = self.post(path, **fields)
        assert response.status_code == 303, (response.status_code, response.text)
        target = response.headers["Location"]
        assert target.startswith(PREFIX)
        text = self.page(target.removeprefix(PREFIX))
        found = re.search(r'<p class="notice" role="status">(.*?)</p>', text, re.DOTALL)
        return unescape(found[1]) if found else ""

    def form_token(self) -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', self.page("/"))
        assert found is not None
        return found[1]

    def sign_in(self, name: str = ADMIN, password: str = PASSWORD, **fields: Any) -> TestResponse:
        return self._open("POST", "/sign-in", data={"name": name, "password": password, **fields})

    def _open(self, method: str, path: str, **options: Any) -> TestResponse:
        environ = {"REMOTE_ADDR": options.pop("caller", self.caller), **options.pop("environ_base", {})}
        return self.client.open(PREFIX + path, method=method, environ_base=environ, **options)


def signed_in(site: Site) -> Browser:
    """A browser of the administrator ``ADMIN``, who is made where there is none."""
    if site.installation.store.admins.get(ADMIN) is None:
        site.installation.store.admins.create(ADMIN, _HASH)
    browser = Browser(site)
    assert browser.sign_in().status_code == 303
    return browser
