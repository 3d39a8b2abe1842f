from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.builtin.sql.people_database import PeopleDatabase
from tests.servers import MariaDb, PostgreSql


@pytest.fixture(scope="session")
def _sqlite_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each test gets a copy of."""
    path = tmp_path_factory.mktemp("sample") / "people.db"
    PeopleDatabase(f"sqlite:///{path}").create()
    return path


@pytest.fixture(scope="session")
def _postgresql_sample(postgresql: PostgreSql) -> PeopleDatabase:
    """What each test gets a copy of."""
    database = PeopleDatabase(postgresql.create_database())
    database.create()
    return database


@pytest.fixture
def sqlite_database(_sqlite_sample: Path, tmp_path: Path) -> PeopleDatabase:
    """A file with the sample people."""
    shutil.copy(_sqlite_sample, tmp_path / "people.db")
    return PeopleDatabase(f"sqlite:///{tmp_path / 'people.db'}")


@pytest.fixture
def postgresql_database(postgresql: PostgreSql, _postgresql_sample: PeopleDatabase) -> PeopleDatabase:
    """A database with the sample people, for one test alone."""
    return PeopleDatabase(postgresql.create_database(like=_postgresql_sample.url))


@pytest.fixture
def mariadb_database(mariadb: MariaDb) -> PeopleDatabase:
    database = PeopleDatabase(mariadb.create_database())
    database.create()
    return database


@pytest.fixture(scope="session")
def postgresql_people(postgresql: PostgreSql, _postgresql_sample: PeopleDatabase) -> PeopleDatabase:
    """A database with the sample people that many tests read; whoever changes it puts it back."""
    return PeopleDatabase(postgresql.create_database(like=_postgresql_sample.url))


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
