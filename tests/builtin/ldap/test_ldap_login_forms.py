"""The other names by which people log in, as lookups; and what is said where the directory cannot tell its names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from integration_server import BackendMisconfigured, BackendUnavailable, ConfigError, Deadline
from integration_server.builtin.ldap.domain import Domain
from integration_server.builtin.ldap.login_forms import LoginForms
from integration_server.builtin.ldap.profiles import ACTIVE_DIRECTORY
from tests.builtin.ldap.opened import Opened
from tests.servers import Slapd

Open = Callable[..., Opened]

EXAMPLE = Domain("DC=example,DC=org", "example.org", "EXAMPLE")
OTHER = Domain("DC=other,DC=org", "other.org", "OTHER")


def never() -> Sequence[Domain]:
    raise AssertionError("the directory was asked for its names")


def found(forms: LoginForms, typed: str, *domains: Domain) -> list[tuple[str, str]]:
    assert all(lookup.ignore_case for lookup in forms.lookups(typed, lambda: domains))
    return [(lookup.attribute, lookup.value) for lookup in forms.lookups(typed, lambda: domains)]


def windows(listed: str | None = "sAMAccountName") -> LoginForms:
    return LoginForms(ACTIVE_DIRECTORY.login_attributes, listed, is_windows=True)


def test_a_name_with_a_domain_behind_it_is_a_upn_a_short_name_there_or_an_address() -> None:
    expected = [
        ("userPrincipalName", "ann@Example.org"),
        ("sAMAccountName", "ann"),
        ("mail", "ann@Example.org"),
        ("proxyAddresses", "smtp:ann@Example.org"),
    ]
    assert found(windows(), "ann@Example.org", EXAMPLE) == expected
    assert ("sAMAccountName", "ann") not in found(windows(), "ann@other.org", EXAMPLE)


def test_a_domain_before_the_name_must_be_the_directorys() -> None:
    for typed in ("EXAMPLE\\ann", "example\\ann", "example.org\\ann"):
        assert found(windows(), typed, EXAMPLE) == [("sAMAccountName", "ann")]
    for typed in ("OTHER\\ann", "\\ann", "EXAMPLE\\", "ann\\EXAMPLE"):
        assert found(windows(), typed, EXAMPLE) == []


def test_of_several_domains_none_is_meant() -> None:
    """The short name would be found in whichever has it."""
    assert found(windows(), "EXAMPLE\\ann", EXAMPLE, OTHER) == []
    assert found(windows(), "ann@example.org", EXAMPLE, OTHER) == found(windows(), "ann@example.org")


def test_the_listed_name_is_not_asked_for_again() -> None:
    assert windows().lookups("ann", never) == ()
    assert [one.attribute for one in windows("userPrincipalName").lookups("ann", never)] == ["sAMAccountName"]


def test_without_the_short_name_no_domain_is_asked_for() -> None:
    forms = LoginForms(["mail"], "sAMAccountName", is_windows=True)
    assert [one.value for one in forms.lookups("ann@example.org", never)] == ["ann@example.org"]
    assert forms.lookups("EXAMPLE\\ann", never) == ()


def test_any_directory_may_have_other_names(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, login_attributes=["mail", "employeeNumber"])
    (address, number) = opened.backend.login_lookups("a.archer@example.org", Deadline(5))
    entry = opened.backend.find(address, Deadline(20))
    assert entry is not None
    assert entry.attributes["uid"] == "alice"
    assert opened.backend.find(number, Deadline(20)) is None
    assert open_ldap(slapd.uri).backend.login_lookups("a.archer@example.org", Deadline(5)) == ()
    (lookup,) = opened.backend.login_lookups("EXAMPLE\\ann", Deadline(5))
    assert (lookup.attribute, lookup.value) == ("employeeNumber", "EXAMPLE\\ann")


def test_a_directory_that_cannot_tell_its_names_is_a_fault_and_no_answer(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, profile="active_directory")
    with pytest.raises(BackendMisconfigured, match="no domain controller"):
        opened.backend.login_lookups("EXAMPLE\\ann", Deadline(5))
    assert any("nobody can log in by DOMAIN" in finding.message for finding in opened.findings())
    down = open_ldap("ldap://127.0.0.1:1", profile="active_directory")
    with pytest.raises(BackendUnavailable):
        down.backend.login_lookups("EXAMPLE\\ann", Deadline(5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"profile": None}, "goes with profile"),
        ({"bases": ["ou=people"]}, "does not end with the DC="),
        ({"bases": ["ou=a,dc=example,dc=org", "ou=b,dc=example,dc=net"]}, "several"),
    ],
)
def test_a_netbios_name_that_cannot_be_is_a_configuration_error(
    settings: dict[str, object], message: str, open_ldap: Open
) -> None:
    table = {"profile": "active_directory", "netbios_domain": "EXAMPLE", **settings}
    with pytest.raises(ConfigError, match=message):
        open_ldap("ldap://127.0.0.1:1", **table)
