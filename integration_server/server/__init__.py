"""The HTTP server: the listening socket, one process's loop, and the supervisor of several processes."""

from integration_server.server.http_server import HttpServer, serve
from integration_server.server.limits import ServerLimits
from integration_server.server.listener import BindError, bind
from integration_server.server.processes import (
    RestartPolicy,
    WorkersFailed,
    inherited_socket,
    serve_processes,
)

__all__ = [
    "BindError",
    "HttpServer",
    "RestartPolicy",
    "ServerLimits",
    "WorkersFailed",
    "bind",
    "inherited_socket",
    "serve",
    "serve_processes",
]
