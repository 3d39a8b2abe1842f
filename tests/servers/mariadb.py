"""A private MariaDB server."""

from __future__ import annotations

import getpass
import itertools
from pathlib import Path
from typing import Any

import pymysql

from tests.servers.server import Server, program

_PACKAGE = "the package mariadb-server"


class MariaDb(Server):
    """The account may do everything and logs in from loopback with a password."""

    user = "integration"
    password = "a-secret"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of a database that all tests share; see create_database()."""
        return self.url_of("shared")

    def url_of(self, database: str) -> str:
        return f"mysql+pymysql://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}?charset=utf8mb4"

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        return self.url_of(name)

    def prepare(self) -> None:
        account = f"'{self.user}'@'%'"
        statements = (
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {account} WITH GRANT OPTION;\n"
            "CREATE DATABASE IF NOT EXISTS shared;\n"
        )
        (self.directory / "accounts.sql").write_text(statements, encoding="ascii")
        install = program("mariadb-install-db", package=_PACKAGE)
        # Relative paths: the script does not quote all of its own.
        self.run([install, "--no-defaults", "--datadir=./data", "--skip-test-db", f"--user={getpass.getuser()}"])

    def command(self) -> list[str]:
        return [
            program("mariadbd", package=_PACKAGE),
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={self.directory / 'data'}",
            f"--init-file={self.directory / 'accounts.sql'}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            # Relative to the data folder: the path of a socket holds 107 bytes at most.
            "--socket=mariadb.sock",
            "--pid-file=mariadb.pid",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--character-set-server=utf8mb4",
            "--performance-schema=off",
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=8M",
            "--innodb-flush-log-at-trx-commit=2",
            "--max-connections=100",
        ]

    def is_ready(self) -> bool:
        try:
            self._connect().close()
        except pymysql.err.OperationalError:
            return False
        return True

    def _connect(self) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=self.password,
            autocommit=True,
            connect_timeout=5,
            # For TLS, the authorities of the system would be read each time.
            ssl_disabled=True,
        )
