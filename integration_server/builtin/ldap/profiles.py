"""What ``profile`` stands for: the defaults that fit one kind of directory. Whatever the admin sets wins over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from integration_server import FieldRule, MapSettings
from integration_server.builtin.ldap.settings import LdapSettings


@dataclass(frozen=True, slots=True)
class GroupDefaults:
    """What ``[backends.NAME.groups]`` says where the admin does not. ``is_domain_wide``: groups are looked for in the
    whole domain of the people's bases, and not below these alone."""

    ldap_filter: str
    id_attribute: str
    title_attribute: str | None = None
    email_attribute: str | None = None
    is_nested: bool = False
    has_primary: bool = False
    is_domain_wide: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """``map`` goes field by field. ``states`` are attributes that every account has, in lower case: where one is
    missing, the service account may not read it, and nobody knows who may log in."""

    map: MapSettings
    ldap_filter: str
    groups: GroupDefaults
    login_attributes: tuple[str, ...] = ()
    states: frozenset[str] = frozenset()
    #: Attributes that nobody need have, since others stand in for them, in lower case: with those.
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    is_active_directory: bool = False


ANY = Profile(
    map=MapSettings.model_validate(
        {"id": "entryUUID", "username": "uid", "full_name": "cn", "emails": "mail", "distinguished_name": "dn"}
    ),
    ldap_filter="(objectClass=person)",
    groups=GroupDefaults(
        ldap_filter="(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)"
        "(objectClass=group))",
        id_attribute="cn",
    ),
)

ACTIVE_DIRECTORY = Profile(
    map=MapSettings.model_validate(
        {
            "id": "objectGUID",
            # Everybody has one, and it is unique in the domain (MS-SAMR §3.1.1.6); a userPrincipalName need not be.
            "username": "sAMAccountName",
            "full_name": ["displayName", "cn"],
            "emails": {"from": ["proxyAddresses", "mail"], "smtp_prefixes": True, "first_found": True},
            "distinguished_name": "dn",
            "is_disabled": {"from": "userAccountControl", "bit": 2},  # ADS_UF_ACCOUNTDISABLE, MS-ADTS §2.2.16
            "expires_at": "accountExpires",
            # UF_LOCKOUT and UF_PASSWORD_EXPIRED, worked out by the controller, as only it knows the policies that hold
            # for a person (MS-ADTS §3.1.1.4.5.17). Where it says nothing, the login still does.
            "is_locked": {"from": "msDS-User-Account-Control-Computed", "bit": 0x10},
            "is_password_expired": {"from": "msDS-User-Account-Control-Computed", "bit": 0x800000},
        }
    ),
    # Contacts are persons and no users; computers and managed service accounts are users and no persons; a trust is
    # both, but no normal account (SAM_USER_OBJECT, MS-SAMR §2.2.1.9).
    ldap_filter="(&(objectCategory=person)(objectClass=user)(sAMAccountType=805306368))",
    # As the domain itself counts at a logon: with groups in groups and everybody's primary group. The name of a group
    # is unique in the domain as sAMAccountName, and within its container only as cn.
    groups=GroupDefaults(
        ldap_filter="(objectCategory=group)",
        id_attribute="sAMAccountName",
        title_attribute="cn",
        email_attribute="mail",
        is_nested=True,
        has_primary=True,
        is_domain_wide=True,
    ),
    login_attributes=("userPrincipalName", "sAMAccountName", "mail", "proxyAddresses"),
    states=frozenset({"useraccountcontrol"}),
    stand_ins={"proxyaddresses": "mail", "displayname": "cn"},
    is_active_directory=True,
)


def profile_of(settings: LdapSettings) -> Profile:
    """The defaults for these settings."""
    return ACTIVE_DIRECTORY if settings.profile == "active_directory" else ANY


def mapping_of(settings: LdapSettings) -> MapSettings:
    """The mapping where the admin says nothing. In Active Directory a table of groups is reason enough to read them."""
    profile = profile_of(settings)
    if settings.groups is None or not profile.is_active_directory:
        return profile.map
    return profile.map.model_copy(update={"groups": FieldRule.model_validate({"from": settings.groups.attribute})})
