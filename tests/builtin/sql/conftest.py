from __future__ import annotations

from pathlib import Path

import pytest

from tests.builtin.sql.people_database import PeopleDatabase
from tests.servers import MariaDb, PostgreSql


@pytest.fixture
def sqlite_database(tmp_path: Path) -> PeopleDatabase:
    """A file with the sample people."""
    database = PeopleDatabase(f"sqlite:///{tmp_path / 'people.db'}")
    database.create()
    return database


@pytest.fixture
def postgresql_database(postgresql: PostgreSql) -> PeopleDatabase:
    """A database with the sample people, for one test alone."""
    database = PeopleDatabase(postgresql.create_database())
    database.create()
    return database


@pytest.fixture
def mariadb_database(mariadb: MariaDb) -> PeopleDatabase:
    database = PeopleDatabase(mariadb.create_database())
    database.create()
    return database


@pytest.fixture(scope="session")
def postgresql_people(postgresql: PostgreSql) -> PeopleDatabase:
    """A database with the sample people that many tests read; whoever changes it puts it back."""
    database = PeopleDatabase(postgresql.create_database())
    database.create()
    return database


@pytest.fixture(scope="session")
def mariadb_people(mariadb: MariaDb) -> PeopleDatabase:
    database = PeopleDatabase(mariadb.create_database())
    database.create()
    return database


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> PeopleDatabase:
    """Each kind of database in turn, for one test alone."""
    found: PeopleDatabase = request.getfixturevalue(f"{request.param}_database")
    return found


@pytest.fixture(params=["sqlite_database", "postgresql_people", "mariadb_people"])
def people(request: pytest.FixtureRequest) -> PeopleDatabase:
    """Each kind of database in turn, to be read only."""
    found: PeopleDatabase = request.getfixturevalue(request.param)
    return found
