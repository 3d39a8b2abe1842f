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
        is_usual = self.version == "1.1" and "CONNECTION" not in self.request.headers and not self.close_on_finish
        names = _usual_names(tuple([name for name, _ in self.response_headers]))
        if not is_usual or names is None or not self.has_body:
            head: bytes = super().build_response_header()
            return head
        lines = "".join([f"{name}: {value}\r\n" for name, (_, value) in zip(names, self.response_headers, strict=True)])
        ident, date = self.channel.server.adj.ident, _date(int(self.start_time))
        return f"HTTP/1.1 {self.status}\r\n{lines}Server: {ident}\r\nDate: {date}\r\n\r\n".encode("latin-1")


@functools.lru_cache(maxsize=256)
def _usual_names(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """How the fields of an answer are written; None where one is missing without which more is to be done, or is there
    that is ours to add."""
    written = tuple("-".join([part.capitalize() for part in name.split("-")]) for name in names)
    return written if "Content-Length" in written and not _OURS.intersection(written) else None


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
