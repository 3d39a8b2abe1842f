"""What Active Directory knows of one account beside the state that lists show: locked, must change its password."""

from __future__ import annotations

from integration_server import BackendError, Deadline, values
from integration_server.builtin.ldap.messages import Scope, Search, present
from integration_server.builtin.ldap.results import NO_SUCH_OBJECT, SUCCESS, failure
from integration_server.builtin.ldap.search import Referrals, few
from integration_server.builtin.ldap.values import several, text_of
from integration_server.builtin.ldap.wire import Wire

_ATTRIBUTES = ("msDS-User-Account-Control-Computed", "lockoutTime", "pwdLastSet")
#: MS-ADTS §3.1.1.4.5.17.
_LOCKED, _PASSWORD_EXPIRED = 0x10, 0x800000


def account_notes(wire: Wire, dn: str, deadline: Deadline) -> tuple[str, ...]:
    """For people to read; nothing where all is well or the service account may not see it. Raises BackendError.

    The constructed attribute is worked out by the server for each entry that it is asked for, so for one at a time.
    """
    rows, result = few(wire, Search(dn, Scope.BASE, present("objectClass")), _ATTRIBUTES, deadline, Referrals())
    if result.code == NO_SUCH_OBJECT or (result.code == SUCCESS and not rows):
        return ()
    if result.code != SUCCESS:
        raise failure(result, f"{wire.server}: reading {dn!r}")
    try:
        computed, locked_at, set_at = (text_of(several(value)[0]) if value is not None else None for value in rows[0])
        notes = []
        if int(computed or 0) & _LOCKED:
            since = values.moment(locked_at)
            when = f" since {since:%Y-%m-%d %H:%M} UTC" if since is not None else ""
            notes.append(f"locked after too many wrong passwords{when}: listed, but logins are refused until that ends")
        if set_at == "0" and int(computed or 0) & _PASSWORD_EXPIRED:
            notes.append("must change the password first: listed, but logins are refused")
        elif int(computed or 0) & _PASSWORD_EXPIRED:
            notes.append("the password has expired: listed, but logins are refused")
    except ValueError as exc:
        raise BackendError(f"{wire.server}: the state of {dn!r} cannot be read: {exc}") from exc
    return tuple(notes)
