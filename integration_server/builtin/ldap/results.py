"""What a result code means to us (RFC 4511 appendix A): the one place where answers become errors or verdicts."""

from __future__ import annotations

import re

from integration_server import BackendError, BackendMisconfigured, BackendUnavailable, Verdict
from integration_server.builtin.ldap.messages import Result

SUCCESS, TIME_LIMIT, SIZE_LIMIT, ADMIN_LIMIT = 0, 3, 4, 11
NO_SUCH_OBJECT, INVALID_DN, INVALID_CREDENTIALS, UNWILLING = 32, 34, 49, 53
UNAVAILABLE_EXTENSION = 12
REFERRAL, INSUFFICIENT_RIGHTS, OBJECT_CLASS_VIOLATION, ENTRY_EXISTS = 10, 50, 65, 68
#: strongerAuthRequired and confidentialityRequired: passwords are not taken in plain text.
NEEDS_ENCRYPTION = frozenset({8, 13})
_NO_SUCH_ATTRIBUTE, _VALUE_EXISTS = 16, 20

_NAMES = {
    0: "success",
    1: "operationsError",
    2: "protocolError",
    3: "timeLimitExceeded",
    4: "sizeLimitExceeded",
    7: "authMethodNotSupported",
    8: "strongerAuthRequired",
    10: "referral",
    11: "adminLimitExceeded",
    12: "unavailableCriticalExtension",
    13: "confidentialityRequired",
    14: "saslBindInProgress",
    16: "noSuchAttribute",
    17: "undefinedAttributeType",
    18: "inappropriateMatching",
    19: "constraintViolation",
    20: "attributeOrValueExists",
    21: "invalidAttributeSyntax",
    32: "noSuchObject",
    33: "aliasProblem",
    34: "invalidDNSyntax",
    36: "aliasDereferencingProblem",
    48: "inappropriateAuthentication",
    49: "invalidCredentials",
    50: "insufficientAccessRights",
    51: "busy",
    52: "unavailable",
    53: "unwillingToPerform",
    54: "loopDetect",
    64: "namingViolation",
    65: "objectClassViolation",
    66: "notAllowedOnNonLeaf",
    67: "notAllowedOnRDN",
    68: "entryAlreadyExists",
    69: "objectClassModsProhibited",
    80: "other",
}
#: Asking again does not help; somebody has to change a setting, here or at the server.
_ASKED_WRONGLY = frozenset({2, 7, 8, 10, 12, 13, 14, 16, 17, 18, 21, 32, 33, 34, 36, 48, 49, 50, 53})
_AGAINST_THE_SCHEMA = frozenset({64, 65, 66, 67})
_ANOTHER_SERVER_MAY_DO = frozenset({51, 52})

#: Active Directory's "data" in the text of an invalidCredentials (Microsoft, "Bind error codes"): not a wrong password.
_DIRECTORY_DATA = {
    0x530: Verdict.DISABLED,  # not at this time of day
    0x531: Verdict.DISABLED,  # not from this workstation
    0x532: Verdict.EXPIRED,  # password expired
    0x533: Verdict.DISABLED,
    0x534: Verdict.DISABLED,  # not this kind of logon
    0x701: Verdict.EXPIRED,  # account expired
    0x773: Verdict.EXPIRED,  # must change the password first
    0x775: Verdict.DISABLED,  # locked after too many attempts
}
_DATA = re.compile(r"\bdata ([0-9a-f]{1,8})\b")
#: How 389 DS (unwillingToPerform, constraintViolation) and eDirectory say that one account is closed.
_CLOSED_ACCOUNT = re.compile(
    r"account.{0,20}\b(inactivated|locked|disabled|expired)|retry limit|login lockout", re.IGNORECASE
)
#: How Active Directory says that somebody is no member (Windows errors 1377 and 1321), and Samba in its place.
_NO_MEMBER = re.compile(r"^0*(561|529):|^Attribute \S+ (already deleted|doesn't exist) for target GUID", re.IGNORECASE)
_POLICY_ERRORS = {0: Verdict.EXPIRED, 1: Verdict.DISABLED, 2: Verdict.EXPIRED}


class ServerFailed(BackendUnavailable):
    """The connection broke, or the server talks nonsense or says that it cannot answer; another one may do."""


def name(code: int) -> str:
    """Such as ``sizeLimitExceeded(4)``."""
    return f"{_NAMES.get(code, 'result')}({code})"


def describe(result: Result) -> str:
    """The code and what the server says about it, on one short line."""
    said = " ".join("".join(c if c.isprintable() else " " for c in result.text).split())[:200]
    where = f" at {result.referrals[0]}" if result.referrals else ""
    return f"{name(result.code)}{where}" + (f": {said}" if said else "")


def failure(result: Result, doing: str) -> BackendError:
    """The error for a result that is no success; ``doing`` is what was asked, such as "searching dc=ex"."""
    text = f"{doing}: the server answers {describe(result)}"
    if result.code in _ANOTHER_SERVER_MAY_DO:
        return ServerFailed(text)
    # Active Directory's way to say that anonymous callers may not ask.
    is_anonymous = result.code == 1 and "successful bind" in result.text
    if result.code == NO_SUCH_OBJECT and result.matched_dn:
        text += f" (it exists up to {result.matched_dn})"
    if result.code in _ASKED_WRONGLY | _AGAINST_THE_SCHEMA or is_anonymous:
        return BackendMisconfigured(text)
    return BackendUnavailable(text)


def is_there_already(result: Result) -> bool:
    """Whether a value was not added because it is there; Active Directory says so of members as of entries."""
    return result.code in (_VALUE_EXISTS, ENTRY_EXISTS)


def is_gone_already(result: Result) -> bool:
    """Whether a value was not taken out because it is not there."""
    return result.code == _NO_SUCH_ATTRIBUTE or (result.code == UNWILLING and bool(_NO_MEMBER.match(result.text)))


def write_failure(result: Result, doing: str, account: str | None) -> BackendError:
    """The error for a change that was refused; ``account`` is the DN of who asked for it."""
    if result.code == INSUFFICIENT_RIGHTS:
        who = f"the service account {account!r}" if account else "who is not bound (bind_dn)"
        return BackendMisconfigured(f"{doing}: {who} may not do this; the server answers {describe(result)}")
    if result.code == REFERRAL:
        return BackendMisconfigured(f"{failure(result, doing)}; it takes no changes, so name one that does in servers")
    return failure(result, doing)


def verdict(result: Result, policy_error: int | None, doing: str) -> Verdict:
    """What a bind's answer says of a person. Raises BackendError where it says nothing of them.

    48 is an account without a password, 32 one that has gone since it was found. 53 and 19 are a closed account only
    when the server's words say so, else it refuses everybody and that is no verdict on this person.
    """
    if result.code == SUCCESS:
        return Verdict.ACCEPTED
    if result.code == INVALID_CREDENTIALS:
        if policy_error is not None:
            return _POLICY_ERRORS.get(policy_error, Verdict.REJECTED)
        data = _DATA.search(result.text.lower())
        return _DIRECTORY_DATA.get(int(data[1], 16), Verdict.REJECTED) if data else Verdict.REJECTED
    if result.code in (48, NO_SUCH_OBJECT):
        return Verdict.REJECTED
    if result.code in (19, UNWILLING) and _CLOSED_ACCOUNT.search(result.text):
        return Verdict.DISABLED
    raise failure(result, doing)
