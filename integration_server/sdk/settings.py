"""How a plugin declares its settings: a class is the schema, and a wrong key or type is an error with its path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationInfo


class Settings(BaseModel):
    """Base of every settings class: unknown keys are errors, types are not guessed, values do not change."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, populate_by_name=True, hide_input_in_errors=True, allow_inf_nan=False
    )


def _read_secret(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) == {"env"}:
        found = os.environ.get(str(value["env"]))
        if found is None:
            raise ValueError(f"the environment variable {value['env']} is not set")
        return found
    if set(value) == {"file"}:
        base = (info.context or {}).get("base_dir", Path())
        try:
            return (Path(base) / str(value["file"])).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as exc:
            raise ValueError(f"the secret's file {value['file']} cannot be read: {exc.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"the secret's file {value['file']} cannot be read: it is not UTF-8") from None
    raise ValueError('give text, { env = "NAME" } or { file = "path" }')


def _not_empty(value: SecretStr) -> SecretStr:
    # An empty password is none: a directory takes a bind with it for an anonymous one, which succeeds.
    if not value.get_secret_value():
        raise ValueError("the secret is empty")
    return value


#: A secret: text, ``{ env = "NAME" }`` or ``{ file = "path" }``. Shown as asterisks wherever it is printed.
Secret = Annotated[SecretStr, BeforeValidator(_read_secret), AfterValidator(_not_empty)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


#: One text or a list of texts.
Texts = Annotated[tuple[str, ...], Field(strict=False), BeforeValidator(_as_list)]

OnSuccess = Literal["return", "next"]
OnFailure = Literal["next", "stop"]
OnError = Literal["remember", "stop"]


class FieldRule(Settings):
    """Where one field of a user comes from. In the file, a text or a list of texts is short for ``{ from = ... }``."""

    sources: Texts = Field(alias="from", description="attribute names, or one template such as '{givenName} {sn}'")
    lower: bool = Field(default=False, description="write it in lower case")
    local_part: bool = Field(default=False, description="keep only what stands before the @")
    domain: str | None = Field(
        default=None, description="with local_part: only this domain is cut off, so that logins find back"
    )
    ignore_case: bool = Field(default=False, description="logins find the entry whatever the case they are typed in")
    separator: str | None = Field(default=None, min_length=1, description="split one text into several values")
    smtp_prefixes: bool = Field(
        default=False, description="read SMTP:/smtp: values as Active Directory's proxyAddresses"
    )
    first_found: bool = Field(
        default=False, description="for lists: only the first of the attributes in which there is anything"
    )
    bit: int | None = Field(
        default=None, ge=1, description="true when this bit is set in a number (2 in userAccountControl)"
    )


def _as_rule(value: Any) -> Any:
    if isinstance(value, str | list | tuple):
        return {"from": value}
    if not isinstance(value, dict | FieldRule):
        raise ValueError("must be an attribute's name, a list of names, a template or a table")
    return value


Rule = Annotated[FieldRule, BeforeValidator(_as_rule)]


class MapSettings(Settings):
    """``[backends.NAME.map]``: which attribute of an entry becomes which field of a user."""

    id: Rule | None = Field(
        default=None, description="what never changes for a person; the user name where there is none"
    )
    username: Rule | None = Field(default=None, description="the name people type")
    full_name: Rule | None = Field(default=None, description="the name people are shown by")
    distinguished_name: Rule | None = Field(
        default=None, description="should be made of the id, so that it never changes"
    )
    emails: Rule | None = Field(default=None, description="all addresses, the primary one first")
    preferred_emails: Rule | None = Field(
        default=None, description="those of them to which mail is delivered; the first verified one where not set"
    )
    unverified_emails: Rule | None = Field(
        default=None, description="addresses that nobody has proved to be theirs; they belong to emails, too"
    )
    groups: Rule | None = Field(default=None, description="ids of the groups that the person is in")
    nickname: Rule | None = Field(default=None, description="a short public name")
    biography: Rule | None = Field(default=None, description="a text about the person")
    tz: Rule | None = Field(default=None, description="a time zone, such as Europe/Berlin")
    is_disabled: Rule | None = Field(default=None, description="true (1, yes, on) = may not log in and is not listed")
    is_enabled: Rule | None = Field(default=None, description="the opposite of is_disabled")
    is_locked: Rule | None = Field(
        default=None, description="true = may not log in for now, and is listed all the same"
    )
    is_password_expired: Rule | None = Field(
        default=None, description="true = must change the password before the next login, and is listed all the same"
    )
    expires_at: Rule | None = Field(
        default=None, description="ISO date or time (UTC where it names no zone) or Unix seconds"
    )


class FilterSettings(Settings):
    """Who is in scope, after mapping. All conditions must hold. Patterns are shell patterns and ignore case."""

    include: Texts = Field(default=(), description="user names: at least one pattern must match")
    exclude: Texts = Field(default=(), description="user names: no pattern may match")
    domains: Texts = Field(default=(), description="the user name's or an address's domain must be one of these")
    groups: Texts = Field(default=(), description="must be in at least one of these groups")
    exclude_groups: Texts = Field(default=(), description="must be in none of these groups")
    only_with_email: bool = Field(default=False, description="leave out people without any address")


class SyncGuardSettings(Settings):
    """``[backends.NAME.sync.guard]``: how much one run may take away before it waits for a person's yes.

    Counted apart: people deleted, people disabled, people who lose a group. An empty listing always waits.
    """

    max_percent: float = Field(default=20.0, ge=0, le=100, description="held only when it is more than this share")
    max_count: int = Field(default=10, ge=0, description="held only when it is more than this many and the percentage")
    small_directory: int = Field(default=20, ge=0, description="up to this size, held when it is more than half")


class SyncSettings(Settings):
    """``[backends.NAME.sync]``: with this table, changes of the backend are noticed and forwarded."""

    scan_seconds: float = Field(default=3600.0, ge=1, description="time from one full comparison to the next")
    feed: Literal["auto", "off"] = Field(
        default="auto", description="auto = also ask the backend's change feed, where it has one"
    )
    feed_seconds: float = Field(default=1.0, ge=0.1, description="time from one look at the change feed to the next")
    delete_after_days: float = Field(
        default=0.0, ge=0, description="people who vanish are first disabled, and deleted after this long"
    )
    guard: SyncGuardSettings = Field(
        default=SyncGuardSettings(), description="the brake on runs that take too much away"
    )


class BackendSettings(Settings):
    """What every ``[backends.NAME]`` table knows beside its type's own keys."""

    type: str = Field(description="which kind of backend")
    map: MapSettings = Field(default=MapSettings(), description="which attribute becomes which field of a user")
    filter: FilterSettings = Field(default=FilterSettings(), description="who is in scope wherever the backend is used")
    on_success: OnSuccess = Field(default="return", description="next = a later backend that knows the name decides")
    on_unknown: OnFailure = Field(default="next", description="what follows when the user is not here")
    on_rejected: OnFailure = Field(default="stop", description="what follows a wrong password")
    on_error: OnError = Field(
        default="remember", description="remember = ask the others, but answer 'unavailable' not 'no'"
    )
    domains: Texts = Field(default=(), description="asked only for names of these domains (what follows the @)")
    pattern: str | None = Field(default=None, description="asked only for names that match this regular expression")
    canary: str | None = Field(default=None, description="a user name that must be in every listing, else it is void")
    bad_rows_allowed: int = Field(
        default=0, ge=0, description="entries that may be unreadable before a listing is an error"
    )
    username_index: bool = Field(
        default=False, description="keep an index of listed names, for mappings that cannot be undone"
    )
    auth_seconds: float = Field(default=10.0, gt=0, le=3600, description="time limit for one login at this backend")
    list_seconds: float = Field(
        default=120.0, gt=0, le=86400, description="time limit for one whole listing of this backend"
    )
    breaker_failures: int = Field(
        default=5, ge=1, description="failures in a row after which the backend is left alone"
    )
    breaker_seconds: float = Field(default=15.0, gt=0, description="how long it is left alone before one probe")
    sync: SyncSettings | None = Field(default=None, description="notice changes and forward them")
    keep_memberships: bool = Field(
        default=False,
        description="who is put into its groups or taken out of them is kept in this server's store, not written to it",
    )


class ConsumerSettings(Settings):
    """What every ``[subscriptions.NAME]`` table knows beside its type's own keys."""

    type: str = Field(description="which kind of receiver")
    backend: str | None = Field(default=None, description="only changes in this backend; all when left out")
    group: str | None = Field(
        default=None, description="only memberships of this group of the backend, and people who are or were in it"
    )
    events: Texts = Field(default=("*",), description='types of events, such as "user.*"')
    is_active: bool = Field(default=True, description="false = nothing is sent; what happens meanwhile waits")
    batch_size: int = Field(default=1, ge=1, le=1000, description="events handed over at once, at most")
    rate_per_second: float | None = Field(default=None, ge=0.001, description="requests a second, at most")
    coalesce: bool = Field(default=False, description="several waiting updates of one person are handed over as one")
    quiet_seconds: float = Field(
        default=10.0, ge=0, description="for receivers of a mere signal: sent when nothing changed for so long"
    )
    timeout_seconds: float = Field(default=20.0, gt=0, le=120, description="time limit for one try, all in all")


class FrontendSettings(Settings):
    """What every ``[frontends.NAME]`` table knows beside its type's own keys.

    ``has_own_key``: callers of the protocol show a token or a key, so that no user name need be set.
    ``needs_backends``: there is nothing to it without any.
    """

    has_own_key: ClassVar[bool] = False
    needs_backends: ClassVar[bool] = True

    type: str = Field(description="which protocol is spoken")
    path: str = Field(description="where it is mounted, such as /mailstore")
    backends: Texts = Field(description="names of backends, in the order in which they are asked")
    username: str | None = Field(default=None, description="HTTP Basic user name that the caller must give")
    password: Secret | None = Field(default=None, description="its password")
    password_hash: Secret | None = Field(
        default=None, description="or a hash of it, from 'integration-server hash-password'"
    )
    allow_anonymous: bool = Field(
        default=False, description="answer other machines although no username and password are set"
    )
    demo_password: bool = Field(default=False, description="the password is a published sample: loopback callers only")
    allow_plain_http: bool = Field(
        default=False, description="take passwords over unencrypted HTTP from other machines"
    )
    filter: FilterSettings = Field(default=FilterSettings(), description="who of its backends is in scope here")
    auth_outside_list: bool = Field(
        default=False, description="also log in people whom the filter leaves out of the list"
    )
    list_disabled: bool = Field(default=False, description="also list accounts that are disabled or expired")
    max_age_seconds: float = Field(default=0.0, ge=0, description="a complete list this young is served again")
    on_outage: Literal["error", "last_good"] = Field(
        default="error", description="last_good = serve the last complete list"
    )
    last_good_seconds: float = Field(
        default=86400.0, gt=0, description="with last_good: the oldest list that is served"
    )
    auth_seconds: float = Field(default=20.0, gt=0, le=3600, description="time limit for one login over all backends")
    guard: GuardSettings = Field(
        default_factory=lambda: GuardSettings(), description="the brake on lists that lose too many people"
    )

    def risks(self) -> Sequence[str]:
        """What ``check`` warns of beside what it knows of all frontends; each text begins with the key."""
        return ()


class TokenSettings(FrontendSettings):
    """What frontends know beside that whose callers show a token (``Frontend.has_token``)."""

    has_own_key: ClassVar[bool] = True

    token_source: Literal["store", "groupserver"] = Field(
        default="store", description="where the token is: in this server's store, or in GroupServer's own database"
    )
    token_dsn: Secret | None = Field(
        default=None,
        description='with "groupserver": its database, such as postgres://reader@db.example.org/groupserver',
    )


class GuardSettings(Settings):
    """``[frontends.NAME.guard]``: how many names a list may lose before it waits for a person's yes."""

    max_missing_percent: float = Field(
        default=20.0, ge=0, le=100, description="held only when more than this share of the names is missing"
    )
    max_missing_count: int = Field(
        default=10, ge=0, description="held only when more than this many and the percentage"
    )
    small_list: int = Field(default=20, ge=0, description="a list up to this size is held when it loses more than half")
    reference_hours: float = Field(
        default=24.0, gt=0, description="compared with the largest list released in this time"
    )


FrontendSettings.model_rebuild()
TokenSettings.model_rebuild()
