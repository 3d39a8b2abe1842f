"""Databases that speak TLS under a certificate of their own authority, which can be changed while they run."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from pathlib import Path

from tests.servers.certificates import Authority, Certificate
from tests.servers.mariadb import MariaDb
from tests.servers.postgresql import PostgreSql


class _Certified:
    """The files that a server shows, and others that may take their place."""

    def __init__(self, directory: Path, owner: str | None = None) -> None:
        self._authority = Authority(directory / "tls")
        self._owner = owner

    def create(self) -> Certificate:
        self._authority.create()
        self._kinds = {
            is_expired: self._issued("expired" if is_expired else "good", is_expired) for is_expired in (False, True)
        }
        shown = Certificate(self._authority.directory / "server.pem", self._authority.directory / "server.key")
        self.show(shown, is_expired=False)
        return shown

    def _issued(self, label: str, is_expired: bool) -> Certificate:
        return self._authority.issue(label, is_expired=is_expired)

    def show(self, shown: Certificate, *, is_expired: bool) -> None:
        chosen = self._kinds[is_expired]
        for source, target in ((chosen.certificate, shown.certificate), (chosen.key, shown.key)):
            shutil.copyfile(source, target)
        shown.key.chmod(0o600)
        if self._owner is not None and os.geteuid() == 0:
            os.chown(shown.key, pwd.getpwnam(self._owner).pw_uid, -1)


class TlsPostgreSql(PostgreSql):
    trust = "sslmode=verify-full&sslrootcert={}"

    def prepare(self) -> None:
        super().prepare()
        self._files = _Certified(self.directory, owner=self.run_as)
        self.certificate = self._files.create()

    def command(self) -> list[str]:
        files = [f"--ssl_cert_file={self.certificate.certificate}", f"--ssl_key_file={self.certificate.key}"]
        return [*super().command(), "--ssl=on", *files]

    def show(self, *, is_expired: bool) -> None:
        """Another certificate for new connections."""
        self._files.show(self.certificate, is_expired=is_expired)
        os.kill(self.pids()[0], signal.SIGHUP)


class TlsMariaDb(MariaDb):
    trust = "ssl_ca={}"

    def prepare(self) -> None:
        super().prepare()
        self._files = _Certified(self.directory)
        self.certificate = self._files.create()

    def command(self) -> list[str]:
        return [
            *super().command(),
            f"--ssl-cert={self.certificate.certificate}",
            f"--ssl-key={self.certificate.key}",
            f"--ssl-ca={self.certificate.certificate.with_name('ca.pem')}",
        ]

    def show(self, *, is_expired: bool) -> None:
        """Another certificate for new connections."""
        self._files.show(self.certificate, is_expired=is_expired)
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute("FLUSH SSL")
