"""Directories of every kind, small and real, and what may befall each."""

from tests.faults.directories.accounts import AccountsDirectory
from tests.faults.directories.csv_file import CsvDirectory
from tests.faults.directories.directory import Directory
from tests.faults.directories.ips_connect import MasterDirectory
from tests.faults.directories.ldap import LdapDirectory, SambaDirectory
from tests.faults.directories.sql import MariaDbDirectory, PostgreSqlDirectory, SqliteDirectory

__all__ = [
    "AccountsDirectory",
    "CsvDirectory",
    "Directory",
    "LdapDirectory",
    "MariaDbDirectory",
    "MasterDirectory",
    "PostgreSqlDirectory",
    "SambaDirectory",
    "SqliteDirectory",
]
