"""Real servers for the suite: private ones, each in its own folder, on free loopback ports; they end with the run."""

from tests.servers.mariadb import MariaDb
from tests.servers.people import PEOPLE, Person
from tests.servers.postgresql import PostgreSql
from tests.servers.samba import Samba
from tests.servers.server import Server, ServerFailed
from tests.servers.slapd import Slapd, SlapdOptions

__all__ = ["PEOPLE", "MariaDb", "Person", "PostgreSql", "Samba", "Server", "ServerFailed", "Slapd", "SlapdOptions"]
