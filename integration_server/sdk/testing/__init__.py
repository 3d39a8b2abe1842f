"""Conformance suites for backends and consumers: what the server relies on, as tests that any plugin can run.

In a plugin's own tests::

    class TestMyBackend(AuthenticatorConformance, BackendConformance):
        backend_class = MyBackend

        @pytest.fixture
        def table(self, server):            # what an admin writes under [backends.test]
            return {"type": "mine", "url": server.url}

        @pytest.fixture
        def population(self):               # everybody who is there, with their password where it is known
            return {"ann": "Tr0ub4dor", "bob": None}

        @pytest.fixture
        def outages(self, server):          # ways to break it: a name, and what returns a context manager
            return [Outage("refused", server.stopped), Outage("frozen", server.frozen)]

A backend with a ChangeFeed takes ``ChangeFeedConformance`` as well, with a fixture ``edits`` that changes people at the
source, and says in class variables what its feed can tell.

A backend with groups takes ``GroupReaderConformance`` and ``MembershipWriterConformance``, one that makes people
``AccountWriterConformance``; they have fixtures of their own::

    class TestMyGroups(GroupReaderConformance, MembershipWriterConformance, AccountWriterConformance):
        ...                                 # as above: on people whom a test may change

        @pytest.fixture
        def group_ids(self):                # every group that is there, one of them without members
            return ["staff", "chess"]

        @pytest.fixture
        def unproved(self):                 # people with an unverified address: ann has a preferred one, bob none
            return {"ann": "new@example.org", "bob": "bob@example.org"}

        @pytest.fixture
        def read_only_table(self, table):   # the same with settings that allow no writing
            return {**table, "is_writable": False}

A consumer::

    class TestMyConsumer(ConsumerConformance):
        consumer_class = MyConsumer

        @pytest.fixture
        def table(self, receiver):          # what an admin writes under [subscriptions.test]
            return {"type": "mine", "url": receiver.url}

        @pytest.fixture
        def outages(self, receiver):
            return [Outage("stopped", receiver.stopped)]

The suites break the backend, or the receiver, on purpose, because one rule stands above all others: an outage never
comes out as an answer. pytest is needed to import this package; the server does not import it.
"""

from integration_server.sdk.testing.accounts import AccountWriterConformance
from integration_server.sdk.testing.authenticators import AuthenticatorConformance
from integration_server.sdk.testing.backends import BackendConformance
from integration_server.sdk.testing.consumers import ConsumerConformance, sample_events
from integration_server.sdk.testing.feeds import ChangeFeedConformance, Edits
from integration_server.sdk.testing.groups import GroupReaderConformance
from integration_server.sdk.testing.harness import (
    HOSTILE_NAMES,
    hostile_names,
    in_threads,
    list_users,
    open_backend,
    open_mapper,
    resolve,
    within,
)
from integration_server.sdk.testing.memberships import MembershipWriterConformance
from integration_server.sdk.testing.suite import Outage

__all__ = [
    "HOSTILE_NAMES",
    "AccountWriterConformance",
    "AuthenticatorConformance",
    "BackendConformance",
    "ChangeFeedConformance",
    "ConsumerConformance",
    "Edits",
    "GroupReaderConformance",
    "MembershipWriterConformance",
    "Outage",
    "hostile_names",
    "in_threads",
    "list_users",
    "open_backend",
    "open_mapper",
    "resolve",
    "sample_events",
    "within",
]
