"""What a master tells its slaves of a change: one call, or several. Pure functions.

Hash and salt are those of the account as it is when the call is made; events hold none. Whatever else a call says is as
it was when the change happened, since slaves get all changes in their order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote

from integration_server import TEST_PING, USER_SNAPSHOT, Event
from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.keys import expected_key
from integration_server.builtin.ips_connect.methods import METHODS
from integration_server.builtin.ips_connect.tables import TABLES

_PREFIX = f"{TABLES.name}."
#: The methods that are pushed, with their parameters in the order in which masters in the field send them.
_PARAMETERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "register": ("name", "email", "pass_hash", "pass_salt", "id", "revalidateUrl"),
        "validate": ("id",),
        "delete": ("id",),
        "ban": ("id", "status"),
        "merge": ("id", "remove"),
        "changeEmail": ("id", "email"),
        "changePassword": ("id", "pass_hash", "pass_salt"),
        "changeName": ("id", "name"),
    }
)
#: The types of all changes that slaves are told of.
TYPES = tuple(_PREFIX + method for method in _PARAMETERS)

_SECRETS = ("pass_hash", "pass_salt")
#: The methods that tell a slave of a password.
_WITH_PASSWORD = frozenset(name for name, parameters in _PARAMETERS.items() if "pass_hash" in parameters)
#: What stands in a query as it is (RFC 3986 §2.3).
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")
#: No account has this id. (Not 0: slaves give that to everybody whom no master knows.)
_NOBODY = str(2**31 - 1)

#: A hash and a salt for somebody who has none.
Unusable = Callable[[], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Push:
    """One call of a slave. ``values`` are its parameters, in order. ``is_respelling``: the account has the name or the
    address already, and the case of its letters alone is another."""

    method: str
    # Hash and salt are among them.
    values: Mapping[str, str] = field(repr=False)
    is_respelling: bool = False

    def key(self, slave_key: str) -> str:
        """What a slave with this key must be shown."""
        return expected_key(slave_key, METHODS[self.method.lower()].key_rule, self.values["id"])

    def query(self, key: str) -> str:
        """The query of the call with this ``key``, percent-encoded UTF-8. It must not be logged."""
        pairs = {"do": self.method, "key": key, **self.values, "slaveCall": "1"}
        return "&".join([f"{name}={_quoted(value)}" for name, value in pairs.items()])

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of it nobody may see, beside its key."""
        return tuple(self.values[name] for name in _SECRETS if name in self.values)


def _quoted(value: str) -> str:
    return value if _UNRESERVED.fullmatch(value) else quote(value, safe="")


#: Changes nothing, and shows that there is a gateway which takes the key: slaves look at that before they look for the
#: account.
PING = Push("validate", MappingProxyType({"id": _NOBODY}))


def is_about_account(event: Event) -> bool:
    """Whether what is told of it depends on the account as it is now."""
    method = event.type.removeprefix(_PREFIX)
    return event.type == USER_SNAPSHOT or method in _WITH_PASSWORD


def pushes(event: Event, account: Account | None, unusable: Unusable) -> tuple[Push, ...]:
    """The calls that tell a slave of ``event``, which is about ``account``, as it is now; None where it is gone.

    Nobody's new password is told where the account is gone. But it is registered, with a password of nobody: until its
    end is told, which follows, others may be merged into it, and must be gone then. ``unusable`` makes such a hash and
    salt, as slaves refuse empty ones. Somebody who is told of in a replay of everybody is registered as they are now.
    Raises ValueError for an event that is none of these.
    """
    if event.type == TEST_PING:
        return (PING,)
    if event.type == USER_SNAPSHOT:
        return () if account is None else _anew(account, unusable)
    method = event.type.removeprefix(_PREFIX)
    if method not in _PARAMETERS or method == event.type:
        raise ValueError(f"slaves know nothing of {event.type}")
    known = {**_details(event), "id": event.person_id}
    if method in _WITH_PASSWORD:
        password = _password(method, account, unusable)
        if not password:
            return ()
        known |= password
    return (_push(method, known),)


def _push(method: str, known: Mapping[str, str]) -> Push:
    missing = [name for name in _PARAMETERS[method] if name not in known]
    if missing:
        raise ValueError(f"the event says nothing of {', '.join(missing)}")
    values = {name: known[name] for name in _PARAMETERS[method]}
    return Push(method, MappingProxyType(values), is_respelling="is_respelled" in known)


def _anew(account: Account, unusable: Unusable) -> tuple[Push, ...]:
    """Somebody whom a slave may not know yet."""
    known = {
        "id": str(account.id),
        "name": account.name,
        "email": account.email,
        "revalidateUrl": account.revalidate_url,
        "status": "1",
        **_password("register", account, unusable),
    }
    return tuple(_push(method, known) for method in ("register", *(["ban"] if account.is_banned else ())))


def _details(event: Event) -> dict[str, str]:
    return {name: value for name, value in (event.after or {}).items() if isinstance(value, str)}


def _password(method: str, account: Account | None, unusable: Unusable) -> dict[str, str]:
    if account is not None and account.pass_hash and account.pass_salt:
        return {"pass_hash": account.pass_hash, "pass_salt": account.pass_salt}
    return dict(zip(_SECRETS, unusable(), strict=True)) if method == "register" else {}
