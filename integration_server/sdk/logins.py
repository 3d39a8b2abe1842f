"""What a backend may know of logins beside passwords: other names of people, and what keeps them out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from integration_server.sdk.deadline import Deadline
from integration_server.sdk.model import Entry, Lookup


class LoginNames(ABC):
    """A backend whose people log in by other names, too, than the one under which each of them is listed."""

    @abstractmethod
    def login_lookups(self, username: str, deadline: Deadline) -> Sequence[Lookup]:
        """Where to look for whoever means themselves by this name, in this order; nothing where it has no such form.

        Asked only for names under which nobody is listed in any backend of the mount. ``username`` is untrusted text.
        The first entry that is found counts; a lookup that several entries match (AmbiguousEntry) names nobody.
        Raises BackendError where the backend must be asked for it and could not be.
        """


class AccountNotes(ABC):
    """A backend that knows more of an account than lists show, such as that it is locked for a while."""

    @abstractmethod
    def account_notes(self, entry: Entry, deadline: Deadline) -> Sequence[str]:
        """What keeps whoever ``find`` gave from logging in although they are listed, for people to read.

        Raises BackendError."""
