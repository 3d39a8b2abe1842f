"""The one import of plugin authors: everything a backend, a frontend or a hook needs.

The conformance suites for their tests are in ``integration_server.sdk.testing``.
"""

from integration_server.sdk import values
from integration_server.sdk.contracts import (
    Authenticator,
    Backend,
    BackendContext,
    Finding,
    Frontend,
    Gateway,
    ListEncoder,
)
from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.errors import (
    AmbiguousEntry,
    BackendError,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    BadEntry,
    Busy,
    CallerRefused,
    ConfigError,
    DirectoryUnavailable,
    IncompleteListing,
    IntegrationError,
    ListingHeld,
    StoreUnavailable,
    Throttled,
)
from integration_server.sdk.hookspecs import hookimpl
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
from integration_server.sdk.page import Singles, UserPage
from integration_server.sdk.passwords import PasswordChecker, UnknownScheme
from integration_server.sdk.settings import (
    BackendSettings,
    FieldRule,
    FilterSettings,
    FrontendSettings,
    MapSettings,
    Secret,
    Settings,
    Texts,
)

__version__ = "0.1.0"

__all__ = [
    "HIDDEN",
    "AccountState",
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
    "ConfigError",
    "Deadline",
    "DirectoryUnavailable",
    "Email",
    "Entry",
    "FieldRule",
    "FilterSettings",
    "Finding",
    "Frontend",
    "FrontendSettings",
    "Gateway",
    "Hidden",
    "IncompleteListing",
    "IntegrationError",
    "ListEncoder",
    "ListingHeld",
    "Lookup",
    "MapSettings",
    "PasswordChecker",
    "Secret",
    "Settings",
    "Singles",
    "StoreUnavailable",
    "Texts",
    "Throttled",
    "UnknownScheme",
    "User",
    "UserPage",
    "Verdict",
    "Watchdog",
    "hookimpl",
    "normalize_name",
    "values",
]
