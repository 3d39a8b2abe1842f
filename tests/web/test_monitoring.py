"""What monitors are told, by whom they may be asked, and that it is true."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from integration_server import BackendUnavailable, ConfigError, StoreUnavailable
from integration_server.server.installation import open_installation
from integration_server.server.posts import Duties, Post
from integration_server.web.monitoring import PATHS
from integration_server.web.monitoring.health import BackendHealth
from integration_server.web.proxy import IS_FORWARDED
from tests.directory.memory import DOWN
from tests.forwarding.receivers import subscription
from tests.waiting import wait_for
from tests.web.sites import MakeSite, Site, write_config


def ask(site: Site, path: str, **options: Any) -> tuple[int, str]:
    response = site.request("GET", path, **options)
    return response.status_code, response.text


def metrics(site: Site) -> dict[str, float]:
    """Each sample as ``name{label=value}`` without our prefix."""
    status, text = ask(site, "/metrics")
    assert status == 200
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            assert sample.name.startswith("integration_server_")
            found[sample.name.removeprefix("integration_server_") + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


def test_server_lives_and_is_ready_for_everybody(site: Site) -> None:
    for path in ("/healthz", "/readyz"):
        assert ask(site, path, caller="203.0.113.9") == (200, "OK\n")
        assert site.request("HEAD", path).status_code == 200
        assert site.request("POST", path).status_code == 405


def test_server_without_its_store_lives_and_is_not_ready(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(site.installation.store.journal, "last_serial", fail)
    assert ask(site, "/healthz") == (200, "OK\n")
    assert ask(site, "/readyz") == (503, "ERR\n")
    status, text = ask(site, "/metrics")
    assert (status, "integration_server_" in text) == (503, False)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_server_whose_work_has_ended_is_not_ready(site: Site) -> None:
    class Broken:
        def take(self) -> bool:
            raise SystemExit

        def keep(self) -> bool:
            return True

        def release(self) -> None:
            pass

    post = Post("watching and delivering", Broken(), list)
    site.installation.duties.add([post])
    assert ask(site, "/readyz")[0] == 200, "it was not started, which is not the same"
    post.start()
    wait_for(lambda: post.has_ended)
    assert ask(site, "/readyz") == (503, "ERR\n")


def test_work_that_was_asked_to_stop_is_no_fault() -> None:
    class Free:
        def take(self) -> bool:
            return False

        def keep(self) -> bool:
            return False

        def release(self) -> None:
            pass

    duties, post = Duties(), Post("delivering", Free(), list)
    duties.add([post])
    post.start()
    post.ask_to_stop(5)
    post.join()
    assert duties.ended() == []


def test_backend_is_ok_or_err(site: Site) -> None:
    assert ask(site, "/healthz/hq") == (200, "OK\n")
    site.world["hq"].error = DOWN
    assert ask(site, "/healthz/hq") == (200, "OK\n"), "an answer counts for a while"
    status, text = ask(site, "/healthz/nowhere")
    assert status == 404
    assert "there are: hq" in text


def test_backend_that_is_down_is_err_and_heals(make_site: MakeSite) -> None:
    site = make_site()
    people, now = site.world["hq"], [0.0]
    health = BackendHealth(site.installation.sources, lambda: now[0])
    people.error = DOWN
    assert not health.is_up("hq")
    people.error = None
    assert not health.is_up("hq")
    now[0] += 16
    assert health.is_up("hq")
    people.error = RuntimeError("the plugin is broken")
    now[0] += 16
    assert not health.is_up("hq"), "a plugin's own mistake is no OK"


def test_backend_that_hangs_keeps_one_monitor_waiting(make_site: MakeSite) -> None:
    site = make_site()
    people, now = site.world["hq"], [0.0]
    health = BackendHealth(site.installation.sources, lambda: now[0])
    assert health.is_up("hq")
    now[0] += 16
    people.hold = threading.Event()
    hanging = threading.Thread(target=health.is_up, args=("hq",))
    hanging.start()
    wait_for(lambda: len(people.called("check")) == 2)
    began = time.monotonic()
    assert health.is_up("hq")
    assert time.monotonic() - began < 5
    people.hold.set()
    hanging.join(20)
    assert len(people.called("check")) == 2


def test_what_is_known_of_a_backend_is_told_without_asking(make_site: MakeSite) -> None:
    site = make_site()
    people, now = site.world["hq"], [0.0]
    health = BackendHealth(site.installation.sources, lambda: now[0], wall_clock=lambda: 1_000_000.0 + now[0])
    assert health.known("hq") is None
    assert people.called("check") == []
    found = health.ask("hq")
    assert found == health.known("hq")
    assert found is not None
    assert (found.is_up, found.at, found.reason, found.is_lookup) == (True, 1_000_000.0, None, True)
    assert found.seconds is not None
    assert people.called("find") == ["integration-server-looks-for-nobody"]
    people.error = DOWN
    assert health.ask("hq") == found, "an answer counts for a while"
    now[0] += 16
    down = health.ask("hq")
    assert down is not None
    assert (down.is_up, down.at, down.reason) == (False, 1_000_016.0, str(DOWN))
    with pytest.raises(KeyError):
        health.ask("nowhere")


def test_backends_that_hang_keep_few_threads(make_site: MakeSite) -> None:
    site = make_site(tables={f"backends.b{number}": {"type": "memory"} for number in range(3)})
    health = BackendHealth(site.installation.sources, asked_at_once=2)
    names = [f"b{number}" for number in range(3)]
    hold = threading.Event()
    for name in names:
        site.world[name].hold = hold
    hanging = [threading.Thread(target=health.ask, args=(name,)) for name in names[:2]]
    for thread in hanging:
        thread.start()
    wait_for(lambda: all(site.world[name].called("check") for name in names[:2]))
    assert health.ask("b0") is None, "somebody asks it already"
    assert health.ask("b2") is None, "as many are asked as may be at once"
    assert site.world["b2"].called("check") == []
    hold.set()
    for thread in hanging:
        thread.join(20)
    found = health.ask("b2")
    assert found is not None
    assert found.is_up


@pytest.mark.parametrize("path", ["/metrics", "/healthz/hq"])
def test_strangers_are_told_nothing_more(make_site: MakeSite, path: str) -> None:
    site = make_site(tables={"server": {"monitoring_networks": ["127.0.0.0/8", "192.0.2.0/24"]}})
    assert ask(site, path)[0] == 200
    assert ask(site, path, caller="192.0.2.7")[0] == 200
    assert ask(site, path, caller="::ffff:192.0.2.7")[0] == 200
    for options in (
        {"caller": "203.0.113.9"},
        {"caller": "::1"},
        {"caller": ""},
        # A proxy that nobody told us about: its headers are dropped, and everybody behind it looks local.
        {"environ_overrides": {IS_FORWARDED: True}},
    ):
        status, text = ask(site, path, **options)
        assert status == 403, options
        assert "[server] monitoring_networks" in text


def test_metrics_count_requests_and_logins(site: Site) -> None:
    site.list()
    assert site.accepts("ann", "Ann's password")
    assert not site.accepts("ann", "wrong")
    assert not site.accepts("nobody", "wrong")
    site.world["hq"].error = BackendUnavailable("down")
    site.auth("bob", "Bob's password")
    ask(site, "/nowhere")
    found = metrics(site)
    assert found["requests_total{frontend=archive,status=200}"] == 4
    assert found["requests_total{frontend=archive,status=503}"] == 1
    assert found["requests_total{frontend=(none),status=404}"] == 1
    assert found["request_seconds_count{frontend=archive}"] == 5
    logins = {key: value for key, value in found.items() if key.startswith("logins_total")}
    assert logins == {
        "logins_total{frontend=archive,outcome=accepted}": 1,
        "logins_total{frontend=archive,outcome=rejected}": 1,
        "logins_total{frontend=archive,outcome=unavailable}": 1,
        "logins_total{frontend=archive,outcome=unknown_user}": 1,
    }


def test_metrics_count_logins_that_are_throttled(make_site: MakeSite) -> None:
    site = make_site(tables={"throttle": {"free_failures": 1}})
    site.world["hq"].add("ann", "right")
    for password in ("one", "two", "three"):
        site.auth("ann", password)
    assert metrics(site)["logins_total{frontend=archive,outcome=throttled}"] >= 1


def test_metrics_tell_of_lists(site: Site) -> None:
    assert not any(key.startswith("list_") for key in metrics(site))
    before = time.time()
    site.list()
    found = metrics(site)
    assert found["list_people{frontend=archive}"] == 2
    assert found["list_timestamp_seconds{frontend=archive}"] >= before
    assert found["list_seconds{frontend=archive}"] >= 0
    assert found["list_failed{frontend=archive}"] == 0
    site.world["hq"].error = DOWN
    site.list()
    after = metrics(site)
    assert after["list_failed{frontend=archive}"] == 1
    assert after["list_timestamp_seconds{frontend=archive}"] == found["list_timestamp_seconds{frontend=archive}"]


def test_metrics_tell_of_backends_that_are_watched(site: Site) -> None:
    store = site.installation.store
    store.watches.change("hq", baseline_at=1.0, scanned_at=12.5, scan_seconds=0.5, people_count=20)
    found = metrics(site)
    assert found["sync_people{backend=hq}"] == 20
    assert found["sync_timestamp_seconds{backend=hq}"] == 12.5
    assert found["sync_seconds{backend=hq}"] == 0.5
    assert found["sync_failed{backend=hq}"] == found["sync_held{backend=hq}"] == 0
    store.watches.change("hq", failed_at=13.0, failure="it is down")
    assert metrics(site)["sync_failed{backend=hq}"] == 1


def test_metrics_tell_of_receivers(site: Site) -> None:
    store = site.installation.store
    store.subscriptions.add(subscription("wiki", "post"))
    found = metrics(site)
    assert found["subscription_up{subscription=wiki,type=post}"] == 1
    assert found["subscription_lag{subscription=wiki,type=post}"] == 0
    assert found["subscription_waiting{state=parked,subscription=wiki}"] == 0
    assert found["events_total"] == 0
    store.subscriptions.change("wiki", is_active=False)
    assert metrics(site)["subscription_up{subscription=wiki,type=post}"] == 0


@pytest.mark.parametrize("path", [*PATHS, "/healthz/", "/healthz/hq", "/metrics/more"])
def test_no_frontend_takes_the_place_of_monitoring(make_site: MakeSite, path: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is where monitors ask"):
        make_site(path=path)


@pytest.mark.parametrize("name", ["api", "monitoring", "none"])
def test_frontend_may_be_called_as_one_likes(make_site: MakeSite, name: str) -> None:
    table = {"type": "mailstore", "path": "/other", "backends": ["hq"]}
    site = make_site(tables={f"frontends.{name}": table})
    site.world["hq"].add("ann")
    assert site.post({"cmd": "list"}, path="/other").status_code == 200
    assert metrics(site)[f"requests_total{{frontend={name},status=200}}"] == 1


def test_network_that_is_none_is_refused(make_site: MakeSite, tmp_path: Path) -> None:
    config = write_config(tmp_path, {"server": {"monitoring_networks": ["everywhere"]}})
    with pytest.raises(ConfigError, match="monitoring_networks"):
        open_installation(config)
