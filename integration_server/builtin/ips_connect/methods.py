"""The methods of IPS Connect 4 as data: what each takes, which key it wants, in which order it is checked.

Source: the protocol as spoken by IPS Community Suite 4.0 to 4.2. ``docs/ips-connect.rst`` says where this server is
stricter.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from integration_server.builtin.ips_connect.keys import KeyRule


class Status(enum.Enum):
    """Every status of version 4. ``VALIDATING`` is a ``connect_status`` alone."""

    SUCCESS = "SUCCESS"
    BAD_KEY = "BAD_KEY"
    INVALID_ACTION = "INVALID_ACTION"
    REQUEST_MISSING_DATA = "REQUEST_MISSING_DATA"
    ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND"
    WRONG_AUTH = "WRONG_AUTH"
    EMAIL_IN_USE = "EMAIL_IN_USE"
    USERNAME_IN_USE = "USERNAME_IN_USE"
    FAILURE = "FAILURE"
    DISABLED = "DISABLED"
    VALIDATING = "VALIDATING"


class IdType(enum.Enum):
    """What the ``id`` of ``fetchSalt``, ``login`` and ``fetchId`` is."""

    NAME = "1"
    EMAIL = "2"
    EITHER = "3"


#: Column names, which the reference takes in some places, count everywhere.
ID_TYPES: Mapping[str, IdType] = MappingProxyType(
    {**{one.value: one for one in IdType}, "name": IdType.NAME, "email": IdType.EMAIL}
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """``limit`` is the longest value that is taken, in characters. ``names`` are how callers spell it, the right one
    first. ``is_trimmed``: blanks around it are no part of it."""

    names: tuple[str, ...]
    limit: int = 255
    is_trimmed: bool = False

    @property
    def name(self) -> str:
        return self.names[0]


@dataclass(frozen=True, slots=True)
class Method:
    """``required`` are parameters that must not be empty, ``missing`` is what is answered where one is.

    ``is_browser``: the user's browser comes, and gets redirects and pages instead of JSON. ``is_pushed``: a master
    passes it on to its slaves.
    """

    name: str
    key_rule: KeyRule
    parameters: tuple[Parameter, ...]
    required: tuple[str, ...] = ()
    missing: Status = Status.REQUEST_MISSING_DATA
    is_browser: bool = False
    is_pushed: bool = False


_URL_LIMIT = 2048
#: A chain's way back holds a whole URL within a URL, percent-encoded once more at each hop.
_CHAIN_LIMIT = 16_384

#: A user name or an address, or a number. Never trimmed: the key is made of it.
_ID = Parameter(("id",), 320)
_ID_TYPE = Parameter(("idType",), 16)
_URL = Parameter(("url",), _URL_LIMIT)
_NAME = Parameter(("name",), 255, is_trimmed=True)
_EMAIL = Parameter(("email",), 320, is_trimmed=True)
_HASH = Parameter(("pass_hash",))
_SALT = Parameter(("pass_salt",))
_SLAVE_CALL = Parameter(("slaveCall",), 16)
#: What every method may carry. The key is read apart.
_COMMON = (_URL, _SLAVE_CALL)
_CHAIN = (
    _ID,
    Parameter(("returnTo",), _CHAIN_LIMIT),
    Parameter(("origReturn",), _CHAIN_LIMIT),
    Parameter(("slaveReturn",), 16),
    Parameter(("start",), 16),
    # What a chain of ours carries instead of the last three.
    Parameter(("state",), _CHAIN_LIMIT),
    *_COMMON,
)

_ALL = (
    Method(
        "verifySettings",
        KeyRule.RAW,
        (*_COMMON, Parameter(("ourKey",))),
        required=("url", "ourKey"),
        missing=Status.FAILURE,
    ),
    Method("disableSlave", KeyRule.RAW, _COMMON),
    Method("fetchSalt", KeyRule.OF_ID, (_ID, _ID_TYPE, *_COMMON), required=("id", "idType")),
    Method("login", KeyRule.OF_ID, (_ID, _ID_TYPE, Parameter(("password",)), *_COMMON), required=("id", "idType")),
    Method("fetchId", KeyRule.OF_ID, (_ID, _ID_TYPE, *_COMMON), required=("id", "idType")),
    Method("crossLogin", KeyRule.OF_ID, _CHAIN, required=("id",), is_browser=True),
    Method("logout", KeyRule.OF_ID, _CHAIN, required=("id",), is_browser=True),
    Method(
        # The raw key, also where a master's push carries an id.
        "register",
        KeyRule.RAW,
        (_ID, _NAME, _EMAIL, _HASH, _SALT, Parameter(("revalidateUrl",), _URL_LIMIT), *_COMMON),
        required=("name", "email", "pass_hash", "pass_salt"),
        is_pushed=True,
    ),
    Method("validate", KeyRule.OF_ID, (_ID, *_COMMON), is_pushed=True),
    Method("delete", KeyRule.OF_ID, (_ID, *_COMMON), is_pushed=True),
    Method("ban", KeyRule.OF_ID, (_ID, Parameter(("status",), 16), *_COMMON), is_pushed=True),
    # A client in wide use says "remote".
    Method("merge", KeyRule.OF_ID, (_ID, Parameter(("remove", "remote")), *_COMMON), is_pushed=True),
    Method("checkEmail", KeyRule.RAW, (_EMAIL, *_COMMON)),
    Method("checkName", KeyRule.RAW, (_NAME, *_COMMON)),
    Method("changeEmail", KeyRule.OF_ID, (_ID, _EMAIL, *_COMMON), required=("email",), is_pushed=True),
    Method(
        "changePassword",
        KeyRule.OF_ID,
        (_ID, _HASH, _SALT, *_COMMON),
        required=("pass_hash", "pass_salt"),
        is_pushed=True,
    ),
    Method("changeName", KeyRule.OF_ID, (_ID, _NAME, *_COMMON), required=("name",), is_pushed=True),
)

#: By name in lower case: PHP does not tell cases apart.
METHODS: Mapping[str, Method] = MappingProxyType({method.name.lower(): method for method in _ALL})
