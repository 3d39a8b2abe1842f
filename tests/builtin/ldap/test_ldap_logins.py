"""Finding people and checking passwords at a real slapd: any text is just a name, every verdict is its own."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable

import pytest

from integration_server import AmbiguousEntry, BackendUnavailable, Deadline, Entry, Lookup, Verdict
from integration_server.builtin.ldap import messages
from tests.builtin.ldap.fake_server import BIND, FakeServer, result
from tests.builtin.ldap.opened import Opened
from tests.servers import PEOPLE, Slapd
from tests.tcp_proxy import TcpProxy

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]

ALICE = PEOPLE[0]
ACTIVE_DIRECTORY = {"id": "objectGUID", "username": "sAMAccountName", "emails": "mail"}


def test_an_entry_has_the_mapped_attributes_and_its_dn(slapd: Slapd, open_ldap: Open) -> None:
    entry = open_ldap(slapd.uri).find("alice")
    assert entry is not None
    assert entry.handle == slapd.dn_of("alice")
    assert entry.attributes["mail"] == list(ALICE.emails)
    assert set(entry.attributes) == {"entryUUID", "uid", "cn", "dn", "mail"}


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.uid)
def test_everybody_logs_in_by_a_search_and_by_a_template(slapd: Slapd, open_ldap: Open, person: object) -> None:
    for opened in (open_ldap(slapd.uri), open_ldap(slapd.uri, dn_template=f"uid={{username}},{slapd.people}")):
        assert opened.login(person.uid, person.password) is Verdict.ACCEPTED
        assert opened.login(person.uid, person.password + "!") is Verdict.REJECTED


@pytest.mark.parametrize(
    "name",
    [
        *("*", "a*", "alice*", "*)(uid=*", "alice)(objectClass=*", "\\61lice", "(|(uid=alice))", "\0", "alice\0", "&"),
        *("alice ", " alice", "ALICE\u200b", "\uff41lice", "\ud800", "alice,ou=people", "a" * 10_001, "ü" * 1_000_000),
        *("alice+cn=Alice", "#616c696365", '"alice"', "alice,", "alice\\", "", "star", "star(", "alice\n"),
    ],
    ids=lambda name: repr(name[:20]),
)
def test_names_that_belong_to_nobody_find_nobody(slapd: Slapd, open_ldap: Open, name: str) -> None:
    for opened in (open_ldap(slapd.uri), open_ldap(slapd.uri, dn_template=f"uid={{username}},{slapd.people}")):
        for ignore_case in (False, True):
            assert opened.find(name, ignore_case=ignore_case) is None
        assert opened.find(name, "dn") is None
        assert opened.find(f"uid={name},{slapd.people}", "dn") is None


def test_a_search_for_a_dn_reads_that_entry(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri)
    for user in opened.users():
        assert user.distinguished_name is not None
        entry = opened.find(user.distinguished_name, "dn")
        assert entry is not None
        assert entry.attributes["uid"] == user.username
    assert opened.find(slapd.dn_of("alice").upper(), "dn", ignore_case=True) is not None
    assert opened.find(slapd.dn_of("alice").upper(), "dn") is not None


def test_a_dn_outside_the_bases_or_the_filter_finds_nobody(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, bases=[slapd.people])
    assert opened.find(slapd.reader_dn, "dn") is None
    assert opened.find(slapd.people, "dn") is None
    only_bob = open_ldap(slapd.uri, ldap_filter="(uid=bob)")
    assert only_bob.find(slapd.dn_of("alice"), "dn") is None
    assert only_bob.find("alice") is None
    assert only_bob.find("bob") is not None
    one_level = open_ldap(slapd.uri, bases=[slapd.base], scope="one")
    assert one_level.find(slapd.dn_of("alice"), "dn") is None
    assert one_level.find("alice") is None


def test_case_counts_where_the_server_says_so(slapd: Slapd, open_ldap: Open) -> None:
    """slapd ignores the case of a uid, and so do people who type their name."""
    opened = open_ldap(slapd.uri)
    for name in ("alice", "ALICE", "UPPER", "upper"):
        for ignore_case in (False, True):
            assert opened.find(name, ignore_case=ignore_case) is not None


def test_two_entries_of_one_name_are_ambiguous(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.add(
        f"dn: ou=more,{slapd.people}\nobjectClass: organizationalUnit\nou: more\n\n"
        + "\n".join(
            f"dn: cn={cn},ou=more,{slapd.people}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {cn}\nsn: x\n"
            for cn, uid in [("a", "twin"), ("b", "twin"), ("c", "alice"), *((f"n{i}", "many") for i in range(20))]
        )
    )
    opened = open_ldap(slapd.uri)
    for name in ("twin", "alice", "many"):
        with pytest.raises(AmbiguousEntry, match=f"uid='{name}' names several entries: "):
            opened.find(name)
    only_old = open_ldap(slapd.uri, scope="one")
    assert only_old.find("alice") is not None
    assert only_old.find("twin") is None


def test_limits_on_a_search_are_no_answer(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd(limits="size=1")
    slapd.add(f"dn: uid=second,{slapd.people}\nobjectClass: inetOrgPerson\nuid: second\nuid: alice\ncn: x\nsn: x\n")
    opened = open_ldap(slapd.uri)
    assert opened.find("bob") is not None
    with pytest.raises(AmbiguousEntry):
        opened.find("alice")
    slapd.reconfigure(limits="size.unchecked=1")
    with pytest.raises(BackendUnavailable, match=r"adminLimitExceeded\(11\)"):
        open_ldap(slapd.uri, map={"username": "telephoneNumber"}).find("1", "telephoneNumber")


def test_binary_ids_lead_back_to_their_entry(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    guid = uuid.uuid4()
    stored = base64.b64encode(guid.bytes_le).decode()
    slapd.add(
        f"dn: cn=Ann,{slapd.people}\nobjectClass: inetOrgPerson\nobjectClass: adPerson\ncn: Ann\nsn: x\n"
        f"sAMAccountName: ann\nmail: ann@example.org\nobjectGUID:: {stored}\nuserPassword: geheim\n"
    )
    opened = open_ldap(slapd.uri, map=ACTIVE_DIRECTORY, ldap_filter="(sAMAccountName=ann)")
    (user,) = opened.users()
    assert (user.id, user.username, user.full_name) == (str(guid), "ann", "Ann")
    entry = opened.find(user.id, "objectGUID")
    assert entry is not None
    assert entry.attributes["objectGUID"] == str(guid)
    assert opened.find(str(uuid.uuid4()), "objectGUID") is None
    assert opened.login("ann", "geheim") is Verdict.ACCEPTED


def test_an_empty_password_is_never_sent(slapd: Slapd, open_ldap: Open, tcp_proxy: Callable[[int], TcpProxy]) -> None:
    """A bind with a name and no password succeeds at many servers, without any check (RFC 4513 §5.1.2)."""
    proxy = tcp_proxy(slapd.port)
    opened = open_ldap(f"ldap://127.0.0.1:{proxy.port}")
    entry = Entry({}, slapd.dn_of("alice"))
    for password in ("", "\ud800", "x" * 1_000_000):
        assert opened.backend.verify(entry, password, Deadline(5)) is Verdict.REJECTED
        opened.backend.verify_nobody(password, Deadline(5))
    assert proxy.accepted == 0
    with pytest.raises(ValueError, match="empty password"):
        messages.bind_request(1, slapd.dn_of("alice"), b"")


def test_somebody_without_a_password_is_rejected(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.add(f"dn: uid=bare,{slapd.people}\nobjectClass: inetOrgPerson\nuid: bare\ncn: Bare\nsn: x\n")
    assert open_ldap(slapd.uri).login("bare", "guess") is Verdict.REJECTED


def test_somebody_who_went_meanwhile_is_rejected(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    opened = open_ldap(slapd.uri)
    entry = opened.find("bob")
    assert entry is not None
    slapd.delete(slapd.dn_of("bob"))
    assert opened.backend.verify(entry, PEOPLE[1].password, Deadline(5)) is Verdict.REJECTED
    assert opened.find("bob") is None


@pytest.fixture
def with_policy(new_slapd: NewSlapd) -> Slapd:
    policy = f"cn=policy,{Slapd.base}"
    slapd = new_slapd(database_lines=f"ppolicy_default {policy}\nppolicy_use_lockout\n")
    slapd.add(
        f"dn: {policy}\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\n"
        "pwdLockout: TRUE\npwdMaxFailure: 2\npwdMaxAge: 3600\n"
    )
    return slapd


def test_a_locked_account_is_disabled(with_policy: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(with_policy.uri)
    assert [opened.login("alice", "wrong") for _ in range(2)] == [Verdict.REJECTED] * 2
    assert opened.login("alice", ALICE.password) is Verdict.DISABLED
    assert opened.login("bob", PEOPLE[1].password) is Verdict.ACCEPTED


def test_an_expired_password_is_expired(with_policy: Slapd, open_ldap: Open) -> None:
    with_policy.modify(
        f"dn: {with_policy.dn_of('alice')}\nchangetype: modify\nreplace: userPassword\nuserPassword: new\n"
    )
    opened = open_ldap(with_policy.uri)
    assert opened.login("alice", "new") is Verdict.ACCEPTED
    with_policy.modify(f"dn: cn=policy,{with_policy.base}\nchangetype: modify\nreplace: pwdMaxAge\npwdMaxAge: 1\n")
    # The time of the last change counts in whole seconds.
    give_up = time.monotonic() + 10
    while (verdict := opened.login("alice", "new")) is Verdict.ACCEPTED and time.monotonic() < give_up:
        time.sleep(0.1)
    assert verdict is Verdict.EXPIRED
    assert opened.login("alice", "wrong") is Verdict.REJECTED


def test_nobody_takes_as_long_as_somebody(slow_server: Callable[..., Opened]) -> None:
    opened = slow_server()
    entry = Entry({}, "uid=a,ou=people,dc=example,dc=org")
    assert opened.backend.verify(entry, "guess", Deadline(5)) is Verdict.REJECTED
    started = time.monotonic()
    opened.backend.verify_nobody("guess", Deadline(5))
    assert 0.2 <= time.monotonic() - started < 2


@pytest.fixture
def slow_server(fake_server: Callable[..., FakeServer], open_ldap: Open) -> Callable[..., Opened]:
    """A directory that spends its time on the hashes of those whom it knows."""

    def answer(n: int, kind: int, body: bytes) -> bytes:
        if kind == BIND and b"uid=a" in body:
            time.sleep(0.25)
        return result(n, 0x61, 49)

    return lambda: open_ldap(fake_server(answer).uri)


def test_one_lookup_serves_either_case_of_an_attribute(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri)
    found = opened.backend.find(Lookup("MAIL", "a.archer@example.org"), Deadline(5))
    assert found is not None
    assert found.attributes["uid"] == "alice"
