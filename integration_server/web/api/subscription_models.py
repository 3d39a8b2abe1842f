"""What requests about subscriptions hold, and how a subscription is shown."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from integration_server.sdk.envelopes import rfc3339
from integration_server.sdk.urls import MASK, masked_url
from integration_server.store.subscriptions import Subscription
from integration_server.web.api.model import (
    WHOLE,
    Cursor,
    CursorParameter,
    Instant,
    Limit,
    Line,
    Model,
    Moment,
    Query,
    Serial,
    moment_or_none,
)
from integration_server.web.api.receivers import outward
from integration_server.web.api.resources import AnyResource, Everything, OneBackend, OneGroup

EventPattern = Literal[
    "*",
    "user.*",
    "membership.*",
    "user.created",
    "user.updated",
    "user.deleted",
    "user.snapshot",
    "membership.added",
    "membership.removed",
]
_ALL_EVENTS: list[EventPattern] = ["*"]


def _web_url(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("must begin with https:// or http://")
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("must not hold white space or control characters")
    return url


Url = Annotated[
    str,
    StringConstraints(min_length=8, max_length=2_000),
    AfterValidator(_web_url),
    Field(
        description="where events are sent; a key in its query is sent as it is, and shown as asterisks",
        # What the validator says in words.
        json_schema_extra={"pattern": r"^https?://[^\x00-\x20\x7f]+$"},
    ),
]
HeaderName = Annotated[str, StringConstraints(max_length=100, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
HeaderValue = Annotated[str, StringConstraints(max_length=4_000, pattern=r"^[\t\x20-\x7e\xa0-\xff]*$")]
Headers = Annotated[
    dict[HeaderName, HeaderValue],
    Field(
        max_length=32,
        description="sent with each request; shown as asterisks afterwards",
        # Pydantic says what names that fit lead to, and not that others do not fit.
        json_schema_extra={"additionalProperties": False, "propertyNames": {"maxLength": 100}},
    ),
]
Uid = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Field(description="your own name for it; a second one of the same name is refused"),
]
Events = Annotated[list[EventPattern], Field(min_length=1, max_length=20, description="which types of events")]
BatchSize = Annotated[int, Field(ge=1, le=1_000, description="events in one request, at most"), WHOLE]
Rate = Annotated[float, Field(ge=0.001, le=10_000, description="requests a second, at most")]
Coalesce = Annotated[bool, Field(description="several waiting updates of one person are sent as one")]
Active = Annotated[bool, Field(description="false = nothing is sent; what happens meanwhile waits")]
Resource = Annotated[
    AnyResource, Field(description="whose changes; the only one that the token may see, or everything")
]


class SubscriptionSettings(Model):
    """Everything about a subscription that may be changed."""

    url: Url
    headers: Headers = Field(default={})
    resource: Resource | None = None
    events: Events = _ALL_EVENTS
    uid: Uid | None = None
    batch_size: BatchSize = 1
    rate_per_second: Rate | None = None
    coalesce: Coalesce = False
    active: Active = True


class NewSubscription(SubscriptionSettings):
    """A subscription to be made."""

    type: Line = Field(default="webhook", description="the kind of receiver")
    start: Serial | Literal["snapshot"] | None = Field(
        default=None,
        alias="from",
        description="begin after this serial, or with everybody as they are now; with what happens from now on when "
        "left out",
    )
    verify_intent: bool = Field(
        default=False,
        description="ask the receiver first, by a POST with the header X-Hook-Secret, which it must send back",
    )


def _without_defaults(schema: dict[str, Any]) -> None:
    """What may be left out is not null when it is."""
    for member in schema["properties"].values():
        member.pop("default", None)


class SubscriptionPatch(Model):
    """What shall change; all else stays. Only members in ``model_fields_set`` mean anything."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    url: Url = Field(default="")
    headers: Headers = Field(default={})
    resource: Resource = Field(default=Everything(kind="all"))
    events: Events = Field(default=[])
    uid: Uid | None = Field(default=None)
    batch_size: BatchSize = Field(default=1)
    rate_per_second: Rate | None = Field(default=None)
    coalesce: Coalesce = Field(default=False)
    active: Active = Field(default=True)


class SubscriptionShown(Model):
    """A subscription."""

    id: str
    uid: str | None
    type: str
    url: str | None = Field(description="the values in its query as asterisks")
    headers: dict[str, str] = Field(description="the values as asterisks")
    resource: AnyResource
    events: list[str]
    batch_size: int
    rate_per_second: float | None
    coalesce: bool
    active: bool
    state: Literal["ok", "resting", "quarantined", "ended"] = Field(
        description="resting: the receiver is down and probed now and then; quarantined: for long; "
        "ended: it wants no more"
    )
    state_reason: str | None
    failing_since: Moment | None
    serial: Serial = Field(
        description="every event up to here was delivered, or is on the list of deliveries; of a channel, what its "
        "holder acknowledged"
    )
    version: Serial | None = Field(
        description="of a channel: the serial of the latest event that touches its resource, which its holder is told"
    )
    is_replaying: bool = Field(description="everybody is being sent as they are now")
    created_at: Moment
    changed_at: Moment


class SubscriptionCreated(SubscriptionShown):
    """A new subscription."""

    secret: str | None = Field(description="to verify signatures with; shown this once")


class SubscriptionPage(Model):
    """A page of subscriptions."""

    subscriptions: list[SubscriptionShown]
    cursor: Cursor


class SubscriptionQuery(Query):
    """Which subscriptions."""

    uid: Annotated[Uid | None, Field(default=None, description="only the one with this uid")] = None
    cursor: CursorParameter = None
    limit: Limit = 100


class TestResult(Model):
    """What became of a test event. The receiver's own words are not told."""

    delivered: bool
    status: int | None = Field(description="the HTTP status of its answer")
    error: str | None


class RotatedSecret(Model):
    """The new secret."""

    secret: str = Field(description="to verify signatures with; shown this once")
    previous_until: Moment = Field(description="until then requests are signed with the one before, too")


class ReplayFromSerial(Model):
    """Everything after a serial, again."""

    start: Serial = Field(alias="from")


class ReplaySince(Model):
    """Everything noticed at this time or later, again."""

    since: Instant


def _true(value: bool) -> bool:
    # Literal[True] would take 1, too.
    if not value:
        raise ValueError("must be true")
    return value


class ReplaySnapshot(Model):
    """Everybody as they are now."""

    snapshot: Annotated[bool, AfterValidator(_true), WithJsonSchema({"const": True})]


class ReplayAccepted(Model):
    """A replay that has begun."""

    serial: Serial = Field(description="deliveries go on after this one")


def shown(subscription: Subscription, version: int | None = None) -> SubscriptionShown:
    """As its owner may see it: without secrets. ``version`` is that of a bound channel."""
    return SubscriptionShown(
        id=subscription.id,
        uid=subscription.uid,
        type=subscription.type,
        url=_masked(subscription.settings.get("url")),
        headers=dict.fromkeys(subscription.settings.get("headers", {}), MASK),
        resource=model_of(subscription),
        events=list(subscription.events),
        batch_size=subscription.batch_size,
        rate_per_second=subscription.rate_per_second,
        coalesce=subscription.is_coalescing,
        active=subscription.is_active,
        state=subscription.state,  # type: ignore[arg-type]
        state_reason=subscription.state_reason and outward(subscription.state_reason),
        failing_since=moment_or_none(subscription.failing_since),
        serial=subscription.cursor,
        version=version,
        is_replaying=subscription.replay_serial is not None,
        created_at=rfc3339(subscription.created_at),
        changed_at=rfc3339(subscription.changed_at),
    )


def model_of(subscription: Subscription) -> Everything | OneBackend | OneGroup:
    resource = subscription.resource
    if resource.kind == "all":
        return Everything(kind="all")
    if resource.kind == "backend":
        return OneBackend(kind="backend", backend=resource.backend or "")
    return OneGroup(kind="group", backend=resource.backend or "", group=resource.group or "")


def _masked(url: object) -> str | None:
    return masked_url(url) if isinstance(url, str) else None
