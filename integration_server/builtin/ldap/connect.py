"""Opening a connection: ldap3 connects, our own TLS context secures, and for searches the service account binds.

ldap3's ``Tls`` checks nothing unless told to, and its own comparison of names, which Python 3.12 made it fall back to,
knows no IP addresses. So the certificate is left to OpenSSL, by a context that checks chain and name in one.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from integration_server import BackendError, BackendMisconfigured, BackendTimeout, Deadline
from integration_server.builtin.ldap.library import LDAPExceptionError, ldap3
from integration_server.builtin.ldap.results import NEEDS_ENCRYPTION, SUCCESS, ServerFailed, describe, failure
from integration_server.builtin.ldap.settings import Address
from integration_server.builtin.ldap.wire import Wire

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """How connections are encrypted and whom they trust: ``ca_file`` instead of the system's authorities."""

    start_tls: bool = False
    verify: bool = True
    ca_file: Path | None = None
    minimum: str = "1.2"
    #: What we show of ourselves, in PEM; the key may stand in the certificate's file.
    client_certificate: Path | None = None
    client_key: Path | None = None

    @property
    def files(self) -> dict[str, Path]:
        """The files that are read, by the keys of the settings."""
        named = {
            "ca_file": self.ca_file,
            "client_certificate": self.client_certificate,
            "client_key": self.client_key,
        }
        return {key: path for key, path in named.items() if path is not None}


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Who searches. Without a password: whom SASL EXTERNAL makes of us, with ``dn`` only a name for messages."""

    dn: str
    password: bytes | None

    def __repr__(self) -> str:
        return f"ServiceAccount({self.dn!r})"


class Connector:
    """Opens connections to one server or another. Thread-safe."""

    def __init__(self, policy: TlsPolicy, account: ServiceAccount | None) -> None:
        self._policy = policy
        self._account = account
        self._lock = threading.Lock()
        self._context: tuple[object, ssl.SSLContext] | None = None

    def open(self, address: Address, deadline: Deadline, *, as_service: bool) -> Wire:
        """A connection, encrypted where the settings say so and bound where ``as_service``. The caller closes it.

        Raises ServerFailed, BackendTimeout, BackendMisconfigured.
        """
        connection = self._connect(address, deadline)
        wire = Wire(connection.socket, address)
        try:
            if self._policy.start_tls and address.unix_path is None:
                answer = wire.start_tls(deadline)
                if answer.code != SUCCESS:
                    raise BackendMisconfigured(f"{address.uri}: the server refuses StartTLS: {describe(answer)}")
                try:
                    connection.server.tls.wrap_socket(connection, do_handshake=True)
                finally:
                    wire.go_on_with(connection.socket)
            if as_service and self._account is not None:
                self._bind(wire, self._account, deadline)
        except BaseException:
            wire.close()
            raise
        return wire

    def _bind(self, wire: Wire, account: ServiceAccount, deadline: Deadline) -> None:
        try:
            if account.password is None:
                answer = wire.bind_external(deadline)
            else:
                answer, _ = wire.bind(account.dn, account.password, deadline)
        except ServerFailed as exc:
            if not isinstance(wire.socket, ssl.SSLSocket):
                raise
            # In TLS 1.3 the handshake is over for the client before the server has looked at its certificate.
            shown = "refuses" if self._policy.client_certificate is not None else "demands"
            raise ServerFailed(f"{exc} (perhaps it {shown} a client_certificate)") from exc
        if answer.code != SUCCESS:
            error = failure(answer, f"{wire.server}: binding as the service account {account.dn!r}")
            if answer.code in NEEDS_ENCRYPTION:
                error = BackendMisconfigured(f"{error}; use ldaps:// or start_tls = true")
            raise error

    def _connect(self, address: Address, deadline: Deadline) -> ldap3.Connection:
        """A connection to the first of the host's addresses that answers, within TLS for ldaps://."""
        is_encrypted = address.is_tls or self._policy.start_tls
        context = self._tls_context() if is_encrypted else None
        hosts = _hosts(address)
        trouble: BackendError | None = None
        for position, host in enumerate(hosts):
            share = deadline.sooner(deadline.remaining() / (len(hosts) - position))
            try:
                return _open(address, host, _Tls(context, address, deadline), share)
            except (ServerFailed, BackendTimeout) as exc:
                trouble = exc
        raise trouble or ServerFailed(f"{address.uri}: the host has no address")

    def _tls_context(self) -> ssl.SSLContext:
        """The TLS context, made anew when one of its files changes. Raises BackendMisconfigured for a bad one."""
        version = tuple(_version(key, path) for key, path in self._policy.files.items())
        with self._lock:
            if self._context is None or self._context[0] != version:
                self._context = (version, _new_context(self._policy))
            return self._context[1]


class _Tls(ldap3.Tls):
    """ldap3's hook for encryption, led to our own context. ``trouble`` keeps what ldap3 would garble."""

    def __init__(self, context: ssl.SSLContext | None, address: Address, deadline: Deadline) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self.trouble: BackendError | None = None
        self._context = context
        self._address = address
        self._deadline = deadline

    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:
        """Put the connection's socket within TLS. Raises ServerFailed, BackendTimeout."""
        uri = self._address.uri
        assert self._context is not None
        try:
            # Kept in the connection before the handshake, so that whoever closes it closes the right socket.
            connection.socket = self._context.wrap_socket(
                connection.socket, server_hostname=self._address.host, do_handshake_on_connect=False
            )
            connection.socket.settimeout(self._deadline.remaining())
            connection.socket.do_handshake()
        except ssl.SSLCertVerificationError as exc:
            self.trouble = ServerFailed(f"{uri}: the server's certificate is refused: {exc.verify_message}")
            raise self.trouble from exc
        except (TimeoutError, BackendTimeout) as exc:
            self.trouble = BackendTimeout(f"{uri}: no TLS handshake within the time limit")
            raise self.trouble from exc
        except (OSError, ValueError) as exc:
            self.trouble = ServerFailed(f"{uri}: TLS failed: {getattr(exc, 'reason', None) or exc}")
            raise self.trouble from exc


def _version(key: str, path: Path) -> tuple[int, int]:
    with _usable(key, path):
        status = path.stat()
        return status.st_mtime_ns, status.st_size


@contextmanager
def _usable(key: str, path: Path | None) -> Iterator[None]:
    """Say which file of the settings it is that cannot be used."""
    try:
        yield
    except (OSError, ssl.SSLError, ValueError) as exc:
        why = exc.strerror or exc if isinstance(exc, OSError) else exc
        raise BackendMisconfigured(f"{key} {path} cannot be used: {why}") from exc


def _no_passphrase() -> str:
    # OpenSSL would ask for it at the terminal.
    raise ValueError("the key is encrypted; keep it without a passphrase, readable for the server alone")


def _new_context(policy: TlsPolicy) -> ssl.SSLContext:
    """Raises BackendMisconfigured for files that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _VERSIONS[policy.minimum]
    if not policy.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif policy.ca_file is not None:
        with _usable("ca_file", policy.ca_file):
            context.load_verify_locations(policy.ca_file)
    else:
        context.load_default_certs()
    if policy.client_certificate is not None:
        key = "client_certificate" if policy.client_key is None else "client_certificate and client_key"
        with _usable(key, policy.client_key or policy.client_certificate):
            context.load_cert_chain(policy.client_certificate, policy.client_key, _no_passphrase)
    return context


def _hosts(address: Address) -> list[str]:
    """The host's addresses as numbers, in the system's order. Raises ServerFailed."""
    if address.unix_path is not None:
        return [f"ldapi://{quote(address.unix_path, safe='')}"]
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise ServerFailed(f"{address.uri}: the host name cannot be resolved: {exc}") from exc
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _open(address: Address, host: str, tls: _Tls, deadline: Deadline) -> ldap3.Connection:
    """A connection to one address. ldap3 keeps the state of the attempt in its server object: one for each."""
    is_ip = address.unix_path is None
    connection: ldap3.Connection | None = None
    try:
        server = ldap3.Server(
            f"ldap://[{host}]" if ":" in host and is_ip else host,
            port=address.port if is_ip else None,
            use_ssl=address.is_tls,
            get_info=ldap3.NONE,
            tls=tls,
            connect_timeout=deadline.remaining(),
        )
        connection = ldap3.Connection(server, client_strategy=ldap3.SYNC, check_names=False)
        connection.open(read_server_info=False)
        if is_ip:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException as exc:
        if connection is not None and connection.socket is not None:
            connection.socket.close()
        if tls.trouble is not None:
            raise tls.trouble from exc
        if isinstance(exc, TimeoutError):
            raise BackendTimeout(f"{address.uri}: no connection within the time limit") from exc
        if isinstance(exc, LDAPExceptionError | OSError):
            raise ServerFailed(f"{address.uri}: {str(exc).rpartition(': ')[2]}") from exc
        raise
    return connection
