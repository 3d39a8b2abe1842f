"""Mistakes in the settings are found at the start and named; names are compared as directories compare them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from integration_server import ConfigError
from integration_server.builtin.ldap import LdapBackend, names, register_backends
from integration_server.builtin.ldap.library import parsed_filter
from integration_server.builtin.ldap.settings import parse_address
from tests.builtin.ldap.opened import Opened

Open = Callable[..., Opened]

URI = "ldap://127.0.0.1:1"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"ldap_filter": "(uid=alice"}, r"\[backends\.test\] ldap_filter '\(uid=alice': invalid filter"),
        ({"ldap_filter": ""}, "ldap_filter"),
        ({"ldap_filter": "uid=alice"}, "ldap_filter"),
        ({"ldap_filter": "(&(a=b)c)"}, "ldap_filter"),
        ({"bind_password": None}, "bind_dn and bind_password go together"),
        ({"bind_dn": None}, "bind_dn and bind_password go together"),
        ({"bind_dn": ""}, "neither may be empty"),
        ({"bases": ["people"]}, "bases: 'people' is no distinguished name: 'people' has no '='"),
        (
            {"dn_template": "uid=alice,ou=people,dc=example,dc=org"},
            "dn_template: the name goes where it says {username}",
        ),
        ({"dn_template": "uid={username},ou={unit},dc=example,dc=org"}, "no other braces"),
        ({"dn_template": "uid={username},dc=elsewhere"}, "below none of the bases"),
        ({"dn_template": "{username}"}, "below none of the bases"),
        ({"start_tls": True, "servers": ["ldaps://localhost"]}, "start_tls goes with ldap://"),
        ({"ca_file": "ca.pem"}, "nothing is encrypted"),
        ({"client_certificate": "client.pem"}, "client_certificate is given, but nothing is encrypted"),
        ({"client_key": "key.pem", "servers": ["ldaps://localhost"]}, "no client_certificate that it belongs to"),
        ({"bind_method": "external", "bind_dn": None}, "there is no bind_dn and no bind_password"),
        (
            {
                "bind_method": "external",
                "bind_dn": None,
                "bind_password": None,
                "servers": ["ldaps://localhost"],
            },
            "takes a client_certificate and encryption, or ldapi://, and ldaps://localhost has neither",
        ),
    ],
)
def test_settings_that_cannot_work_are_named(open_ldap: Open, settings: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        open_ldap(URI, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"servers": []},
        {"servers": ["example.org"]},
        {"servers": ["http://example.org"]},
        {"servers": ["ldap://"]},
        {"servers": ["ldap://host:0"]},
        {"servers": ["ldap://host:99999"]},
        {"servers": ["ldap://host:port"]},
        {"servers": ["ldap://user@host"]},
        {"servers": ["ldap://host/dc=example"]},
        {"servers": ["ldapi://"]},
        {"bases": []},
        {"page_sise": 5},
        {"page_size": -1},
        {"follow_referrals": True},
        {"scope": "base"},
        {"verify_certificates": "no"},
        {"login_attributes": [""]},
        {"login_attributes": ["(mail=*)"]},
        {"login_attributes": ["mail address"]},
        {"groups": "all"},
        {"groups": {"id_attribute": ""}},
    ],
    ids=str,
)
def test_wrong_values_are_no_settings(open_ldap: Open, settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(settings))):
        open_ldap(URI, **settings)


@pytest.mark.parametrize("server", ["ldaps://dc1:99999", "ldap://dc1:x", "ldaps+srv://example.org:70000"])
def test_a_port_that_is_none_is_told_with_its_server(open_ldap: Open, server: str) -> None:
    with pytest.raises(ValidationError, match=rf"'{server.partition('//')[2]}' does not end with the number of a port"):
        open_ldap(URI, servers=[server])


def test_one_text_serves_as_a_list(open_ldap: Open) -> None:
    open_ldap(URI, servers="ldap://one.example", bases="dc=example")


def test_addresses_are_understood() -> None:
    found = [
        parse_address(uri) for uri in ("ldap://h", "ldaps://h", "ldap://h:1/", "ldaps://[::1]:2", "ldap://10.0.0.1")
    ]
    assert [(a.host, a.port, a.is_tls) for a in found] == [
        ("h", 389, False),
        ("h", 636, True),
        ("h", 1, False),
        ("::1", 2, True),
        ("10.0.0.1", 389, False),
    ]
    assert parse_address("ldapi://%2Frun%2Fslapd%2Fldapi").unix_path == "/run/slapd/ldapi"
    assert [
        parse_address(uri).is_local for uri in ("ldap://localhost", "ldap://[::1]", "ldap://h", "ldapi://%2Fx")
    ] == [
        True,
        True,
        False,
        True,
    ]


def test_secrets_are_not_shown(open_ldap: Open) -> None:
    opened = open_ldap(URI, bind_password="geheim")
    assert "geheim" not in repr(vars(opened.backend))
    assert "geheim" not in repr(opened.backend._plan.account)


@given(st.text(max_size=40))
def test_any_filter_is_compiled_or_refused(text: str) -> None:
    try:
        assert parsed_filter(text)
    except ValueError:
        return


@given(
    st.recursive(
        st.sampled_from(["(a=b)", "(a=*)", "(a=*x*)", "(a>=1)", "(!(a=b))"]),
        lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(&{''.join(parts)})"),
    )
)
def test_nested_filters_are_compiled(text: str) -> None:
    assert parsed_filter(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ou=people,dc=example,dc=org", "OU=People , DC=EXAMPLE,dc=org"),
        ("cn=a+ou=b,dc=c", "OU=b + cn=a,dc=c"),
        (r"cn=a\2Cb,dc=c", r"cn=a\,b,dc=c"),
        ('cn="a,b",dc=c', r"cn=a\,b,dc=c"),
        (r"cn=\C3\A4,dc=c", "cn=Ä,dc=c"),
        ("cn=a  b,dc=c", "cn=A b,dc=c"),
        ("2.5.4.11=x,0.9.2342.19200300.100.1.25=c", "ou=x,dc=c"),
        ("", " "),
    ],
)
def test_names_are_equal_however_they_are_written(one: str, other: str) -> None:
    assert names.parse(one) == names.parse(other)


@pytest.mark.parametrize("text", ["people", "=x", "ou=a,", "ou=a,,dc=b", ",", "ou=a;", 'cn="a', "cn=a\\", "cn=a+,dc=b"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no distinguished name"):
        names.parse(text)


@given(st.text(min_size=1, max_size=30))
def test_an_escaped_value_stays_one_value(value: str) -> None:
    parsed = names.parse(f"uid={names.escape(value)},dc=org")
    assert len(parsed) == 2
    assert len(parsed[0]) == 1
    assert parsed[1:] == names.parse("dc=org")


@given(st.text(max_size=200))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        names.parse(text)
    except ValueError:
        return


def test_bases_within_others_are_left_out() -> None:
    bases = ("ou=a,dc=x", "dc=x", "DC=X", "ou=b,ou=a,dc=x", "dc=y")
    assert names.without_nested(bases, is_subtree=True) == ("dc=x", "dc=y")
    assert names.without_nested(bases, is_subtree=False) == ("ou=a,dc=x", "dc=x", "ou=b,ou=a,dc=x", "dc=y")
    assert names.without_nested(("", "dc=x"), is_subtree=True) == ("",)


def test_the_plugin_offers_its_backend() -> None:
    assert register_backends() == (LdapBackend,)
    assert LdapBackend.type == "ldap"


def test_importing_warns_of_nothing_and_hides_no_other_warning() -> None:
    script = (
        "import warnings\n"
        "import integration_server.builtin.ldap\n"
        "try:\n"
        "    warnings.warn('tagMap is deprecated', DeprecationWarning)\n"
        "except DeprecationWarning:\n"
        "    print('heard')\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("heard", "")
