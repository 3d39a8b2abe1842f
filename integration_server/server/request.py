"""A request as it arrives: RFC 9112 to the letter where leniency would let two readers of one stream
disagree.

waitress is lenient in places that matter behind a proxy (both lengths, obsolete folding, several Host
fields), raises out of its I/O loop in others (a Content-Length of 5,000 digits, ``http://[`` as target), and
its regular expressions take half a minute for one field of 32,000 spaces. So the head is read here, and only here: to
have waitress read it again takes as long once more, and heads are what most of a login's bytes are.
"""

from __future__ import annotations

import functools
import io
import re
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import FixedStreamReceiver
from waitress.utilities import BadRequest, RequestEntityTooLarge

MAX_CHUNK_LINE = 256
"""Bytes of a chunk's size and extensions. (Nobody is known to send extensions.)"""

MAX_TRAILER = 8192

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Z]{1,32}")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
_PATH = re.compile(rb"/[!-\"$-~]*")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?#]+)([/?][!-\"$-~]*)?")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?![\n])(?!\Z)")
_CONTROL_OR_BARE_END = "The head holds a control character or a bare line end"
#: Bytes of a head that are no control characters, and those that end its lines.
_ALLOWED = bytes(byte for byte in range(256) if (byte >= 0x20 and byte != 0x7F) or byte in b"\t\r\n")
#: The longest name of a field that is remembered.
_USUAL_NAME = 64
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")

_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization", b"expect"})
"""Fields whose value is no list: waitress would join several to one value (RFC 9110 §5.3)."""


class _Name(NamedTuple):
    """A field's name: as it came, in lower case, and as WSGI has it."""

    written: bytes
    lower: bytes
    key: str
    is_single: bool


@dataclass(frozen=True, slots=True)
class Head:
    """A request's line and fields, checked, without white space around the values and with the Host that counts."""

    method: bytes
    #: A path with its query, or ``*``.
    target: bytes
    version: bytes
    fields: list[tuple[_Name, bytes]]
    #: Values of fields that stand only once, by their names in lower case.
    singles: dict[bytes, bytes]


def plain_head(head: bytes) -> bytes:
    """A request's line and fields, checked, in plain form.

    ``head`` ends with CRLF; so does the result. Raises ParsingError, whose message repeats nothing of the
    request.
    """
    if _FORBIDDEN.search(head):
        raise ParsingError(_CONTROL_OR_BARE_END)
    found = _read(head.rstrip(b"\r\n"))
    line = b"%s %s %s\r\n" % (found.method, found.target, found.version)
    return b"".join([line, *(b"%s: %s\r\n" % (name.written, value) for name, value in found.fields), b"\r\n"])


def _is_clean(head: bytes) -> bool:
    """What ``_FORBIDDEN`` says of a whole head, in a twentieth of its time."""
    return not head.translate(None, _ALLOWED) and head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r")


def _read(head: bytes) -> Head:
    """A head without forbidden characters, up to its last line's end. Raises ParsingError."""
    request_line, *lines = head.split(b"\r\n")
    method, target, version, authority = _request_line(request_line)
    fields, singles = _fields(lines)
    _check_framing(singles, version)
    if b"host" not in singles and version == b"HTTP/1.1":
        raise ParsingError("The Host field is missing")
    if authority is not None:  # RFC 9112 §3.2.2: it replaces the field
        fields = [(name, value) for name, value in fields if name.lower != b"host"]
        fields.append((_HOST_NAME, authority))
    if not _HOST.fullmatch(singles.get(b"host", b"")):
        raise ParsingError("The Host field is malformed")
    return Head(method, target, version, fields, singles)


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


def _fields(lines: list[bytes]) -> tuple[list[tuple[_Name, bytes]], dict[bytes, bytes]]:
    """All fields, and those that may stand only once, by name."""
    fields: list[tuple[_Name, bytes]] = []
    singles: dict[bytes, bytes] = {}
    for line in lines:
        # A line that begins with white space is obsolete folding (RFC 9112 §5.2): its "name" is no token either.
        written, colon, value = line.partition(b":")
        name = (_name(written) if len(written) <= _USUAL_NAME else _made_name(written)) if colon else None
        if name is None:
            raise ParsingError("A header field is malformed")
        value = value.strip(b" \t")
        if name.is_single:
            if name.lower in singles:
                raise ParsingError("A header field that may stand only once is repeated")
            singles[name.lower] = value
        fields.append((name, value))
    return fields, singles


def _made_name(written: bytes) -> _Name | None:
    if not _TOKEN.fullmatch(written):
        return None
    lower = written.lower()
    return _Name(written, lower, written.upper().replace(b"-", b"_").decode(), lower in _ONCE)


#: Callers send the same few fields again and again.
_name = functools.lru_cache(maxsize=512)(_made_name)
_HOST_NAME = _Name(b"Host", b"host", "HOST", True)


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


def _by_key(fields: list[tuple[_Name, bytes]]) -> dict[str, str]:
    """The values by names as WSGI has them; those of one name joined, and none whose name holds a ``_``: it would pass
    for another."""
    found: dict[str, str] = {}
    for name, value in fields:
        if b"_" not in name.written:
            key, text = name.key, value.decode("latin-1")
            found[key] = f"{found[key]}, {text}" if key in found else text
    return found


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
            if not _is_clean(head):
                raise ParsingError(_CONTROL_OR_BARE_END)
            self.parse_header(head)
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
        head = _read(header_plus.rstrip(b"\r\n"))
        path, _, query = head.target.partition(b"?")
        self.command = head.method.decode()
        self.request_uri = head.target.decode()
        self.path = unquote_to_bytes(path).decode("latin-1")
        self.query = query.decode()
        self.version = head.version[5:].decode()
        self.proxy_scheme = self.proxy_netloc = self.fragment = ""
        self.url_scheme = self.adj.url_scheme
        self.headers = _by_key(head.fields)
        if _CONTROL.search(self.path):
            raise ParsingError("The path holds a control character")
        self._take_connection()
        self._take_framing(head.singles)

    def _take_connection(self) -> None:
        connection = self.headers.get("CONNECTION", "").lower()
        if self.version == "1.1":
            self.connection_close = connection == "close"
            self.expect_continue = self.headers.get("EXPECT", "").lower() == "100-continue"
        else:
            self.connection_close = connection != "keep-alive"

    def _take_framing(self, singles: dict[bytes, bytes]) -> None:
        """What ends the body, about which there is no doubt."""
        if b"transfer-encoding" in singles:
            # The application gets the body whole, and its length with it.
            del self.headers["TRANSFER_ENCODING"]
            self.chunked = True
            self.body_rcv = ChunkedBody(OverflowableBuffer(self.adj.inbuf_overflow))
            return
        self.content_length = int(singles.get(b"content-length", b"0"))
        if self.content_length:
            self.body_rcv = FixedStreamReceiver(self.content_length, OverflowableBuffer(self.adj.inbuf_overflow))

    def _fault_in_head(self, data: bytes) -> str | None:
        """What is wrong with a head that may not be complete yet, so that nobody waits for the end of
        garbage."""
        before = self.header_plus[-3:]
        seen = before + data
        end = seen.find(b"\r\n\r\n")
        head = seen if end < 0 else seen[: end + 4]
        if _FORBIDDEN.search(head, max(0, len(before) - 1)):
            return _CONTROL_OR_BARE_END
        if not self.header_plus.strip(b"\r\n"):
            start = head.lstrip(b"\r\n")[:1]
            if start and not _METHOD.fullmatch(start):
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
