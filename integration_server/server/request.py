"""A request as it arrives: RFC 9112 to the letter where leniency would let two readers of one stream
disagree.

waitress is lenient in places that matter behind a proxy (both lengths, obsolete folding, several Host
fields), raises out of its I/O loop in others (a Content-Length of 5,000 digits, ``http://[`` as target), and
its regular expressions take half a minute for one field of 32,000 spaces. So ``heads`` reads the head, and nobody else.
"""

from __future__ import annotations

import io
import re
from typing import Any

from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import FixedStreamReceiver
from waitress.utilities import BadRequest, RequestEntityTooLarge

from integration_server.server.heads import CONTROL_OR_BARE_END, FORBIDDEN, METHOD, Head, Heads, read_head

MAX_CHUNK_LINE = 256
"""Bytes of a chunk's size and extensions. (Nobody is known to send extensions.)"""

MAX_TRAILER = 8192

_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class StrictRequest(HTTPRequestParser):  # type: ignore[misc]
    """waitress's parser with a reader of heads of our own. Whatever it refuses has ``error`` set, with a status of
    4xx."""

    # Named in waitress's log lines, also for requests that were refused before they had one.
    path: str = ""
    command: str = ""
    body_rcv: Any
    body_bytes_received: int
    content_length: int
    chunked: bool
    completed: bool

    def __init__(self, adj: Any, heads: Heads | None = None) -> None:
        super().__init__(adj)
        self._heads = heads or Heads()

    def received(self, data: bytes) -> int:
        """Take bytes of the stream; the number of them that belong to this request."""
        if self.body_rcv is None and not self.completed:
            end = data.find(b"\r\n\r\n") + 4
            if 4 < end < self.adj.max_request_header_size and not self.header_plus and data[0] > 0x20:
                self._take_head(data[:end])
                return end + self._take_whole_body(data, end)
            fault = self._fault_in_head(data)
            if fault:
                self.error = BadRequest(fault)
                self.completed = True
                return len(data)
        consumed: int = super().received(data)
        if self.completed:
            # There is nothing to continue with; waitress would go on reading a request that it has refused.
            self.expect_continue = False
        return consumed

    def _take_head(self, head: bytes) -> None:
        """What waitress does with a whole head. Nearly all come in one piece."""
        self.header_bytes_received = len(head)
        self.headers_finished = True
        try:
            self._take(self._heads.read(head))
        except ParsingError as exc:
            self.error = BadRequest(exc.args[0])
        else:
            if self.content_length >= self.adj.max_request_body_size:
                self.error = RequestEntityTooLarge(f"exceeds max_body of {self.adj.max_request_body_size}")
        if self.error or self.body_rcv is None:
            self.completed = True
            self.expect_continue = False

    def _take_whole_body(self, data: bytes, start: int) -> int:
        """The body, where all of it came with the head, as those of nearly all logins do; how many bytes it has."""
        length = self.content_length
        if self.completed or self.chunked or len(data) - start < length:
            return 0
        self.body_rcv = WholeBody(data[start : start + length])
        self.body_bytes_received = length
        self.completed = True
        self.expect_continue = False
        return length

    def parse_header(self, header_plus: bytes) -> None:
        """Set what waitress's own would; ``received`` has looked for forbidden characters."""
        self._take(read_head(header_plus))

    def _take(self, head: Head) -> None:
        self.command, self.request_uri, self.path, self.query = head.command, head.request_uri, head.path, head.query
        self.version, self.headers = head.version, dict(head.fields)
        self.proxy_scheme = self.proxy_netloc = self.fragment = ""
        self.url_scheme = self.adj.url_scheme
        self.connection_close, self.expect_continue = head.is_last, head.is_continued
        if head.is_chunked:
            self.chunked = True
            self.body_rcv = ChunkedBody(OverflowableBuffer(self.adj.inbuf_overflow))
        elif head.length:
            self.content_length = head.length
            self.body_rcv = FixedStreamReceiver(head.length, OverflowableBuffer(self.adj.inbuf_overflow))

    def _fault_in_head(self, data: bytes) -> str | None:
        """What is wrong with a head that may not be complete yet, so that nobody waits for the end of
        garbage."""
        before = self.header_plus[-3:]
        seen = before + data
        end = seen.find(b"\r\n\r\n")
        head = seen if end < 0 else seen[: end + 4]
        if FORBIDDEN.search(head, max(0, len(before) - 1)):
            return CONTROL_OR_BARE_END
        if not self.header_plus.strip(b"\r\n"):
            start = head.lstrip(b"\r\n")[:1]
            if start and not METHOD.fullmatch(start):
                return "The request line is malformed"
        return None


class WholeBody:
    """A body that is complete: what waitress asks of its receivers afterwards. The request closes it."""

    completed = True
    error = None

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def __len__(self) -> int:
        return len(self._file.getbuffer())

    def getfile(self) -> io.BytesIO:
        return self._file

    getbuf = getfile


class ChunkedBody:
    """The chunked transfer coding (RFC 9112 §7.1) read strictly; extensions and trailer fields are dropped.

    The protocol of waitress's receivers: ``received`` takes bytes and returns how many were used,
    ``completed`` and ``error`` tell how it ended, ``buf`` (closed by the request) takes the content.
    """

    def __init__(self, buf: Any) -> None:
        self.completed = False
        self.error: BadRequest | None = None
        self._buf = buf
        self._line = b""
        self._left = 0
        self._trailer_bytes = 0
        self._take = self._take_size

    def __len__(self) -> int:
        return int(self._buf.__len__())

    def getfile(self) -> Any:
        return self._buf.getfile()

    def getbuf(self) -> Any:
        return self._buf

    def received(self, data: bytes) -> int:
        rest = data
        while rest and not self.completed and self.error is None:
            rest = self._take(rest)
        return len(data) - len(rest)

    def _take_size(self, data: bytes) -> bytes:
        line, rest = self._take_line(data, MAX_CHUNK_LINE)
        if line is None:
            return rest
        size = line.partition(b";")[0]
        if not _CHUNK_SIZE.fullmatch(size):
            return self._refuse("A chunk has no valid size")
        self._left = int(size, 16)
        self._take = self._take_content if self._left else self._take_trailer
        return rest

    def _take_content(self, data: bytes) -> bytes:
        content = data[: self._left]
        self._buf.append(content)
        self._left -= len(content)
        if not self._left:
            self._take = self._take_end
        return data[len(content) :]

    def _take_end(self, data: bytes) -> bytes:
        line, rest = self._take_line(data, 0)
        if line is not None:
            self._take = self._take_size
        return rest

    def _take_trailer(self, data: bytes) -> bytes:
        line, rest = self._take_line(data, MAX_TRAILER)
        if line is None:
            return rest
        self._trailer_bytes += len(line)
        if self._trailer_bytes > MAX_TRAILER:
            return self._refuse("The trailer is too long")
        self.completed = not line
        return rest

    def _take_line(self, data: bytes, limit: int) -> tuple[bytes | None, bytes]:
        """The line that ``data`` completes, without its CRLF, and what follows it; None while it is not
        complete."""
        seen = self._line + data[: limit + 2 - len(self._line)]
        end = seen.find(b"\r\n")
        if FORBIDDEN.search(seen if end < 0 else seen[: end + 2]) or (end < 0 and len(seen) >= limit + 2):
            return None, self._refuse("The chunked body is malformed")
        if end < 0:
            self._line = seen
            return None, b""
        used = end + 2 - len(self._line)
        self._line = b""
        return seen[:end], data[used:]

    def _refuse(self, reason: str) -> bytes:
        self.error = BadRequest(reason)
        return b""
