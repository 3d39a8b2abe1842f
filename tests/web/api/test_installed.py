"""The API of a whole installation: on its path, beside frontends, with its own engine behind the test button."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integration_server import ConfigError
from integration_server.store.resources import Resource
from integration_server.store.tokens import SCOPES
from tests.receiver import LocalReceiver
from tests.web.sites import MakeSite, Site


def bearer(site: Site) -> dict[str, str]:
    _, plain = site.installation.store.tokens.create("wiki", SCOPES, [Resource()])
    return {"Authorization": f"Bearer {plain}"}


def test_the_api_answers_beside_the_frontends(make_site: MakeSite) -> None:
    site = make_site({"backends.quiet": {"type": "memory"}, "backends.hq": {"type": "memory", "sync": {}}})
    site.world["hq"].add("ann", "x")
    headers = bearer(site)
    response = site.request("GET", "/api/v1/resources", headers=headers)

    assert response.status_code == 200
    watched = {str(Resource.from_json(one["resource"])): one["is_watched"] for one in response.get_json()["resources"]}
    assert watched == {"all": True, "hq": True, "quiet": False}
    assert site.list().status_code == 200
    # One's credentials are nothing to the other.
    assert site.list(headers=headers).status_code == 401
    assert site.request("GET", "/api/v1/events").status_code == 401


@pytest.mark.parametrize("path", ["//api/v1/resources", "///api/v1/resources", "/api//v1/resources"])
def test_the_api_has_one_path_for_proxies_to_guard(path: str, make_site: MakeSite) -> None:
    site = make_site()
    response = site.request("GET", "/", headers=bearer(site), environ_overrides={"PATH_INFO": path})
    assert response.status_code == 404


@pytest.mark.parametrize("is_relaxed", [False, True])
def test_plain_http_is_a_setting(is_relaxed: bool, make_site: MakeSite) -> None:
    tables: dict[str, dict[str, Any]] = {"api": {"allow_plain_http": True}} if is_relaxed else {}
    site = make_site(tables)
    response = site.request("GET", "/api/v1/events", headers=bearer(site), caller="192.0.2.1")
    assert response.status_code == (200 if is_relaxed else 403)


def test_a_frontend_in_the_apis_place_is_a_configuration_error(make_site: MakeSite) -> None:
    with pytest.raises(ConfigError, match=r"frontends\.archive.*where the API answers"):
        make_site(path="/api/v1/mailstore")


@pytest.mark.parametrize("is_allowed", [False, True])
def test_the_test_button_keeps_to_the_networks_that_are_allowed(
    is_allowed: bool, make_site: MakeSite, receiver: LocalReceiver
) -> None:
    allowed = ["127.0.0.0/8", "::1"] if is_allowed else []
    site = make_site({"plugins": {"disabled": ["sql", "ldap", "csv_file"]}, "forwarding": {"allow_networks": allowed}})
    headers = bearer(site)
    # An address would be refused at once; what a name leads to shows when something is sent.
    body = json.dumps({"url": receiver.url("/hook").replace("127.0.0.1", "localhost")})
    made = site.request("POST", "/api/v1/subscriptions", headers=headers, data=body, content_type="application/json")
    assert made.status_code == 201, made.text
    path = f"/api/v1/subscriptions/{made.get_json()['id']}/test"
    result = site.request("POST", path, headers=headers, content_type=None).get_json()

    assert result["delivered"] is is_allowed
    if not is_allowed:
        assert "allow_networks" in result["error"]
