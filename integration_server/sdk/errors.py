"""The one tree of errors.

::

    IntegrationError
    ├── ConfigError              a setting, file or plugin is wrong: the server does not start
    ├── BackendError             a backend gave no answer; never to be read as "no" or "nobody"
    │   ├── BackendUnavailable   it could not be asked; may heal by itself (counted by the breaker)
    │   │   ├── BackendTimeout       it did not answer in time
    │   │   └── IncompleteListing    it answered, but cannot prove that it gave everything
    │   ├── BackendMisconfigured it was asked wrongly (bad statement, unknown column, bind refused)
    │   ├── WriteRefused         nothing was written, and trying again makes no sense
    │   │   ├── ReadOnlyBackend      the settings allow no such write
    │   │   ├── UnknownGroup         there is no such group
    │   │   └── UnwritableValue      a value is nothing that it can hold
    │   ├── ComparisonNeeded     a change feed cannot say what changed since; compare everybody
    │   ├── AmbiguousEntry       two entries answer to one name
    │   └── BadEntry             one entry cannot be read (no id, a broken value, an unknown hash)
    ├── StoreUnavailable         our own database cannot be used
    ├── DirectoryUnavailable     nobody accepted, and somebody could not be asked
    ├── ListingHeld              the guard holds a list that would lose too many people
    ├── Throttled                too many wrong passwords for this name from this caller
    ├── Busy                     too many callers wait already
    ├── DeliveryError            an event was not taken by its receiver
    │   ├── DeliveryFailed       this time; it may work later
    │   │   ├── DeliveryBlocked      something stands in this event's way; the receiver is well
    │   │   └── ConsumerUnavailable  the receiver as a whole is down or asks for a rest
    │   │       └── ReceiverUnreachable  there was no connection to it: nothing was sent
    │   │           └── AddressRefused       its address is not one that we may connect to
    │   ├── DeliveryRefused      it never will be: trying again makes no sense
    │   └── ConsumerGone         the receiver wants nothing more: the subscription ends
    └── CallerRefused            the caller itself (not the person it asks about) is turned away

The docstring of each class is its default message.
"""

from __future__ import annotations

from dataclasses import dataclass


class IntegrationError(Exception):
    """Something went wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").split("\n", 1)[0])


class ConfigError(IntegrationError):
    """The configuration is wrong."""


class BackendError(IntegrationError):
    """The backend gave no answer."""


class BackendUnavailable(BackendError):
    """The backend could not be asked."""


class BackendTimeout(BackendUnavailable):
    """The backend did not answer in time."""


class IncompleteListing(BackendUnavailable):
    """The backend did not give everything."""


class BackendMisconfigured(BackendError):
    """The backend refuses the way in which it is asked."""


class WriteRefused(BackendError):
    """The backend does not take what was to be written, however often it is tried."""


class ReadOnlyBackend(WriteRefused):
    """The backend is not set up for writing."""


class UnknownGroup(WriteRefused):
    """There is no such group."""


class UnwritableValue(WriteRefused):
    """The backend cannot hold a value."""


class AmbiguousEntry(BackendError):
    """Two entries answer to one name."""


class BadEntry(BackendError):
    """An entry cannot be read."""


class StoreUnavailable(IntegrationError):
    """The server's own store cannot be used."""


class ComparisonNeeded(BackendError):
    """The change feed cannot say what changed since; everybody must be compared."""


class DirectoryUnavailable(IntegrationError):
    """A directory that may know this person could not be asked."""


class ListingHeld(IntegrationError):
    """The list would lose too many people and waits for a person's yes."""


class Throttled(IntegrationError):
    """Too many wrong passwords for this name from this caller; for a while even the right one is refused."""


class Busy(IntegrationError):
    """Too many callers wait already; try again in a moment."""


class DeliveryError(IntegrationError):
    """The receiver did not take an event.

    ``status`` is the HTTP status of its answer, ``response`` the beginning of that answer, both for people to read.
    """

    def __init__(self, message: str = "", status: int | None = None, response: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.response = response


class DeliveryFailed(DeliveryError):
    """The receiver did not take the event this time. ``retry_after`` is in seconds, where the receiver named it."""

    def __init__(
        self,
        message: str = "",
        status: int | None = None,
        response: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status, response)
        self.retry_after = retry_after


class DeliveryBlocked(DeliveryFailed):
    """Something stands in the event's way; the receiver is well.

    However many events of different people are blocked, the receiver is not left alone because of them.
    """


class ConsumerUnavailable(DeliveryFailed):
    """The receiver cannot be reached, or asks for a rest."""


class ReceiverUnreachable(ConsumerUnavailable):
    """The receiver cannot be connected to; nothing was sent to it."""


class AddressRefused(ReceiverUnreachable):
    """The receiver's address is not one that deliveries may go to.

    No event is at fault, so none is given up over it: it heals once the name leads elsewhere or the setting is changed.
    """


class DeliveryRefused(DeliveryError):
    """The receiver will never take this event."""


class ConsumerGone(DeliveryError):
    """The receiver wants no more events."""


@dataclass
class CallerRefused(IntegrationError):
    """The caller is turned away.

    ``status`` is the HTTP status, ``challenge`` the value of WWW-Authenticate where one is due (RFC 7235 §4.1).
    """

    status: int
    message: str
    challenge: str | None = None

    def __post_init__(self) -> None:
        super().__init__(self.message)
