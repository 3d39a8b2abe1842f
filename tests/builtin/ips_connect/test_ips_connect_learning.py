"""Accounts learn the passwords that people log in with elsewhere, in the background and at no login's expense."""

from __future__ import annotations

import gc
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_server import StoreUnavailable
from integration_server.builtin.ips_connect import learning, passwords
from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.learning import LONGEST_QUEUE, Learner
from integration_server.builtin.ips_connect.people import People
from integration_server.builtin.ips_connect.tables import TABLES
from tests.builtin.ips_connect.networks import FRONTEND, Network
from tests.waiting import wait_for
from tests.web.sites import Site

LEARNING = FRONTEND + "learn_passwords = true\n"


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """Ann of hq has an account; her password is "right"."""
    monkeypatch.setattr(passwords, "COST", 4)
    found = Network(tmp_path, LEARNING)
    found.put("ann", "bob", password="{PLAIN}right")
    found.notice()
    found.installation.store.subscriptions.replay_snapshot(found.subscription.id)
    with found.delivering():
        found.settle()
    yield found
    found.installation.close()


@pytest.fixture
def site(network: Network) -> Site:
    return Site(network.installation, authorization=None)


def account(network: Network, id: str = "ann") -> Account:
    found = network.account(id)
    assert found is not None
    return found


def fits(network: Network, password: str, id: str = "ann") -> bool:
    found = account(network, id)
    return passwords.verify(password, found.pass_hash, found.pass_salt)


def changes(network: Network) -> list[str]:
    """Who was told to have another password, each by connect id."""
    return [id for method, id, _ in network.told() if method == "changePassword"]


def learner(network: Network, **options: object) -> Learner:
    people = People("forum", network.installation.store.storage(TABLES))
    return Learner(network.accounts, people, frozenset({"hq"}), **options)  # type: ignore[arg-type]


def is_idle(one: Learner) -> bool:
    return not one._waiting and not one._is_busy


def test_login_at_another_frontend_teaches_the_account_once(network: Network, site: Site) -> None:
    assert not fits(network, "right")
    assert site.accepts("ann", "right")
    wait_for(lambda: fits(network, "right"))
    assert account(network).pass_salt.isalnum()
    for _ in range(3):
        assert site.accepts("ann", "right")
        assert not site.accepts("ann", "wrong")
    assert site.accepts("bob", "right")
    wait_for(lambda: fits(network, "right", "bob"))
    assert changes(network) == [str(account(network, id).id) for id in ("ann", "bob")]


def test_another_password_is_learned_and_one_set_at_a_forum_gives_way_to_it(network: Network, site: Site) -> None:
    site.accepts("ann", "right")
    wait_for(lambda: fits(network, "right"))
    network.accounts.change_password(account(network).id, "what a forum says", "salt")
    network.put("ann", password="{PLAIN}new one")
    assert wait_for(lambda: site.accepts("ann", "new one"))
    wait_for(lambda: fits(network, "new one"))


def test_password_that_fits_already_is_left_alone(network: Network) -> None:
    salt = "abcde"
    network.accounts.change_password(account(network).id, passwords.hashed("right", salt), salt)
    before = account(network)
    one = learner(network)
    for _ in range(3):
        one.offer("hq", "ann", "right")
        wait_for(lambda: is_idle(one))
    assert account(network) == before


def test_password_that_is_known_to_fit_is_checked_again_only_when_the_account_has_another(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "_BELIEVED_SECONDS", 0.0)
    one = learner(network)
    hashed: list[str] = []
    original = passwords.hashed
    monkeypatch.setattr(passwords, "hashed", lambda *given: hashed.append(given[0]) or original(*given))

    def offered() -> int:
        before = len(hashed)
        one.offer("hq", "ann", "right")
        wait_for(lambda: is_idle(one))
        return len(hashed) - before

    assert [offered(), offered(), offered()] == [2, 0, 0]
    network.accounts.change_password(account(network).id, *passwords.unusable())
    assert [offered(), offered()] == [2, 0]


def test_password_is_not_learned_once_the_account_was_changed_after_the_login(network: Network) -> None:
    """It may be an old one, which another process has overtaken with the new one."""
    before = account(network)
    now = before.changed_at - 1.0
    one = learner(network, clock=lambda: now)
    one.offer("hq", "ann", "old")
    wait_for(lambda: is_idle(one))
    assert account(network) == before
    now = before.changed_at + 1.0
    one.offer("hq", "ann", "new")
    wait_for(lambda: fits(network, "new"))


def test_password_that_had_to_wait_for_long_is_forgotten(network: Network) -> None:
    times = itertools.chain([4e9], itertools.repeat(4e9 + 121))
    before = account(network)
    one = learner(network, clock=lambda: next(times))
    one.offer("hq", "ann", "right")
    wait_for(lambda: is_idle(one))
    assert account(network) == before


@pytest.mark.parametrize(
    ("source", "id", "password"),
    [
        ("hq", "nobody", "right"),
        ("lab", "ann", "right"),
        ("hq", "ann", "x" * (passwords.LONGEST_PASSWORD + 1)),
        ("hq", "ann", "a\0b"),
        ("hq", "ann", ""),
        ("hq", "ann", "\ud800"),
    ],
)
def test_what_concerns_no_account_or_is_no_password_is_passed_over(
    network: Network, source: str, id: str, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = account(network)
    one = learner(network)
    one.offer(source, id, password)
    wait_for(lambda: is_idle(one))
    assert account(network) == before
    assert caplog.records == []


@pytest.fixture
def stalled(network: Network, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hashing takes until the event is set."""
    go_on = threading.Event()
    original = passwords.verify
    monkeypatch.setattr(passwords, "verify", lambda *given: go_on.wait(60) and original(*given))
    yield go_on
    go_on.set()


def test_nobody_waits_for_a_queue_that_is_full_and_what_is_dropped_comes_with_the_next_login(
    network: Network, stalled: threading.Event
) -> None:
    one = learner(network)
    one.offer("hq", "bob", "right")
    wait_for(lambda: one._is_busy)
    for number in range(LONGEST_QUEUE):
        one.offer("hq", f"person {number}", "right")
    one.offer("hq", "ann", "right")
    assert len(one._waiting) == LONGEST_QUEUE
    one.offer("hq", "person 0", "another")
    stalled.set()
    wait_for(lambda: is_idle(one))
    assert (fits(network, "right", "bob"), fits(network, "right")) == (True, False)
    one.offer("hq", "ann", "right")
    wait_for(lambda: fits(network, "right"))


def test_login_is_answered_while_hashing_hangs(network: Network, site: Site, stalled: threading.Event) -> None:
    for _ in range(3):
        assert site.accepts("ann", "right")
    assert not stalled.is_set()


def test_failure_is_logged_without_the_password_and_the_next_login_is_learned(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    one = learner(network)
    failures: list[Exception] = [ValueError("right"), StoreUnavailable("the store is locked")]
    original = one._people.account_of

    def account_of(*who: str) -> Account | None:
        if failures:
            raise failures.pop(0)
        return original(*who)

    one._people.account_of = account_of  # type: ignore[method-assign]
    for _ in range(2):
        one.offer("hq", "ann", "right")
        wait_for(lambda: is_idle(one))
    assert "a password was not learned: ValueError" in caplog.text
    assert "a password was not learned: the store is locked" in caplog.text
    assert all(record.exc_info is None for record in caplog.records)
    one.offer("hq", "ann", "right")
    wait_for(lambda: fits(network, "right"))
    assert "right" not in caplog.text


def test_password_is_shown_nowhere_and_forgotten_once_it_is_learned(network: Network, stalled: threading.Event) -> None:
    # What earlier tests left in circles is not this one's.
    gc.collect()
    secret = "".join(["a password ", "that is in ", "no other object"])
    one = learner(network)
    one.offer("hq", "bob", "right")
    wait_for(lambda: one._is_busy)
    one.offer("hq", "ann", secret)
    assert secret not in repr(vars(one))
    stalled.set()
    wait_for(lambda: is_idle(one))
    assert fits(network, secret)
    # The thread says that it is idle a moment before it lets go of what it has done.
    wait_for(lambda: not [found for found in gc.get_objects() if isinstance(found, learning._Login)])
    assert secret not in repr(vars(one))


def test_thread_ends_when_nobody_logs_in_and_begins_again(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "_IDLE_SECONDS", 0.05)
    one = learner(network)
    for password in ("right", "another"):
        one.offer("hq", "ann", password)
        wait_for(lambda: fits(network, password))  # noqa: B023
        wait_for(lambda: not one._is_running)


def test_nothing_is_learned_where_that_is_not_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", 4)
    network = Network(tmp_path)
    try:
        heard: list[str] = []
        monkeypatch.setattr(passwords, "is_password", lambda text: heard.append(text) or True)
        network.put("ann", password="{PLAIN}right")
        assert Site(network.installation, authorization=None).accepts("ann", "right")
        assert heard == []
    finally:
        network.installation.close()
