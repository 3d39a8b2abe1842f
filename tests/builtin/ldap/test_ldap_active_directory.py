"""``profile = "active_directory"`` at a real domain controller: who is listed, in which state, and by which names."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration_server import AccountState, AmbiguousEntry, BackendMisconfigured, Deadline, User, Verdict
from tests.builtin.ldap.opened import Opened
from tests.servers import Samba

Open = Callable[..., Opened]

PASSWORD = "Passw0rd!y"
LONG_AGO, FAR_AWAY, NEVER = 132_000_000_000_000_000, 230_000_000_000_000_000, 9_223_372_036_854_775_807
HALF_AN_HOUR = -30 * 60 * 10_000_000


@pytest.fixture(scope="module")
def reader(samba: Samba) -> str:
    """A service account without any right beside those of everybody in the domain."""
    return samba.add_user("profile-reader")


@pytest.fixture(scope="module")
def place(samba: Samba, reader: str) -> Iterator[str]:
    """An organizational unit with some of everything."""
    place = f"OU=Profile,{samba.base}"
    samba.add(place, ["organizationalUnit"], {})

    def user(name: str, **attributes: object) -> str:
        dn = f"CN={name} Example,{place}"
        plain = {"sAMAccountName": name, "userPrincipalName": f"{name}@corp.example", **attributes}
        samba.add(dn, ["user"], {key: value for key, value in plain.items() if value is not None})  # type: ignore[misc]
        samba.set_password(dn, PASSWORD)
        samba.modify(dn, userAccountControl=512)
        return dn

    proxies = [
        "smtp:annika.lee@example.test",
        "SMTP:annika@example.test",
        "X500:/o=Example/cn=annika",
        "SIP:annika@example.test",
    ]
    user("annika", displayName="Ann Lee", mail="old@example.test", proxyAddresses=proxies)
    user("boris", mail="boris@example.test", userPrincipalName=None)
    user("çelik", mail="team@example.test", accountExpires=NEVER)
    user("dora", mail="Team@example.test", accountExpires=FAR_AWAY)
    user("edgar", proxyAddresses=["X500:/o=Example/cn=edgar"], mail="edgar@example.test", accountExpires=0)
    samba.modify(user("off"), userAccountControl=514)
    user("over", accountExpires=LONG_AGO)
    samba.modify(user("fresh"), pwdLastSet=0)
    user("locked")
    samba.add(f"CN=PC1,{place}", ["computer"], {"sAMAccountName": "PROFPC1$", "userAccountControl": 4096})
    samba.add(f"CN=Contact,{place}", ["contact"], {"mail": "contact@example.test"})
    gmsa = {"sAMAccountName": "profgmsa$", "msDS-ManagedPasswordInterval": 30}
    samba.add(f"CN=gmsa,{place}", ["msDS-GroupManagedServiceAccount"], gmsa)
    samba.add(f"CN=smsa,{place}", ["msDS-ManagedServiceAccount"], {"sAMAccountName": "profsmsa$"})
    yield place
    samba.delete_tree(place)


@pytest.fixture
def open_ad(samba: Samba, place: str, reader: str, open_ldap: Open) -> Open:
    def opened(*servers: str, **settings: object) -> Opened:
        table = {
            "profile": "active_directory",
            "ca_file": str(samba.ca_file),
            "bind_dn": reader,
            "bind_password": PASSWORD,
            "bases": [place],
            **settings,
        }
        return open_ldap(*(servers or (samba.ldaps_uri,)), **table)

    return opened


@pytest.fixture(scope="module")
def lockout(samba: Samba) -> Iterator[None]:
    """Three wrong passwords lock an account."""
    names = ("lockoutThreshold", "lockoutDuration", "lockOutObservationWindow")
    before = samba.read(samba.base, *names)
    samba.modify(samba.base, **dict(zip(names, (3, HALF_AN_HOUR, HALF_AN_HOUR), strict=True)))
    yield
    samba.modify(samba.base, **{name: before[name] for name in names})


def by_name(opened: Opened) -> dict[str, User]:
    return {user.username: user for user in opened.users()}


def addresses(user: User) -> list[str]:
    return [email.address for email in user.emails]


def other(opened: Opened, name: str) -> str | None:
    """Under which name whoever types this one is listed."""
    for lookup in opened.backend.login_lookups(name, Deadline(20)):
        if (entry := opened.backend.find(lookup, Deadline(20))) is not None:
            return opened.mapper.entry_page(entry).usernames[0]
    return None


# -- who is listed ---------------------------------------------------------------------------------------------------


def test_people_are_listed_and_neither_computers_nor_contacts_nor_service_accounts(open_ad: Open) -> None:
    assert set(by_name(open_ad())) == {"annika", "boris", "çelik", "dora", "edgar", "off", "over", "fresh", "locked"}


def test_a_person_has_what_the_profile_maps(samba: Samba, place: str, open_ad: Open) -> None:
    annika = by_name(open_ad())["annika"]
    (guid,) = samba.read(f"CN=annika Example,{place}", "objectGUID")["objectGUID"]

    assert annika.id == str(uuid.UUID(bytes_le=guid))
    assert (annika.full_name, annika.distinguished_name) == ("Ann Lee", f"CN=annika Example,{place}")
    assert addresses(annika) == ["annika@example.test", "annika.lee@example.test"]


def test_mail_stands_in_where_there_is_no_mail_address_among_the_proxy_addresses(open_ad: Open) -> None:
    people = by_name(open_ad())
    assert (people["boris"].full_name, addresses(people["boris"])) == ("boris Example", ["boris@example.test"])
    assert addresses(people["edgar"]) == ["edgar@example.test"]
    assert addresses(people["locked"]) == []


def test_what_the_admin_sets_wins_over_the_profile(open_ad: Open) -> None:
    opened = open_ad(
        ldap_filter="(|(sAMAccountName=annika)(objectClass=contact))",
        map={"username": "mail", "emails": "mail", "is_disabled": {"from": "userAccountControl", "bit": 512}},
        bind_dn=Samba.admin_dn,
        bind_password=Samba.admin_password,
        profile="active_directory",
        login_attributes=[],
    )
    assert opened.mapper.rules["id"].sources == ("objectGUID",)
    entry = opened.find("old@example.test", "mail")
    assert entry is not None
    user = opened.mapper.entry_page(entry).user(0)
    assert (user.username, addresses(user), user.state) == (
        "old@example.test",
        ["old@example.test"],
        AccountState.DISABLED,
    )
    assert opened.backend.login_lookups("annika", Deadline(5)) == ()


# -- states ----------------------------------------------------------------------------------------------------------


def test_states_are_read_and_those_that_pass_leave_people_on_the_list(open_ad: Open, lockout: None) -> None:
    opened = open_ad()
    for guess in range(3):
        assert opened.login("locked", f"wrong {guess}") is Verdict.REJECTED
    states = {name: user.state.value for name, user in by_name(opened).items()}
    assert states == {
        **dict.fromkeys(["annika", "boris", "çelik", "dora", "edgar"], "active"),
        "fresh": "password expired",
        "locked": "locked",
        "off": "disabled",
        "over": "expired",
    }


@pytest.mark.parametrize("feed", ["dirsync", "usn"])
def test_a_feed_tells_of_who_is_locked_or_must_change_the_password(
    samba: Samba, place: str, open_ad: Open, lockout: None, feed: str
) -> None:
    name = f"feed-{feed}"
    dn = f"CN={name},{place}"
    samba.add(dn, ["user"], {"sAMAccountName": name})
    samba.set_password(dn, PASSWORD)
    samba.modify(dn, userAccountControl=512)
    opened = open_ad(bind_dn=Samba.admin_dn, bind_password=Samba.admin_password, change_feed=feed)
    position = opened.position()
    states = []
    for lock in (True, False):
        if lock:
            for guess in range(3):
                opened.login(name, f"wrong {guess}")
        else:
            samba.modify(dn, lockoutTime=0, pwdLastSet=0)
        told = opened.told(position)
        position = told.position
        states += [user.state.value for user in told.users.values() if user.username == name]
    samba.delete(dn)
    assert states == ["locked", "password expired"]


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("annika", Verdict.ACCEPTED, Verdict.REJECTED),
        ("off", Verdict.DISABLED, Verdict.REJECTED),
        ("over", Verdict.EXPIRED, Verdict.REJECTED),
        ("fresh", Verdict.EXPIRED, Verdict.REJECTED),
        # The directory says so whatever the password.
        ("locked", Verdict.DISABLED, Verdict.DISABLED),
    ],
)
def test_each_state_has_its_verdict(name: str, right: Verdict, wrong: Verdict, open_ad: Open, lockout: None) -> None:
    opened = open_ad()
    if name == "locked":
        for guess in range(3):
            opened.login(name, f"wrong {guess}")
    assert opened.login(name, PASSWORD) is right
    assert opened.login(name, "not this one") is wrong


def test_what_keeps_a_listed_person_out_is_told(open_ad: Open, lockout: None) -> None:
    opened = open_ad()
    for guess in range(3):
        opened.login("locked", f"wrong {guess}")

    def notes(name: str) -> str:
        entry = opened.find(name, "sAMAccountName")
        assert entry is not None
        return "; ".join(opened.backend.account_notes(entry, Deadline(20)))

    assert notes("annika") == ""
    assert notes("locked").startswith("locked after too many wrong passwords since 20")
    assert notes("fresh").startswith("must change the password first")


def test_the_computed_state_cannot_be_searched_for(samba: Samba, place: str, open_ad: Open, lockout: None) -> None:
    """So no filter finds who is locked; it is read for one person at a time."""
    opened = open_ad(ldap_filter="(msDS-User-Account-Control-Computed=*)")
    assert opened.usernames() == []


def test_somebody_whose_state_cannot_be_seen_makes_the_list_an_error(place: str, open_ad: Open) -> None:
    """A contact has none, as nobody has in a domain that hides account restrictions from the service account."""
    opened = open_ad(ldap_filter="(mail=*)", map={"username": "mail"})
    with pytest.raises(BackendMisconfigured, match="may not read userAccountControl of CN=Contact"):
        opened.users()
    with pytest.raises(BackendMisconfigured, match="userAccountControl"):
        opened.find("contact@example.test", "mail")


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "listed"),
    [
        ("annika@corp.example", "annika"),
        ("ANNIKA@Corp.Example", "annika"),
        ("EXAMPLE\\annika", "annika"),
        ("example\\ANNIKA", "annika"),
        ("example.test\\annika", "annika"),
        ("annika@example.test", "annika"),
        ("annika.lee@example.test", "annika"),
        ("boris@EXAMPLE.test", "boris"),
        ("edgar@example.test", "edgar"),
        ("EXAMPLE\\çelik", "çelik"),
        ("old@example.test", "annika"),
        ("OTHER\\annika", None),
        ("\\annika", None),
        ("EXAMPLE\\", None),
        ("EXAMPLE\\*", None),
        ("EXAMPLE\\EXAMPLE\\annika", None),
        ("annika@other.test", None),
        ("@example.test", None),
        ("annika@", None),
        ("*@corp.example", None),
        ("EXAMPLE\\PROFPC1$", None),
        ("contact@example.test", None),
        ("nobody", None),
    ],
)
def test_people_log_in_by_upn_domain_name_and_mail(typed: str, listed: str | None, open_ad: Open) -> None:
    assert other(open_ad(), typed) == listed


def test_the_short_name_is_another_name_where_people_are_listed_by_upn(open_ad: Open) -> None:
    opened = open_ad(map={"username": ["userPrincipalName", "sAMAccountName"]})
    assert [other(opened, name) for name in ("annika", "EXAMPLE\\annika", "annika.lee@example.test")] == [
        "annika@corp.example"
    ] * 3


def test_a_mail_address_of_two_people_is_nobodys(open_ad: Open) -> None:
    with pytest.raises(AmbiguousEntry):
        other(open_ad(), "team@example.test")


def test_the_netbios_name_may_be_set(open_ad: Open) -> None:
    opened = open_ad(netbios_domain="CORP")
    assert [other(opened, name) for name in ("CORP\\annika", "example.test\\annika")] == ["annika"] * 2
    assert other(opened, "EXAMPLE\\annika") is None
    assert [lookup.value for lookup in opened.backend.login_lookups("boris@example.test", Deadline(5))][:2] == [
        "boris@example.test",
        "boris",
    ]


def test_a_name_of_no_other_form_asks_nobody(open_ad: Open) -> None:
    opened = open_ad("ldaps://127.0.0.1:1")
    assert opened.backend.login_lookups("annika", Deadline(5)) == ()


# -- check -----------------------------------------------------------------------------------------------------------


def lines(opened: Opened) -> str:
    return "\n".join(f"{finding.level}: {finding.message}" for finding in opened.findings())


def test_check_names_the_domain_and_whom_the_filter_leaves_out(open_ad: Open) -> None:
    told = lines(open_ad())
    assert "ok: domain example.test, NetBIOS name EXAMPLE (read)" in told
    assert "leaves out: computers (1), managed service accounts (2), contacts (1)" in told
    assert "ok: 9 entries match ldap_filter" in told
    assert "error" not in told
    assert "warning" not in told


def test_check_knows_the_partitions_to_which_a_domain_refers(samba: Samba, open_ad: Open) -> None:
    """They are where every domain refers to, and a warning that is always there is read by nobody."""
    told = lines(open_ad(bases=[samba.base], groups={}))
    assert "ok: 1 referrals are not followed, to where a domain keeps no people" in told
    assert "ok: 1 referrals are not followed, to where a domain keeps no groups" in told
    assert "may be there as well" not in told
    # Without the profile nobody knows what is behind them.
    plain = lines(open_ad(bases=[samba.base], profile=None, ldap_filter="(cn=nobody)", map={"id": "objectGUID"}))
    assert "warning: 1 referrals are not followed; people may be there as well: ldaps://example.test/CN=Conf" in plain


def test_check_says_what_a_plain_text_bind_needs(samba: Samba, open_ad: Open) -> None:
    told = lines(open_ad(samba.uri, ca_file=None))
    assert "strongerAuthRequired(8)" in told
    assert "use ldaps:// or start_tls = true" in told


def test_start_tls_does_as_well(samba: Samba, open_ad: Open) -> None:
    assert open_ad(samba.uri, start_tls=True).login("annika", PASSWORD) is Verdict.ACCEPTED


def test_check_warns_of_the_global_catalogue(samba: Samba, open_ad: Open) -> None:
    assert f"warning: ldaps://{samba.address}:3269 is a global catalogue" in lines(open_ad(f"{samba.ldaps_uri}:3269"))


def test_check_warns_of_a_base_outside_the_domain(open_ad: Open) -> None:
    told = lines(open_ad(bases=["CN=Configuration,DC=example,DC=test", "DC=other,DC=test"]))
    assert "base 'DC=other,DC=test' is not in this controller's own domain, 'DC=example,DC=test'" in told
    assert "no domain of the base 'DC=other,DC=test' can be read" in told


# -- filters to copy -------------------------------------------------------------------------------------------------


def recipes() -> list[str]:
    """The filters of the walk-through, in their order: a group, without service accounts, with a mailbox."""
    page = (Path(__file__).parents[3] / "docs" / "active-directory.rst").read_text(encoding="utf-8")
    return [found.replace("\\\n    ", "") for found in re.findall(r'ldap_filter = """(.*?)"""', page, re.DOTALL)]


def test_the_filters_of_the_walk_through_find_whom_they_promise(samba: Samba, place: str, open_ad: Open) -> None:
    inner = samba.add_group("recipe-inner", [f"CN=annika Example,{place}"])
    outer = samba.add_group("recipe-outer", [f"CN=boris Example,{place}", inner])
    samba.add(f"CN=svc,{place}", ["user"], {"sAMAccountName": "svc-backup"})
    samba.add(
        f"CN=recipe-web,{place}", ["user"], {"sAMAccountName": "recipe-web", "servicePrincipalName": "http/recipe.test"}
    )
    samba.add(f"CN=HealthMailbox1,{place}", ["user"], {"sAMAccountName": "hm1"})

    group, without_services, with_mailbox = recipes()
    group = group.replace("CN=Archive,OU=Groups,DC=example,DC=org", outer)
    assert sorted(open_ad(ldap_filter=group).usernames()) == ["annika", "boris"]
    people = set(open_ad(ldap_filter=without_services).usernames())
    assert {"annika", "boris"} < people
    assert not people & {"svc-backup", "recipe-web", "hm1"}
    assert open_ad(ldap_filter=with_mailbox).usernames() == []
    for name in ("svc", "recipe-web", "HealthMailbox1"):
        samba.delete(f"CN={name},{place}")
