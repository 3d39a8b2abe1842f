"""What becomes of accounts when something happens to people of other backends, event by event."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from integration_server import DeliveryBlocked, Event
from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import Account, NewPerson, State
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.people import People, Rules
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.store import Store

RULES = Rules(frozenset({"hq", "lab"}))
Told = tuple[str, str, dict[str, object]]


class Directory:
    """Tells of people of other backends, one event after another."""

    def __init__(self, people: People, accounts: Accounts) -> None:
        self.people = people
        self.accounts = accounts
        self.rules = RULES
        self._serials = itertools.count(1)

    def event(self, kind: str, id: str, source: str = "hq", **fields: Any) -> Event:
        mail = fields.pop("mail", f"{id}@example.org")
        emails = [{"address": mail, "is_verified": fields.pop("is_verified", True), "is_preferred": False}]
        person = {
            "id": id,
            "username": id,
            "full_name": f"{id.title()} Example",
            "emails": emails if mail else [],
            "state": "active",
            **fields,
        }
        after = None if kind == "deleted" else person
        serial = next(self._serials)
        return Event(serial, f"evt_{serial}", f"user.{kind}", source, id, 0.0, after=after)

    def tell(self, kind: str, id: str, source: str = "hq", **fields: Any) -> Event:
        event = self.event(kind, id, source, **fields)
        self.people.follow(event, self.rules)
        return event

    def account(self, id: str, source: str = "hq") -> Account:
        found = self.people.account_of(source, id)
        assert found is not None, f"{id} of {source} has no account"
        return found


@pytest.fixture
def hq(store: Store, accounts: Accounts) -> Directory:
    return Directory(People(accounts._backend, store.storage(TABLES)), accounts)


@pytest.fixture
def told(store: Store) -> Callable[[], list[Told]]:
    """What members of the network were told since the last call: method, connect id, details. Everybody is told."""
    seen = [store.journal.last_serial()]

    def since() -> list[Told]:
        events = store.journal.events(seen[0], 1000)
        seen[0] = store.journal.last_serial()
        assert all(event.origin is None for event in events)
        return [(event.type.partition(".")[2], event.person_id, dict(event.after or {})) for event in events]

    return since


def member(accounts: Accounts, name: str, email: str, **fields: Any) -> Account:
    """Somebody who registered at a forum, with the password "their own"."""
    salt = "abcde"
    person = NewPerson(name, email, passwords.hashed("their own", salt), salt, **fields)
    return accounts.register(person).account


def test_new_person_gets_an_account_that_nobody_can_log_in_to(hq: Directory, told: Callable[[], list[Told]]) -> None:
    hq.tell("created", "ann")
    ann = hq.account("ann")
    assert (ann.name, ann.email, ann.full_name, ann.state) == ("ann", "ann@example.org", "Ann Example", State.ACTIVE)
    assert (len(ann.pass_hash), len(ann.pass_salt)) == (60, 22)
    assert told() == [("register", str(ann.id), {"name": "ann", "email": "ann@example.org", "revalidateUrl": ""})]


def test_changes_become_changes_of_the_account(hq: Directory, told: Callable[[], list[Told]]) -> None:
    hq.tell("created", "ann")
    id = str(hq.account("ann").id)
    told()
    hq.tell("updated", "ann", username="anna", mail="anna@example.org", full_name="Anna Other")
    hq.tell("updated", "ann", username="anna", mail="anna@example.org", full_name="Anna Other", state="disabled")
    assert hq.account("ann").state is State.BANNED
    hq.tell("updated", "ann", username="anna", mail="anna@example.org", full_name="Anna Other", state="active")
    hq.tell("deleted", "ann")
    assert told() == [
        ("changeName", id, {"name": "anna"}),
        ("changeEmail", id, {"email": "anna@example.org"}),
        ("ban", id, {"status": "1"}),
        ("ban", id, {"status": "0"}),
        ("ban", id, {"status": "1"}),
    ]
    assert hq.account("ann").full_name == "Anna Other"


@pytest.mark.parametrize("state", ["locked", "password expired"])
def test_what_passes_by_itself_bans_nobody(hq: Directory, told: Callable[[], list[Told]], state: str) -> None:
    hq.tell("created", "ann")
    told()
    hq.tell("updated", "ann", state=state)
    assert told() == []
    assert hq.account("ann").state is not State.BANNED


def test_full_name_alone_is_told_to_nobody_and_noticed_by_the_feed(
    hq: Directory, told: Callable[[], list[Told]]
) -> None:
    hq.tell("created", "ann")
    told()
    before = hq.accounts.last_change()
    hq.tell("updated", "ann", full_name="Ann Smith")
    assert told() == []
    assert hq.account("ann").full_name == "Ann Smith"
    assert hq.accounts.last_change() == before + 1


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"username": "ann.lee@corp.example.org"}, "ann.lee"),
        ({"username": "@ann"}, "@ann"),
        ({"username": " ann "}, "ann"),
        ({"username": "x" * 300}, "x" * 255),
    ],
)
def test_display_name_is_the_user_name_without_a_domain(hq: Directory, fields: dict[str, str], name: str) -> None:
    hq.tell("created", "ann", **fields)
    assert hq.account("ann").name == name


def test_display_name_may_be_the_full_name(hq: Directory) -> None:
    hq.rules = Rules(frozenset({"hq"}), names="full_name")
    hq.tell("created", "ann", full_name="Ann Lee")
    hq.tell("created", "bob", full_name=None, username="bob@example.org")
    assert (hq.account("ann").name, hq.account("bob").name) == ("Ann Lee", "bob")


def test_namesakes_are_told_apart_by_numbers(hq: Directory) -> None:
    member(hq.accounts, "Ann", "ann@elsewhere.example")
    hq.tell("created", "ann")
    hq.tell("created", "bob")
    hq.tell("updated", "bob", username="ANN")
    assert (hq.account("ann").name, hq.account("bob").name) == ("ann 2", "ANN 3")
    hq.tell("updated", "ann", full_name="Another")
    assert hq.account("ann").name == "ann 2", "the person's name did not change"


@pytest.mark.parametrize(
    "fields",
    [
        {"mail": ""},
        {"is_verified": False},
        {"mail": "x" * 321},
        {"mail": "a\0@example.org"},
        {"username": " "},
        {"state": "disabled"},
        {"state": "expired"},
    ],
)
def test_who_has_no_proved_address_or_is_disabled_gets_an_account_once_that_is_over(
    hq: Directory, fields: dict[str, Any], told: Callable[[], list[Told]]
) -> None:
    hq.tell("created", "ann", **fields)
    assert hq.people.account_of("hq", "ann") is None
    assert told() == []
    hq.tell("updated", "ann")
    assert hq.account("ann").email == "ann@example.org"
    hq.tell("updated", "ann", **{key: value for key, value in fields.items() if key != "state"})
    assert hq.account("ann").email == "ann@example.org"


def test_events_that_come_again_change_nothing(hq: Directory, told: Callable[[], list[Told]]) -> None:
    events = [
        hq.event("created", "ann"),
        hq.event("updated", "ann", username="anna", mail="anna@example.org"),
        hq.event("updated", "ann", username="anna", mail="anna@example.org", state="disabled"),
        hq.event("updated", "ann", username="annie", mail="annie@example.org"),
    ]
    for event in events:
        hq.people.follow(event, RULES)
    told()
    before = hq.account("ann")
    for event in (*events, *reversed(events), *events[:2]):
        hq.people.follow(event, RULES)
    assert told() == []
    assert hq.account("ann") == before


def test_deletion_that_comes_again_after_the_person_came_back_changes_nothing(hq: Directory) -> None:
    hq.rules = Rules(frozenset({"hq"}), deletions="delete")
    hq.tell("created", "ann")
    first = hq.account("ann")
    deleted = hq.tell("deleted", "ann")
    assert hq.accounts.find(first.id) is None
    hq.tell("created", "ann")
    again = hq.account("ann")
    hq.people.follow(deleted, hq.rules)
    assert hq.account("ann") == again
    assert again.id != first.id


def test_replay_of_everybody_brings_what_was_missed_and_nothing_else(
    hq: Directory, told: Callable[[], list[Told]]
) -> None:
    hq.tell("created", "ann")
    told()
    hq.tell("snapshot", "ann")
    assert told() == []
    hq.tell("snapshot", "ann", username="anna")
    hq.tell("snapshot", "bob")
    hq.tell("snapshot", "cid", state="disabled")
    assert [(method, details.get("name")) for method, _, details in told()] == [
        ("changeName", "anna"),
        ("register", "bob"),
    ]


def test_somebody_who_comes_back_is_no_longer_banned(hq: Directory) -> None:
    hq.tell("created", "ann")
    hq.tell("deleted", "ann")
    banned = hq.account("ann")
    hq.tell("created", "ann")
    assert (banned.state, hq.account("ann").state) == (State.BANNED, State.ACTIVE)
    assert hq.account("ann").id == banned.id


def test_ban_of_a_moderator_is_theirs_to_lift(hq: Directory) -> None:
    hq.tell("created", "ann")
    id = hq.account("ann").id
    hq.accounts.set_ban(id, True)
    for state in ("active", "disabled", "active"):
        hq.tell("updated", "ann", state=state)
        assert hq.account("ann").is_banned
    hq.accounts.set_ban(id, False)
    hq.tell("updated", "ann", state="disabled")
    assert hq.account("ann").is_banned


def test_name_and_address_that_were_changed_at_a_forum_stay_until_the_directory_changes_its_own(
    hq: Directory,
) -> None:
    hq.tell("created", "ann")
    id = hq.account("ann").id
    hq.accounts.change_name(id, "Annie")
    hq.accounts.change_email(id, "annie@home.example")
    hq.tell("updated", "ann", full_name="Ann Smith")
    hq.tell("snapshot", "ann")
    assert (hq.account("ann").name, hq.account("ann").email) == ("Annie", "annie@home.example")
    hq.tell("updated", "ann", username="smith")
    assert (hq.account("ann").name, hq.account("ann").email) == ("smith", "annie@home.example")


# -- addresses that an account has already -----------------------------------------------------------------------------


def test_account_with_the_address_is_linked_and_stays_as_it_is(hq: Directory, told: Callable[[], list[Told]]) -> None:
    old = member(hq.accounts, "Annie", "ANN@example.org")
    told()
    hq.tell("created", "ann")
    assert hq.account("ann") == old
    assert told() == []
    hq.tell("updated", "ann", username="anna", state="disabled")
    assert [method for method, _, _ in told()] == ["ban", "changeName"]


def test_password_of_somebody_who_never_proved_the_address_is_void_once_the_account_is_linked(
    hq: Directory, told: Callable[[], list[Told]]
) -> None:
    old = member(hq.accounts, "Squatter", "ann@example.org", revalidate_url="https://a.example/confirm")
    told()
    hq.tell("created", "ann")
    ann = hq.account("ann")
    assert (ann.id, ann.state) == (old.id, State.ACTIVE)
    assert not passwords.verify("their own", ann.pass_hash, ann.pass_salt)
    assert [method for method, _, _ in told()] == ["changePassword", "validate"]


def test_banned_account_that_is_linked_stays_banned(hq: Directory) -> None:
    old = member(hq.accounts, "Annie", "ann@example.org")
    hq.accounts.set_ban(old.id, True)
    hq.tell("created", "ann")
    hq.tell("updated", "ann", username="anna")
    assert hq.account("ann").is_banned


def test_nothing_is_linked_where_that_is_not_wanted(hq: Directory, told: Callable[[], list[Told]]) -> None:
    old = member(hq.accounts, "Annie", "ann@example.org")
    told()
    hq.rules = Rules(frozenset({"hq"}), link_accounts=False)
    created = hq.event("created", "ann")
    with pytest.raises(DeliveryBlocked, match=f"account {old.id} has the address, and link_accounts is false"):
        hq.people.follow(created, hq.rules)
    assert hq.people.account_of("hq", "ann") is None
    assert told() == []
    hq.accounts.change_email(old.id, "annie@home.example")
    hq.people.follow(created, hq.rules)
    assert hq.account("ann").id != old.id


def test_account_stands_for_one_person_only(hq: Directory) -> None:
    hq.tell("created", "ann")
    other = hq.event("created", "17", "lab", mail="ann@example.org")
    with pytest.raises(DeliveryBlocked, match="stands for ann of hq") as raised:
        hq.people.follow(other, RULES)
    assert "@" not in str(raised.value)
    hq.tell("updated", "ann", mail="anna@example.org")
    hq.people.follow(other, RULES)
    assert hq.account("17", "lab").id != hq.account("ann").id


def test_account_of_somebody_who_is_gone_is_for_whoever_has_the_address_next(hq: Directory) -> None:
    hq.tell("created", "ann")
    ann = hq.account("ann")
    hq.accounts.change_password(ann.id, passwords.hashed("known to ann", "abcde"), "abcde")
    hq.tell("deleted", "ann")
    hq.tell("created", "4711", mail="ann@example.org", username="anna", full_name="Anna Other")
    assert hq.people.account_of("hq", "ann") is None
    other = hq.account("4711")
    assert (other.id, other.state, other.name, other.full_name) == (ann.id, State.ACTIVE, "anna", "Anna Other")
    assert not passwords.verify("known to ann", other.pass_hash, other.pass_salt)
    hq.tell("created", "ann", username="ann", mail="ann@home.example")
    assert hq.account("ann").id not in (ann.id, other.id)


def test_rename_in_a_backend_without_ids_renames_the_account_in_whatever_order_it_is_told(
    hq: Directory, told: Callable[[], list[Told]]
) -> None:
    hq.tell("created", "ann")
    id = hq.account("ann").id
    told()
    created, deleted = hq.event("created", "anna", mail="ann@example.org"), hq.event("deleted", "ann")
    with pytest.raises(DeliveryBlocked):
        hq.people.follow(created, RULES, is_patient=True)
    hq.people.follow(deleted, RULES)
    hq.people.follow(created, RULES, is_patient=True)
    assert (hq.account("anna").id, hq.account("anna").name) == (id, "anna")
    assert [method for method, _, _ in told()] == ["ban", "changePassword", "ban", "changeName"]


def test_account_of_somebody_whose_backend_is_no_longer_propagated_is_for_whoever_has_the_address(
    hq: Directory,
) -> None:
    hq.tell("created", "ann")
    ann = hq.account("ann")
    hq.rules = Rules(frozenset({"ldap"}))
    hq.tell("snapshot", "4711", "ldap", mail="ann@example.org", username="ann")
    assert hq.account("4711", "ldap").pass_hash == ann.pass_hash
    hq.tell("updated", "4711", "ldap", mail="ann@example.org", username="ann", state="disabled")
    hq.rules = RULES
    hq.tell("snapshot", "ann")
    assert (hq.account("ann").id, hq.account("ann").state) == (ann.id, State.ACTIVE)
    assert hq.account("ann").pass_hash != ann.pass_hash


def test_address_of_somebody_else_is_waited_for_and_then_passed_over(
    hq: Directory, told: Callable[[], list[Told]]
) -> None:
    hq.tell("created", "ann")
    hq.tell("created", "bob")
    ann, bob = hq.account("ann").id, hq.account("bob").id
    told()
    event = hq.event("updated", "bob", mail="ann@example.org", username="robert", state="disabled")
    for _ in range(2):
        with pytest.raises(DeliveryBlocked, match=f"account {bob} cannot get the address: account {ann} has it"):
            hq.people.follow(event, RULES, is_patient=True)
    assert [method for method, _, _ in told()] == ["ban", "changeName"], "the rest does not wait"
    assert "keeps its address" in hq.people.follow(event, RULES)
    assert hq.account("bob").email == "bob@example.org"
    hq.tell("updated", "ann", mail="anna@example.org")
    hq.tell("snapshot", "bob", mail="ann@example.org", username="robert")
    assert hq.account("bob").email == "ann@example.org"


def test_address_that_is_given_up_in_time_is_handed_over(hq: Directory) -> None:
    hq.tell("created", "ann")
    hq.tell("created", "bob")
    bob, ann = hq.event("updated", "bob", mail="ann@example.org"), hq.event("updated", "ann", mail="a@example.org")
    with pytest.raises(DeliveryBlocked):
        hq.people.follow(bob, RULES, is_patient=True)
    hq.people.follow(ann, RULES, is_patient=True)
    hq.people.follow(bob, RULES, is_patient=True)
    assert (hq.account("ann").email, hq.account("bob").email) == ("a@example.org", "ann@example.org")


# -- what members of the network do to accounts of people --------------------------------------------------------------


@pytest.mark.parametrize("is_patient", [True, False])
@pytest.mark.parametrize("people", [("ann", "bob"), ("ann", "bob", "cid", "dan")])
def test_people_who_swap_addresses_get_each_others(
    hq: Directory, told: Callable[[], list[Told]], people: tuple[str, ...], is_patient: bool
) -> None:
    for id in people:
        hq.tell("created", id)
    told()
    next_ones = dict(zip(people, (*people[1:], people[0]), strict=True))
    events = [hq.event("updated", id, mail=f"{other}@example.org") for id, other in next_ones.items()]
    for event in events[:-1]:
        with pytest.raises(DeliveryBlocked) if is_patient else nullcontext():
            hq.people.follow(event, RULES, is_patient)
    assert told() == []
    hq.people.follow(events[-1], RULES, is_patient)
    for event in events:
        hq.people.follow(event, RULES, is_patient)
    assert {id: hq.account(id).email for id in people} == {
        id: f"{other}@example.org" for id, other in next_ones.items()
    }
    moves = [(id, str(after["email"])) for method, id, after in told() if method == "changeEmail"]
    assert len(moves) == len(people) + 1, "one makes room, and each is told once of what it has"
    # A forum that knows no address twice can follow.
    has = {str(hq.account(id).id): f"{id}@example.org" for id in people}
    for id, email in moves:
        assert email not in has.values()
        has[id] = email
    # Whoever changes again does so as always.
    hq.tell("updated", "ann", mail="ann-4@example.org")
    assert hq.account("ann").email == "ann-4@example.org"


def test_address_of_somebody_who_waits_for_one_that_is_free_by_now_is_handed_over(hq: Directory) -> None:
    for id in ("ann", "bob"):
        hq.tell("created", id)
    other = member(hq.accounts, "Zoe", "zoe@example.org")
    hq.tell("updated", "bob", mail="zoe@example.org")
    hq.accounts.delete(other.id)
    hq.tell("updated", "ann", mail="bob@example.org")
    assert (hq.account("ann").email, hq.account("bob").email) == ("bob@example.org", "zoe@example.org")


@pytest.mark.parametrize("then", ["has changed their mind", "is gone", "is of a backend that is propagated no more"])
def test_address_of_somebody_who_waits_no_more_is_not_taken(hq: Directory, then: str) -> None:
    hq.tell("created", "ann")
    hq.tell("created", "bob", source="lab")
    hq.tell("updated", "bob", source="lab", mail="ann@example.org")
    if then == "has changed their mind":
        hq.tell("updated", "bob", source="lab")
    elif then == "is gone":
        hq.tell("deleted", "bob", source="lab")
    else:
        hq.rules = Rules(frozenset({"hq"}))
    hq.tell("updated", "ann", mail="bob@example.org")
    assert hq.account("ann").email == "ann@example.org"
    assert hq.account("bob", "lab").email == "bob@example.org"


def test_account_that_was_deleted_at_a_forum_stays_away_until_everybody_is_replayed(
    hq: Directory, told: Callable[[], list[Told]]
) -> None:
    hq.tell("created", "ann")
    id = hq.account("ann").id
    hq.accounts.delete(id)
    told()
    hq.tell("updated", "ann", username="anna")
    assert told() == []
    hq.tell("snapshot", "ann", username="anna")
    assert [method for method, _, _ in told()] == ["register"]
    assert hq.account("ann").id > id


def test_merged_account_is_followed(hq: Directory) -> None:
    hq.tell("created", "ann")
    other = member(hq.accounts, "Annie", "annie@home.example")
    hq.accounts.merge(other.id, hq.account("ann").id)
    assert hq.account("ann").id == other.id
    hq.tell("updated", "ann", state="disabled")
    assert hq.account("ann").is_banned


def test_account_of_a_person_that_is_merged_into_that_of_another_is_gone(hq: Directory) -> None:
    hq.tell("created", "ann")
    hq.tell("created", "bob")
    bob = hq.account("bob")
    hq.accounts.merge(bob.id, hq.account("ann").id)
    assert hq.people.account_of("hq", "ann") is None
    assert hq.account("bob") == bob


def test_nothing_of_a_deleted_account_stays_but_its_number(hq: Directory, store: Store) -> None:
    hq.rules = Rules(frozenset({"hq"}), deletions="delete")
    hq.tell("created", "ann")
    hq.tell("created", "bob")
    hq.tell("deleted", "ann")
    hq.accounts.delete(hq.account("bob").id)
    with store.storage(TABLES).reading() as connection:
        for table in ("accounts", "links"):
            rows = connection.exec_driver_sql(f"SELECT * FROM ips_connect_{table}").mappings().all()
            mine = [dict(row) for row in rows if row["backend"] == hq.accounts._backend]
            assert "example" not in str(mine)


def test_deleted_people_who_never_had_an_account_change_nothing(hq: Directory, told: Callable[[], list[Told]]) -> None:
    hq.tell("deleted", "ann")
    hq.rules = Rules(frozenset({"hq"}), deletions="delete")
    hq.tell("created", "bob")
    told()
    hq.accounts.delete(hq.account("bob").id)
    told()
    hq.tell("deleted", "bob")
    assert told() == []
