"""The one import of plugin authors: everything a backend, a frontend or a hook needs.

The conformance suites for their tests are in ``integration_server.sdk.testing``.
"""

from integration_server.sdk import values
from integration_server.sdk.answers import HttpAnswer
from integration_server.sdk.consumers import Consumer, ConsumerContext, Delivery, Receipt, Signing, Verifiable
from integration_server.sdk.contracts import (
    Authenticator,
    Backend,
    BackendContext,
    ChangeFeed,
    Changes,
    Finding,
    Frontend,
    Gateway,
    ListEncoder,
    OutboxScript,
)
from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.envelopes import batch_envelope, envelope
from integration_server.sdk.errors import (
    AddressRefused,
    AmbiguousEntry,
    BackendError,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    BadEntry,
    Busy,
    CallerRefused,
    ComparisonNeeded,
    ConfigError,
    ConsumerGone,
    ConsumerUnavailable,
    DeliveryError,
    DeliveryFailed,
    DeliveryRefused,
    DirectoryUnavailable,
    IncompleteListing,
    IntegrationError,
    ListingHeld,
    StoreUnavailable,
    Throttled,
)
from integration_server.sdk.events import Event, ping_event
from integration_server.sdk.headers import check_header
from integration_server.sdk.hookspecs import hookimpl
from integration_server.sdk.http import HttpClient
from integration_server.sdk.model import (
    HIDDEN,
    AccountState,
    Batch,
    Email,
    Entry,
    Hidden,
    Lookup,
    User,
    Verdict,
    normalize_name,
)
from integration_server.sdk.overlap import Overlap
from integration_server.sdk.page import Singles, UserPage
from integration_server.sdk.passwords import PasswordChecker, UnknownScheme
from integration_server.sdk.settings import (
    BackendSettings,
    ConsumerSettings,
    FieldRule,
    FilterSettings,
    FrontendSettings,
    MapSettings,
    Secret,
    Settings,
    SyncSettings,
    Texts,
)
from integration_server.sdk.urls import masked_url, parse_url

__version__ = "0.1.0"

__all__ = [
    "HIDDEN",
    "AccountState",
    "AddressRefused",
    "AmbiguousEntry",
    "Authenticator",
    "Backend",
    "BackendContext",
    "BackendError",
    "BackendMisconfigured",
    "BackendSettings",
    "BackendTimeout",
    "BackendUnavailable",
    "BadEntry",
    "Batch",
    "Busy",
    "CallerRefused",
    "ChangeFeed",
    "Changes",
    "ComparisonNeeded",
    "ConfigError",
    "Consumer",
    "ConsumerContext",
    "ConsumerGone",
    "ConsumerSettings",
    "ConsumerUnavailable",
    "Deadline",
    "Delivery",
    "DeliveryError",
    "DeliveryFailed",
    "DeliveryRefused",
    "DirectoryUnavailable",
    "Email",
    "Entry",
    "Event",
    "FieldRule",
    "FilterSettings",
    "Finding",
    "Frontend",
    "FrontendSettings",
    "Gateway",
    "Hidden",
    "HttpAnswer",
    "HttpClient",
    "IncompleteListing",
    "IntegrationError",
    "ListEncoder",
    "ListingHeld",
    "Lookup",
    "MapSettings",
    "OutboxScript",
    "Overlap",
    "PasswordChecker",
    "Receipt",
    "Secret",
    "Settings",
    "Signing",
    "Singles",
    "StoreUnavailable",
    "SyncSettings",
    "Texts",
    "Throttled",
    "UnknownScheme",
    "User",
    "UserPage",
    "Verdict",
    "Verifiable",
    "Watchdog",
    "batch_envelope",
    "check_header",
    "envelope",
    "hookimpl",
    "masked_url",
    "normalize_name",
    "parse_url",
    "ping_event",
    "values",
]
