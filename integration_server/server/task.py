"""One request in a worker thread: waitress's task, whose answers leave in one piece where they are short."""

from __future__ import annotations

import functools
import sys
from typing import Any

from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.task import WSGITask
from waitress.utilities import build_http_date

TOGETHER_BYTES = 64 * 1024
"""A head and the first part of a body up to this size are sent at once."""

_BARE = frozenset({"CONTENT_LENGTH", "CONTENT_TYPE"})
_OURS = frozenset({"Date", "Server", "Via"})


class Task(WSGITask):  # type: ignore[misc]
    """A request in a worker thread."""

    wrote_header: bool

    def get_environment(self) -> dict[str, Any]:
        """What waitress gives to applications (PEP 3333), made of what is known of the server already."""
        request, channel = self.request, self.channel
        host, port, *_ = channel.addr
        environ: dict[str, Any] = {
            **channel.server.constant_environment,
            "REMOTE_ADDR": host,
            "REMOTE_HOST": host,
            "REMOTE_PORT": str(port),
            "REQUEST_METHOD": request.command,
            "SERVER_PROTOCOL": "HTTP/1.1" if self.version == "1.1" else "HTTP/1.0",
            # waitress takes several slashes at the beginning for one; a proxy in front, whose rules keep callers from
            # a path, need not.
            "PATH_INFO": request.path,
            "REQUEST_URI": request.request_uri,
            "QUERY_STRING": request.query,
            "wsgi.url_scheme": request.url_scheme,
            "wsgi.errors": sys.stderr,
            "wsgi.input": request.get_body_stream(),
            "waitress.client_disconnected": channel.check_client_disconnected,
        }
        for name, value in request.headers.items():
            environ[name if name in _BARE else "HTTP_" + name] = value
        return environ

    def write(self, data: bytes) -> None:
        """The head leaves with the first part of the body: in one packet, by one call of the system."""
        if self.complete and not self.wrote_header and 0 < len(data) <= TOGETHER_BYTES:
            head = self.build_response_header()
            self.wrote_header = True
            length = self.content_length
            if self.has_body and not self.chunked_response and length is not None and len(data) <= length:
                self.content_bytes_written = len(data)
                self.channel.write_soon(head + data)
                return
            self.channel.write_soon(head)
        super().write(data)

    def build_response_header(self) -> bytes:
        """As waitress does, without looking twice at fields whose names are met in each answer."""
        fields = [(_capitalized(name), value) for name, value in self.response_headers]
        names = {name for name, _ in fields}
        is_plain = self.version == "1.1" and "CONNECTION" not in self.request.headers and not self.close_on_finish
        if not is_plain or "Content-Length" not in names or names & _OURS or not self.has_body:
            head: bytes = super().build_response_header()
            return head
        fields += [("Server", self.channel.server.adj.ident), ("Date", _date(int(self.start_time)))]
        lines = "".join([f"{name}: {value}\r\n" for name, value in fields])
        return f"HTTP/1.1 {self.status}\r\n{lines}\r\n".encode("latin-1")


@functools.lru_cache(maxsize=256)
def _capitalized(name: str) -> str:
    return "-".join([part.capitalize() for part in name.split("-")])


@functools.lru_cache(maxsize=2)
def _date(second: int) -> str:
    return str(build_http_date(second))


def constant_environment(server: Any) -> dict[str, Any]:
    """The part of the environment that is the same for all requests."""
    return {
        "SERVER_PORT": str(server.effective_port),
        "SERVER_NAME": server.server_name,
        "SERVER_SOFTWARE": server.adj.ident,
        "SCRIPT_NAME": "",
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": ReadOnlyFileBasedBuffer,
        "wsgi.input_terminated": True,
    }
