"""The change feed of OpenLDAP: syncrepl, by refreshes and by a search that is held."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from integration_server.builtin.ldap import LdapBackend
from integration_server.sdk.testing import ChangeFeedConformance, Outage
from tests.builtin.ldap.opened import Opened
from tests.builtin.ldap.slapd_edits import LdapEdits
from tests.servers import PEOPLE, Slapd

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]

SESSION_LOG = "syncprov-sessionlog 1000\n"
#: The log of deletions of a database of its own, which outlives restarts.
ACCESS_LOG = """\
syncprov-sessionlog-source cn=log
overlay accesslog
logdb cn=log
logops writes
logsuccess TRUE
"""
ACCESS_LOG_DATABASE = """\
moduleload accesslog
database mdb
suffix cn=log
rootdn cn=log
directory "{directory}"
index objectClass,entryCSN,reqStart,reqDN,reqResult eq
"""


class Syncrepl(ChangeFeedConformance):
    backend_class = LdapBackend
    outage_seconds = 0.4
    mode: ClassVar[str] = "refreshOnly"

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return {person.uid: None for person in PEOPLE}

    @pytest.fixture
    def server(self, new_slapd: NewSlapd) -> Slapd:
        return new_slapd(database_lines=SESSION_LOG)

    @pytest.fixture
    def edits(self, server: Slapd) -> LdapEdits:
        return LdapEdits(server)

    @pytest.fixture
    def table(self, server: Slapd) -> dict[str, Any]:
        return {
            "type": "ldap",
            "servers": [server.uri],
            "bind_dn": Slapd.reader_dn,
            "bind_password": Slapd.reader_password,
            "bases": [Slapd.people],
            "page_size": 7,
            "change_feed": "syncrepl",
            "syncrepl_mode": self.mode,
        }

    @pytest.fixture
    def outages(self, server: Slapd) -> Sequence[Outage]:
        return [Outage("stopped", server.stopped), Outage("frozen", server.frozen)]


class TestRefreshOnly(Syncrepl):
    pass


class TestRefreshAndPersist(Syncrepl):
    mode = "refreshAndPersist"
