"""A private PostgreSQL server, without fsync."""

from __future__ import annotations

import glob
import itertools
import signal
from pathlib import Path

import psycopg

from tests.servers.server import Server, program

_PACKAGE = "the package postgresql"


class PostgreSql(Server):
    """Connections take a password (SCRAM), so that a wrong one is refused as at a customer's."""

    run_as = "postgres"
    # SIGINT: "fast", which does not wait for clients. SIGQUIT: at once, and yet without leaving children behind.
    stop_signal = signal.SIGINT
    end_signal = signal.SIGQUIT
    user = "integration"
    password = "a-secret"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of a database that all tests share; see create_database()."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql+psycopg://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, like: str = "") -> str:
        """The URL of a new database: an empty one, or a copy of that with the URL ``like``, which nobody uses."""
        name = f"test_{next(self._numbers)}"
        template = f" TEMPLATE {like.rpartition('/')[2]}" if like else ""
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name}{template}".encode())
        return self.url_of(name)

    def prepare(self) -> None:
        password_file = self.directory / "password"
        password_file.write_text(self.password, encoding="ascii")
        password_file.chmod(0o644)
        initdb = [tool("initdb"), "--pgdata=data", f"--username={self.user}", "--auth=scram-sha-256"]
        self.run([*initdb, "--pwfile=password", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            # The path of a socket holds 107 bytes at most, and nobody needs one here.
            "unix_socket_directories": "",
            # Nothing waits for the disk, but what was committed outlives the server: some tests kill it.
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
            "max_connections": "100",
            "autovacuum": "off",
        }
        return [tool("postgres"), "-D", "data", *(f"--{name}={value}" for name, value in settings.items())]

    def is_ready(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=self.password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )


def tool(name: str) -> str:
    """Debian keeps the server's programs outside PATH, by version; the newest counts."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]), reverse=True)
    return program(name, package=_PACKAGE, folders=folders)
