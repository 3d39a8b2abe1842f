"""The application around the frontends: paths, errors, headers, and logs that hold no secret."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import flask
import pytest
from werkzeug.routing import MapAdapter
from werkzeug.test import EnvironBuilder

from integration_server import Busy, ConfigError, StoreUnavailable
from integration_server.web.app import create_app, normalize_path
from tests.directory.memory import DOWN
from tests.web.sites import MakeSite, Site, basic


@pytest.mark.parametrize(
    ("path", "normalized"),
    [("/", ""), ("/mailstore", "/mailstore"), ("/mailstore/", "/mailstore"), ("/a/b-c/index.php", "/a/b-c/index.php")],
)
def test_a_path_is_taken_with_or_without_its_last_slash(path: str, normalized: str) -> None:
    assert normalize_path("archive", path) == normalized


@pytest.mark.parametrize("path", ["", "mailstore", "/a?b", "/a#b", "/a//b", "/a b", "/a%20b", "/<path:x>", "//"])
def test_a_path_that_cannot_be_asked_for_is_a_configuration_error(path: str, make_site: MakeSite) -> None:
    with pytest.raises(ConfigError, match=r"frontends\.archive.*path"):
        make_site(path=path)


@pytest.mark.parametrize("other", ["/mailstore", "/mailstore/"])
def test_two_mounts_do_not_share_a_path(other: str, make_site: MakeSite) -> None:
    with pytest.raises(ConfigError, match="share the path") as raised:
        make_site({"frontends.second": {"type": "mailstore", "path": other, "backends": "hq"}})

    assert "frontends.archive" in str(raised.value)
    assert "frontends.second" in str(raised.value)


@pytest.mark.parametrize("mounted", ["/", "/mailstore", "/tenants/one/index.php"])
def test_a_mount_answers_with_and_without_the_last_slash(mounted: str, make_site: MakeSite) -> None:
    site = make_site(path=mounted)
    site.world["hq"].add("ann", "x")

    assert site.list(path=mounted).status_code == 200
    assert site.list(path=mounted.rstrip("/") + "/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/tenants", "/tenants/one/x", "/Tenants/one", "/tenants//one", "/./tenants/one", "//tenants/one"]
)
def test_other_paths_are_not_found_and_lead_nowhere(path: str, make_site: MakeSite) -> None:
    site = make_site(path="/tenants/one")
    response = site.request(
        data="cmd=auth&user=ann&pass=hush-hush", query_string="pass=hush-hush", environ_overrides={"PATH_INFO": path}
    )

    assert response.status_code == 404
    assert response.get_json() == {"error": "Not Found"}
    # A redirect would repeat the query string.
    assert "hush-hush" not in str(response.headers) + response.text


def test_mounts_have_their_own_credentials(make_site: MakeSite) -> None:
    tenant = {
        "type": "mailstore",
        "path": "/two",
        "backends": "hq",
        "username": "two",
        "password": "second",
        "filter": {"include": "b*"},
    }
    site = make_site({"frontends.two": tenant}, path="/one", username="one", password="first")
    site.world["hq"].add("ann", "x")
    site.world["hq"].add("bob", "x")
    one, two = basic("one", "first"), basic("two", "second")
    statuses = {
        (path, who): site.list(path=path, headers={"Authorization": credentials}).status_code
        for path in ("/one", "/two")
        for who, credentials in (("one", one), ("two", two))
    }

    assert statuses == {("/one", "one"): 200, ("/one", "two"): 401, ("/two", "one"): 401, ("/two", "two"): 200}
    site.authorization = two
    assert site.accepts("bob", "x", path="/two")
    assert not site.accepts("ann", "x", path="/two")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_answer_is_kept_or_guessed_at(method: str, site: Site) -> None:
    response = site.request(method, data={"cmd": "list"} if method == "POST" else None)

    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


# -- errors ----------------------------------------------------------------------------------------------------------


def test_an_outage_is_told_with_its_cause_and_when_to_come_back(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.world["hq"].error = DOWN
    response = site.list()

    assert response.status_code == 503
    assert "refuses connections" in response.get_json()["error"]
    assert int(response.headers["Retry-After"]) > 0
    assert "refuses connections" in caplog.text


def test_a_store_that_fails_is_an_outage(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    data = site.installation.config.data_dir
    site.installation.store.close()
    (data / "store.db").unlink()
    (data / "store.db").mkdir()

    assert site.list().status_code == 503
    assert site.auth("ann", "Ann's password").status_code == 503


@pytest.mark.parametrize(
    ("error", "status"), [(Busy(), 503), (StoreUnavailable(), 503), (RuntimeError("hush-hush"), 500)]
)
def test_whatever_a_frontend_raises_is_an_answer_without_its_details(
    error: Exception, status: int, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise error

    site.app.view_functions["archive.command"] = broken
    response = site.list()

    assert response.status_code == status
    assert "hush-hush" not in response.text
    assert response.is_json
    if status == 500:
        assert "RuntimeError" in caplog.text


# -- logs ------------------------------------------------------------------------------------------------------------


def test_requests_are_logged_without_their_query_string(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "integration_server.access"):
        site.post({"cmd": "list"}, query_string="user=ann&pass=hush-hush")
        site.request("GET", query_string="pass=hush-hush")

    lines = [record.getMessage() for record in caplog.records if record.name == "integration_server.access"]
    assert [line.rpartition(" ms")[0].rpartition(" ")[0] for line in lines] == [
        "127.0.0.1 POST /mailstore 400",
        "127.0.0.1 GET /mailstore 405",
    ]
    assert "hush-hush" not in caplog.text


def test_a_path_cannot_write_lines_of_its_own_into_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        site.request("GET", path="/x%0a10.0.0.1%20POST%20/forged%0d%1b[31m")

    assert caplog.records
    for record in caplog.records:
        assert record.getMessage().isprintable()


PASSWORDS = ["hush-hush", "Ann's password", "Passw0rd", "of the caller"]


def test_no_password_reaches_a_log_whatever_goes_wrong(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    people = site.world["hq"]
    with caplog.at_level(logging.DEBUG):
        site.list()
        site.auth("ann", "Ann's password")
        for number in range(8):
            site.auth("ann", f"hush-hush {number}")
        for error in (DOWN, RuntimeError("broken"), KeyError("x")):
            people.error = error
            site.auth("bob", "hush-hush")
            site.list()
        people.error = None
        site.auth("nobody", "hush-hush")
        site.auth("bob\0", "hush-hush")
        site.auth("x" * 5000, "hush-hush")
        site.post("cmd=auth&user=ann&pass=hush-hush&pass=hush-hush")
        site.post("cmd=auth&user=ann&pass=hush-hush%FF")
        site.post("cmd=auth&pass=hush-hush")
        site.post('{"pass": "hush-hush"}', content_type="application/json")
        site.post({"cmd": "list"}, query_string="pass=hush-hush")
        site.request(path="/hidden", data="pass=hush-hush", query_string="pass=hush-hush")
        site.post(b"pass=hush-hush&x=" + b"x" * (1 << 21))
        site.authorization = basic("mailstore@example.test", "of the caller")
        site.list()

    assert len(caplog.records) > 10
    assert [password for password in PASSWORDS if password in caplog.text] == []


def test_answer_has_the_id_of_its_request(site: Site) -> None:
    assert site.request("GET", "/healthz", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    assert re.fullmatch("[0-9a-f]{16}", site.list().headers["X-Request-Id"])
    assert site.request("GET", "/nowhere", headers={"X-Request-Id": "a b"}).headers["X-Request-Id"] != "a b"


@pytest.mark.parametrize("host", ["x", "X.example:8080", "[::1]:80", "127.0.0.1:443", "a_b", "a/b", "", "ü", None])
@pytest.mark.parametrize("target", ["/", "/mailstore/", "//a//b", "/%C3%BC?q=%C3%BC&%FF"])
def test_whoever_names_a_host_again_is_led_as_the_first_time(host: str | None, target: str) -> None:
    app = create_app({})

    def place(adapts: Callable[[flask.Request], MapAdapter | None], scheme: str) -> tuple[str, object]:
        environ = EnvironBuilder(path=target, base_url=f"{scheme}://x/").get_environ()
        del environ["HTTP_HOST"]
        request = flask.Request(environ | ({} if host is None else {"HTTP_HOST": host}))
        adapter = adapts(request)
        assert adapter is not None
        # Several slashes are one to it.
        return request.host, vars(adapter) | {"path_info": "/" + adapter.path_info.lstrip("/"), "_known": None}

    for scheme in ("http", "https", "http"):
        for _ in range(3):
            theirs = place(partial(flask.Flask.create_url_adapter, app), scheme)
            assert place(app.create_url_adapter, scheme) == theirs


def test_hosts_that_are_made_up_do_not_fill_the_memory(site: Site) -> None:
    site.world["hq"].add("zoe", "hush-hush")
    for number in range(200):
        assert site.request("GET", "/healthz", base_url=f"http://host{number}.example/").status_code == 200
    assert site.auth("zoe", "hush-hush", base_url="http://host199.example/").get_json() == {"succeeded": True}
