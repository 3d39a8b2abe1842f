"""A request as it arrives: RFC 9112 to the letter where leniency would let two readers of one stream
disagree.

waitress is lenient in places that matter behind a proxy (both lengths, obsolete folding, several Host
fields), raises out of its I/O loop in others (a Content-Length of 5,000 digits, ``http://[`` as target), and
its regular expressions take half a minute for one field of 32,000 spaces. So the head is checked here first
and handed on in plain form.
"""

from __future__ import annotations

import re
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest

MAX_CHUNK_LINE = 256
"""Bytes of a chunk's size and extensions. (Nobody is known to send extensions.)"""

MAX_TRAILER = 8192

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Z]{1,32}")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
_PATH = re.compile(rb"/[!-\"$-~]*")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?#]+)([/?][!-\"$-~]*)?")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?![\n])(?!\Z)")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")

_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization", b"expect"})
"""Fields whose value is no list: waitress would join several to one value (RFC 9110 §5.3)."""


def plain_head(head: bytes) -> bytes:
    """A request's line and fields, checked, without white space around the values and with the Host that
    counts.

    ``head`` ends with CRLF; so does the result. Raises ParsingError, whose message repeats nothing of the
    request.
    """
    if _FORBIDDEN.search(head):
        raise ParsingError("The head holds a control character or a bare line end")
    request_line, *lines = head.rstrip(b"\r\n").split(b"\r\n")
    method, target, version, authority = _request_line(request_line)
    fields = [_field(line) for line in lines]
    singles = _singles(fields)
    _check_framing(singles, version)
    if b"host" not in singles and version == b"HTTP/1.1":
        raise ParsingError("The Host field is missing")
    if authority is not None:  # RFC 9112 §3.2.2: it replaces the field
        fields = [(name, value) for name, value in fields if name.lower() != b"host"] + [(b"Host", authority)]
    if not _HOST.fullmatch(singles.get(b"host", b"")):
        raise ParsingError("The Host field is malformed")
    return b"".join(
        [b"%s %s %s\r\n" % (method, target, version), *(b"%s: %s\r\n" % field for field in fields), b"\r\n"]
    )


def _request_line(line: bytes) -> tuple[bytes, bytes, bytes, bytes | None]:
    """Method, target as path, version, and the authority where the target named one (absolute form)."""
    parts = line.split(b" ")
    if len(parts) != 3 or not _METHOD.fullmatch(parts[0]):
        raise ParsingError("The request line is malformed")
    method, target, version = parts
    if version not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise ParsingError("Only HTTP/1.0 and HTTP/1.1 are spoken here")
    if _PATH.fullmatch(target) or (target == b"*" and method == b"OPTIONS"):
        return method, target, version, None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not _HOST.fullmatch(absolute[1]):
        raise ParsingError("The request target is malformed")
    path = absolute[2] or b"/"
    return method, path if path.startswith(b"/") else b"/" + path, version, absolute[1]


def _field(line: bytes) -> tuple[bytes, bytes]:
    # A line that begins with white space is obsolete folding (RFC 9112 §5.2): its "name" is no token either.
    name, colon, value = line.partition(b":")
    if not colon or not _TOKEN.fullmatch(name):
        raise ParsingError("A header field is malformed")
    return name, value.strip(b" \t")


def _singles(fields: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        key = name.lower()
        if key in _ONCE:
            if key in found:
                raise ParsingError("A header field that may stand only once is repeated")
            found[key] = value
    return found


def _check_framing(singles: dict[bytes, bytes], version: bytes) -> None:
    """RFC 9112 §6.1 and §6.3: what ends the body must be beyond doubt."""
    length = singles.get(b"content-length")
    if length is not None and not (length.isdigit() and len(length) <= 18):
        raise ParsingError("Content-Length is malformed")
    coding = singles.get(b"transfer-encoding")
    if coding is None:
        return
    if length is not None:
        raise ParsingError("Content-Length and Transfer-Encoding exclude each other")
    if version != b"HTTP/1.1" or coding.lower() != b"chunked":
        raise ParsingError("The only Transfer-Encoding is chunked, in HTTP/1.1")


class StrictRequest(HTTPRequestParser):  # type: ignore[misc]
    """waitress's parser behind :func:`plain_head`. Whatever it refuses has ``error`` set, with a status of
    4xx."""

    # Named in waitress's log lines, also for requests that were refused before they had one.
    path: str = ""
    command: str = ""
    body_rcv: Any
    completed: bool

    def received(self, data: bytes) -> int:
        """Take bytes of the stream; the number of them that belong to this request."""
        if self.body_rcv is None and not self.completed:
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

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(plain_head(header_plus))
        except ValueError as exc:
            raise ParsingError("The request is malformed") from exc
        if _CONTROL.search(self.path):
            raise ParsingError("The path holds a control character")
        if self.chunked:
            self.body_rcv = ChunkedBody(self.body_rcv.getbuf())

    def _fault_in_head(self, data: bytes) -> str | None:
        """What is wrong with a head that may not be complete yet, so that nobody waits for the end of
        garbage."""
        before = self.header_plus[-3:]
        seen = before + data
        end = seen.find(b"\r\n\r\n")
        head = seen if end < 0 else seen[: end + 4]
        if _FORBIDDEN.search(head, max(0, len(before) - 1)):
            return "The head holds a control character or a bare line end"
        if not self.header_plus.strip(b"\r\n"):
            start = head.lstrip(b"\r\n")[:1]
            if start and not _METHOD.fullmatch(start):
                return "The request line is malformed"
        return None


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
        if _FORBIDDEN.search(seen if end < 0 else seen[: end + 2]) or (end < 0 and len(seen) >= limit + 2):
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
