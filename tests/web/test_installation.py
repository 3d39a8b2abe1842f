"""A configuration opened: faults of backends and frontends together, secrets apart from the store."""

from __future__ import annotations

import stat
import threading
import time
from typing import Any

import pytest

from integration_server import ConfigError
from integration_server.store.resources import Resource
from tests.servers import PostgreSql
from tests.web.sites import MakeSite, Site


def faults(make_site: MakeSite, tables: dict[str, dict[str, Any]] | None = None, **frontend: Any) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        make_site(tables, **frontend)
    return str(raised.value).splitlines()


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ({"type": "nonesuch"}, ["backends.hq.type", "'nonesuch'", "memory"]),
        ({"type": "memory", "nonesuch": 1}, ["backends.hq.nonesuch", "unknown key"]),
        ({"type": "memory", "pattern": "("}, ["pattern", "regular expression"]),
        ({"type": "memory", "map": {"full_name": "{x"}}, ["full_name", "brace"]),
        ({"type": "memory", "map": {"username": "{cn}.{ou}"}}, ["username_index"]),
        ({"type": "memory", "map": {"id": "{no}-{cn}"}, "username_index": True}, ["id", "username_index"]),
        ({"type": "memory", "map": {"id": ["no", "cn"]}, "username_index": True}, ["id", "username_index"]),
        ({"type": "memory", "filter": {"exclude": 5}}, ["backends.hq.filter.exclude"]),
    ],
)
def test_a_backend_that_cannot_work_is_named_with_file_and_table(
    backend: dict[str, Any], told: list[str], make_site: MakeSite
) -> None:
    (fault,) = faults(make_site, {"backends.hq": backend})

    assert "all.toml" in fault
    assert fault.count("backends.hq") == 1
    for part in told:
        assert part in fault


@pytest.mark.parametrize(
    ("frontend", "told"),
    [
        ({"type": "nonesuch"}, ["frontends.archive.type", "'nonesuch'", "mailstore"]),
        ({"backends": ["hq", "lab"]}, ["frontends.archive.backends", "[backends.lab]", "hq"]),
        ({"backends": []}, ["frontends.archive.backends", "names no backend"]),
        ({"backends": ["hq", "hq"]}, ["frontends.archive.backends", "hq", "twice"]),
        ({"content_type": "text/html"}, ["frontends.archive.content_type", "'text/json'"]),
        ({"auth_on_outage": "accept"}, ["frontends.archive.auth_on_outage", "'reject'"]),
        ({"bakends": "hq"}, ["frontends.archive.bakends", "'backends'"]),
    ],
)
def test_a_frontend_that_cannot_work_is_named_with_file_and_table(
    frontend: dict[str, Any], told: list[str], make_site: MakeSite
) -> None:
    (fault,) = faults(make_site, **frontend)

    assert "all.toml" in fault
    assert fault.count("frontends.archive") == 1
    for part in told:
        assert part in fault


def test_faults_of_backends_and_frontends_are_told_together(make_site: MakeSite) -> None:
    told = "\n".join(
        faults(
            make_site,
            {"backends.hq": {"type": "memory", "x": 1}, "backends.lab": {"type": "memory", "y": 1}},
            nonsense=1,
        )
    )

    for part in ("backends.hq.x", "backends.lab.y", "frontends.archive.nonsense"):
        assert part in told


@pytest.mark.parametrize(
    ("filter", "mapping", "missing"),
    [
        ({"groups": "staff"}, {}, "groups"),
        ({"exclude_groups": "staff"}, {}, "groups"),
        ({"only_with_email": True}, {}, "emails"),
    ],
)
@pytest.mark.parametrize("where", ["backend", "frontend"])
def test_a_filter_on_what_is_not_mapped_is_told(
    filter: dict[str, Any], mapping: dict[str, Any], missing: str, where: str, make_site: MakeSite
) -> None:
    """exclude_groups would exclude nobody, the others everybody."""
    if where == "backend":
        (fault,) = faults(make_site, {"backends.hq": {"type": "bare", "filter": filter}})
    else:
        (fault,) = faults(make_site, {"backends.hq": {"type": "bare"}}, filter=filter)

    assert next(iter(filter)) in fault
    assert f"the mapping has no {missing}" in fault


def test_a_filter_on_what_one_of_several_backends_maps_is_fine(make_site: MakeSite) -> None:
    site = make_site(
        {"backends.lab": {"type": "bare"}}, backends=["hq", "lab"], filter={"exclude_groups": "facilities"}
    )
    site.world["hq"].add("printer", "x", ou=["facilities"])
    site.world["lab"].add("ann", "x")

    assert [user["userName"] for user in site.list().get_json()] == ["ann"]


def test_a_store_on_postgresql_serves_like_any_other(make_site: MakeSite, postgresql: PostgreSql) -> None:
    site = make_site({"store": {"url": postgresql.create_database()}}, filter={"exclude": "svc*"})
    for name in ("ann", "svc", "Jörg"):
        site.world["hq"].add(name, "right")

    assert [user["userName"] for user in site.list().get_json()] == ["ann", "Jörg"]
    assert site.accepts("Jörg", "right")
    for number in range(5):
        assert not site.accepts("ann", f"guess {number}")
    assert not site.accepts("ann", "right")
    assert site.auth("\N{GRINNING FACE}" * 256, "x").get_json() == {"succeeded": False}
    with postgresql.stopped():
        assert site.auth("ann", "right").status_code == 503
        assert site.list().status_code == 503
    assert site.list().status_code == 200


def test_every_backend_is_closed_with_the_installation(make_site: MakeSite) -> None:
    site = make_site({"backends.lab": {"type": "memory"}}, backends=["hq", "lab"])
    site.installation.close()

    assert [people.called("close") for people in site.world.values()] == [[None], [None]]


def test_opening_asks_no_backend(site: Site) -> None:
    assert site.world["hq"].calls == []


def test_the_key_is_made_once_and_readable_by_its_owner_alone(make_site: MakeSite) -> None:
    site = make_site()
    path = site.installation.config.data_dir / "secret.key"
    key = path.read_bytes()
    again = make_site()

    assert len(key) == 32
    assert path.read_bytes() == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key not in (again.installation.config.data_dir / "store.db").read_bytes()


def test_a_damaged_key_is_told(make_site: MakeSite) -> None:
    path = make_site().installation.config.data_dir / "secret.key"
    path.write_bytes(b"short")

    assert "secret.key is damaged" in faults(make_site)[0]
    path.unlink()
    path.mkdir()
    assert "secret.key" in faults(make_site)[0]


def test_two_mounts_of_one_backend_share_it(make_site: MakeSite) -> None:
    second = {"type": "mailstore", "path": "/second", "backends": "hq"}
    site = make_site({"frontends.second": second})
    mounts = site.installation.mounts

    assert mounts["archive"].sources[0] is mounts["second"].sources[0]


def test_an_installation_leaves_no_thread_behind_that_it_did_not_need(make_site: MakeSite) -> None:
    before = threading.active_count()
    for _ in range(3):
        make_site().installation.close()

    assert threading.active_count() == before


def test_the_api_answers_beside_the_frontends_with_what_the_configuration_says(make_site: MakeSite) -> None:
    site = make_site({"backends.lab": {"type": "memory", "sync": {}}}, backends=["hq", "lab"])
    _, plain = site.installation.store.tokens.create("t", ["sync:admin"], [Resource()])
    caller = site.app.test_client()

    assert caller.get("/api/v1/openapi.json").get_json()["openapi"].startswith("3.1")
    assert caller.get("/api/v1/sync").status_code == 401
    answer = caller.get("/api/v1/sync", headers={"Authorization": f"Bearer {plain}"}).get_json()
    assert [(one["backend"], one["is_watched"]) for one in answer["backends"]] == [("hq", False), ("lab", True)]


def test_a_long_poll_ends_when_the_server_is_about_to_stop(make_site: MakeSite) -> None:
    site = make_site()
    _, plain = site.installation.store.tokens.create("t", ["events:read"], [Resource()])
    began = time.monotonic()
    threading.Timer(0.5, site.installation.stopping.set).start()
    answer = site.app.test_client().get("/api/v1/events?after=0&wait=30", headers={"Authorization": f"Bearer {plain}"})

    assert answer.status_code == 200
    assert 0.4 < time.monotonic() - began < 15
