"""The listening socket."""

from __future__ import annotations

import errno
import os
import socket

from integration_server.sdk.errors import IntegrationError

BACKLOG = 1024

# Winsock has numbers of its own for these (WSAEADDRINUSE and so on), absent from `errno` elsewhere.
_IN_USE = {errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)}
_FORBIDDEN = {errno.EACCES, errno.EPERM, getattr(errno, "WSAEACCES", errno.EACCES)}
_NOT_OURS = {errno.EADDRNOTAVAIL, getattr(errno, "WSAEADDRNOTAVAIL", errno.EADDRNOTAVAIL)}
_NO_FAMILY = {errno.EAFNOSUPPORT, getattr(errno, "WSAEAFNOSUPPORT", errno.EAFNOSUPPORT)}


class BindError(IntegrationError):
    """The server cannot listen on its address."""


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket that listens on ``host`` (a name, an IPv4 or an IPv6 address) and ``port`` (0: any free
    one).

    ``::`` takes IPv4 as well, where the system can. It listens already, because Linux tells of a taken port
    only then. The caller closes it, unless :func:`serve` gets it. Raises BindError with what to do.
    """
    if not 0 <= port <= 65535:
        raise BindError(f"port {port} does not exist: a port is a number from 1 to 65535")
    family, address = _resolve(host, port)
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as exc:
        raise BindError(_explain(exc, where, port)) from exc
    try:
        _set_options(sock, host)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as exc:
        sock.close()
        raise BindError(_explain(exc, where, port)) from exc
    return sock


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[object, ...]]:
    if not host:
        raise BindError("the host to listen on is empty: give an address, or 0.0.0.0 (IPv4) or :: (both) for all")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise BindError(
            f"cannot listen on {host!r}: this is neither an IP address nor a name known to this machine"
        ) from exc
    # A name such as localhost may stand for both families; callers that were given 127.0.0.1 must get
    # through.
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    return family, address


def _set_options(sock: socket.socket, host: str) -> None:
    if os.name == "nt":
        # There SO_REUSEADDR would let another program steal the port.
        exclusive: int = getattr(socket, "SO_EXCLUSIVEADDRUSE", ~socket.SO_REUSEADDR)
        sock.setsockopt(socket.SOL_SOCKET, exclusive, 1)
    else:
        # Without it a restart waits for the old connections' TIME_WAIT to pass.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6():
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)


def _explain(exc: OSError, where: str, port: int) -> str:
    if exc.errno in _IN_USE:
        return f"cannot listen on {where}: another program uses this port; stop it or choose another port"
    if exc.errno in _FORBIDDEN:
        if port < 1024 and os.name != "nt":
            advice = (
                "ports below 1024 need the CAP_NET_BIND_SERVICE capability; "
                "choose a higher one, or put a proxy in front"
            )
        else:
            advice = "the system reserves this port or another program holds it; choose another one"
        return f"cannot listen on {where}: permission denied; {advice}"
    if exc.errno in _NOT_OURS:
        return (
            f"cannot listen on {where}: this machine has no such address; use one of its own, "
            "or 0.0.0.0 (IPv4) or :: (both) for all"
        )
    if exc.errno in _NO_FAMILY:
        return f"cannot listen on {where}: this machine has no IPv6; use an IPv4 address"
    return f"cannot listen on {where}: {exc.strerror or exc}"
