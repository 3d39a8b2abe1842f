"""Malformed requests get a 4xx and a closed connection, and the application never sees them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError

from integration_server.server.heads import Heads, plain_head
from integration_server.server.request import ChunkedBody, StrictRequest
from tests.server.conftest import Running, StartServer
from tests.server.wire import GET, ask, connect, read_all, read_answer, say

CRLF = b"\r\n"


def mirror(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Tells what the application was given."""
    body = environ["wsgi.input"].read()
    seen = {key: value for key, value in environ.items() if isinstance(value, str)} | {"body": body.decode("latin-1")}
    answer = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def head(line: bytes = b"GET / HTTP/1.1", *fields: bytes) -> bytes:
    return CRLF.join([line, b"Host: x", *fields, b"", b""])


CHUNKED = head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked")

MALFORMED = {
    "both lengths": (head(b"POST / HTTP/1.1", b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "both lengths, other order": (head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", b"Content-Length: 5"), 400),
    "two lengths": (head(b"POST / HTTP/1.1", b"Content-Length: 5", b"Content-Length: 6") + b"12345", 400),
    "the same length twice": (head(b"POST / HTTP/1.1", b"Content-Length: 5", b"Content-Length: 5") + b"12345", 400),
    "a list of lengths": (head(b"POST / HTTP/1.1", b"Content-Length: 5, 5") + b"12345", 400),
    "negative length": (head(b"POST / HTTP/1.1", b"Content-Length: -1"), 400),
    "signed length": (head(b"POST / HTTP/1.1", b"Content-Length: +5") + b"12345", 400),
    "empty length": (head(b"POST / HTTP/1.1", b"Content-Length:") + b"12345", 400),
    "hexadecimal length": (head(b"POST / HTTP/1.1", b"Content-Length: 0x5") + b"12345", 400),
    "length of 5,000 digits": (head(b"POST / HTTP/1.1", b"Content-Length: " + b"9" * 5000), 400),
    "a body too large": (head(b"POST / HTTP/1.1", b"Content-Length: 100001"), 413),
    "a body far too large, promised": (
        head(b"POST / HTTP/1.1", b"Content-Length: 99999999999", b"Expect: 100-continue"),
        413,
    ),
    "a wrong length, promised": (head(b"POST / HTTP/1.1", b"Content-Length: x", b"Expect: 100-continue"), 400),
    "a body too large, sent": (head(b"POST / HTTP/1.1", b"Content-Length: 3000000") + b"x" * 3_000_000, 413),
    "chunks too large": (CHUNKED + (b"ffff\r\n" + b"x" * 65535 + CRLF) * 3 + b"0\r\n\r\n", 413),
    "headers too large": (head(b"GET / HTTP/1.1", b"X: " + b"a" * 9000), 431),
    "headers too large, without end": (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000, 431),
    "very long request line": (head(b"GET /" + b"a" * 9000 + b" HTTP/1.1"), 431),
    "very many fields": (head(b"GET / HTTP/1.1", *[b"a:"] * 5000), 431),
    "unknown coding": (head(b"POST / HTTP/1.1", b"Transfer-Encoding: gzip"), 400),
    "a list of codings": (head(b"POST / HTTP/1.1", b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", 400),
    "chunked twice": (head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n", 400),
    "empty coding": (head(b"POST / HTTP/1.1", b"Transfer-Encoding:"), 400),
    "coding with a control character": (head(b"POST / HTTP/1.1", b"Transfer-Encoding: \x0bchunked"), 400),
    "chunked in HTTP/1.0": (head(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "no chunk size": (CHUNKED + b"hello\r\n0\r\n\r\n", 400),
    "empty line for a chunk size": (CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n", 400),
    "negative chunk size": (CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n", 400),
    "huge chunk size": (CHUNKED + b"f" * 17 + b"\r\nhello", 400),
    "chunk longer than its size": (CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n", 400),
    "chunk shorter than its size": (CHUNKED + b"5\r\nhell\r\n0\r\n\r\n", 400),
    "chunk size ended by a bare LF": (CHUNKED + b"5\nhello\r\n0\r\n\r\n", 400),
    "bare CR in a chunk extension": (CHUNKED + b"5;a\r\r\nhello\r\n0\r\n\r\n", 400),
    "long chunk extension": (CHUNKED + b"5;" + b"a" * 1000 + b"\r\nhello\r\n0\r\n\r\n", 400),
    "long trailer": (CHUNKED + b"0\r\n" + b"a: b\r\n" * 5000 + CRLF, 400),
    "two hosts": (head(b"GET / HTTP/1.1", b"Host: y"), 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "no host beside an absolute target": (b"GET http://x/ HTTP/1.1\r\n\r\n", 400),
    "host with a path": (b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "host with a name and password": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "list of hosts": (b"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n", 400),
    "two credentials": (head(b"GET / HTTP/1.1", b"Authorization: Basic YTpi", b"Authorization: Basic YTpj"), 400),
    "two content types": (head(b"POST / HTTP/1.1", b"Content-Type: a/b", b"Content-Type: c/d"), 400),
    "folded field": (head(b"GET / HTTP/1.1", b"X: a", b" b"), 400),
    "folded first field": (b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    "NUL in a field": (head(b"GET / HTTP/1.1", b"X: a\x00b"), 400),
    "control character in a field": (head(b"GET / HTTP/1.1", b"X: a\x08b"), 400),
    "DEL in a field": (head(b"GET / HTTP/1.1", b"X: a\x7fb"), 400),
    "space before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "field without colon": (head(b"GET / HTTP/1.1", b"X"), 400),
    "field without name": (head(b"GET / HTTP/1.1", b": x"), 400),
    "umlaut in a field's name": (head(b"GET / HTTP/1.1", b"\xc3\xbc: x"), 400),
    "bare LF everywhere": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "bare LF in a field": (head(b"GET / HTTP/1.1", b"X: a\nY: b"), 400),
    "bare CR in a field": (head(b"GET / HTTP/1.1", b"X: a\rY: b"), 400),
    "CR CR LF": (head(b"GET / HTTP/1.1", b"X: a\r"), 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "HTTP/0.9": (head(b"GET / HTTP/0.9"), 400),
    "HTTP/1.2": (head(b"GET / HTTP/1.2", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "lower-case version": (head(b"GET / http/1.1"), 400),
    "lower-case method": (head(b"get / HTTP/1.1"), 400),
    "method of 100 letters": (head(b"A" * 100 + b" / HTTP/1.1"), 400),
    "two spaces": (head(b"GET  / HTTP/1.1"), 400),
    "tab for a space": (head(b"GET\t/ HTTP/1.1"), 400),
    "space at the end": (head(b"GET / HTTP/1.1 "), 400),
    "space in the target": (head(b"GET /a b HTTP/1.1"), 400),
    "space at the start": (b" " + GET, 400),
    "fragment in the target": (head(b"GET /#a HTTP/1.1"), 400),
    "control character in the target": (head(b"GET /\x01 HTTP/1.1"), 400),
    "encoded line end in the path": (head(b"GET /%0d%0aX HTTP/1.1"), 400),
    "encoded NUL in the path": (head(b"GET /%00 HTTP/1.1"), 400),
    "raw umlaut in the target": (head(b"GET /\xc3\xbc HTTP/1.1"), 400),
    "relative target": (head(b"GET a HTTP/1.1"), 400),
    "target of CONNECT": (head(b"CONNECT x:443 HTTP/1.1"), 400),
    "asterisk": (head(b"GET * HTTP/1.1"), 400),
    "other scheme": (head(b"GET ftp://x/ HTTP/1.1"), 400),
    "half an address": (head(b"GET http://[ HTTP/1.1"), 400),
    "no authority": (head(b"GET http:///a HTTP/1.1"), 400),
    "password in the authority": (head(b"GET http://a:b@c/ HTTP/1.1"), 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)), 400),
    "garbage": (bytes(range(128, 256)), 400),
    "NULs": (b"\x00" * 100, 400),
    "a slash": (b"/", 400),
}


@pytest.fixture
def mirroring(start_server: StartServer) -> Running:
    return start_server(mirror, max_header_bytes=8192, max_body_bytes=100_000, threads=2)


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_request_is_refused_and_closed(
    name: str, mirroring: Running, caplog: pytest.LogCaptureFixture
) -> None:
    request, status = MALFORMED[name]
    answer = say(mirroring.port, request + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d+)", answer)] == [status]
    assert b"smuggled" not in answer
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("name", ["bare LF everywhere", "TLS", "garbage", "NULs", "a slash", "lower-case method"])
def test_nobody_waits_for_the_end_of_garbage(name: str, mirroring: Running) -> None:
    with connect(mirroring.port) as sock:
        sock.sendall(MALFORMED[name][0])
        assert read_answer(sock).status == 400


@pytest.mark.parametrize("path", [b"/a", b"//a/b", b"///a", b"/%2fa", b"//"])
def test_the_application_sees_every_slash_that_a_proxy_saw(path: bytes, mirroring: Running) -> None:
    seen = json.loads(ask(mirroring.port, head(b"GET " + path + b" HTTP/1.1")).body)
    assert seen["PATH_INFO"] == path.decode().replace("%2f", "/")


def test_refusal_repeats_nothing_of_the_request(mirroring: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = b"Basic c2VjcmV0"
    for end in (b"\x00", b"\x7f", b"\rX", b"\nX", b"\r\n X"):
        answer = say(mirroring.port, head(b"GET / HTTP/1.1", b"Authorization: " + secret + end))
        assert secret not in answer
    assert "c2VjcmV0" not in caplog.text


WELL_FORMED = {
    "HTTP/1.1": (GET, {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_HOST": "x"}),
    "HTTP/1.0 without host": (b"GET /a HTTP/1.0\r\n\r\n", {"PATH_INFO": "/a"}),
    "empty lines first": (CRLF * 3 + GET, {"PATH_INFO": "/"}),
    "absolute target": (
        head(b"GET http://y:80/a?b=c HTTP/1.1"),
        {"PATH_INFO": "/a", "HTTP_HOST": "y:80", "QUERY_STRING": "b=c"},
    ),
    "absolute target without path": (head(b"GET http://y?b HTTP/1.1"), {"PATH_INFO": "/", "QUERY_STRING": "b"}),
    "two slashes": (head(b"GET //a HTTP/1.1"), {"PATH_INFO": "//a"}),
    "asterisk": (head(b"OPTIONS * HTTP/1.1"), {"REQUEST_METHOD": "OPTIONS"}),
    "IPv6 host": (b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", {"HTTP_HOST": "[::1]:8080"}),
    "no white space": (b"GET / HTTP/1.1\r\nHost:x\r\nX:\r\n\r\n", {"HTTP_HOST": "x", "HTTP_X": ""}),
    "much white space": (b"GET / HTTP/1.1\r\nHost: \t x \t\r\n\r\n", {"HTTP_HOST": "x"}),
    "UTF-8 in a field": (head(b"GET / HTTP/1.1", b"X: \xc3\xbc"), {"HTTP_X": "\xc3\xbc"}),
    "the same field twice": (head(b"GET / HTTP/1.1", b"X: a", b"X: b"), {"HTTP_X": "a, b"}),
    "encoded path": (head(b"GET /%C3%BC%2f HTTP/1.1"), {"PATH_INFO": "/\xc3\xbc/"}),
    "body": (head(b"POST / HTTP/1.1", b"Content-Length: 5") + b"hello", {"body": "hello"}),
    "largest body": (head(b"POST / HTTP/1.1", b"Content-Length: 100000") + b"x" * 100_000, {"body": "x" * 100_000}),
    "chunks": (CHUNKED + b"3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nX: y\r\n\r\n", {"body": "hello", "CONTENT_LENGTH": "5"}),
    "underscores": (head(b"GET / HTTP/1.1", b"Content_Length: 9"), {"REQUEST_METHOD": "GET"}),
}


@pytest.mark.parametrize("name", WELL_FORMED)
@pytest.mark.parametrize("piece", [1 << 20, 1], ids=["at once", "byte by byte"])
def test_well_formed_request_reaches_the_application(name: str, piece: int, mirroring: Running) -> None:
    request, expected = WELL_FORMED[name]
    if piece == 1 and len(request) > 1000:
        piece = 999
    with connect(mirroring.port) as sock:
        for start in range(0, len(request), piece):
            sock.sendall(request[start : start + piece])
        seen = json.loads(read_answer(sock).body)
    assert {key: seen.get(key) for key in expected} == expected


def test_server_names_no_version(mirroring: Running) -> None:
    assert ask(mirroring.port).headers["server"] == "integration-server"
    assert b"waitress" not in say(mirroring.port, b"\x00")


def test_promised_body_is_asked_for_once(mirroring: Running) -> None:
    with connect(mirroring.port) as sock:
        sock.sendall(head(b"POST / HTTP/1.1", b"Content-Length: 5", b"Expect: 100-continue"))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert json.loads(read_answer(sock).body)["body"] == "hello"


def test_expectation_without_a_body_is_answered(mirroring: Running) -> None:
    assert ask(mirroring.port, head(b"GET / HTTP/1.1", b"Expect: 100-continue")).status == 200


def test_request_too_large_is_answered_while_its_sender_goes_on(mirroring: Running) -> None:
    with connect(mirroring.port) as sock:
        sock.sendall(head(b"POST / HTTP/1.1", b"Content-Length: 5000000") + b"x" * 100_000)
        assert read_answer(sock).status == 413
        sock.sendall(b"x" * 100_000)


def test_pipelined_requests_are_answered_in_order(mirroring: Running) -> None:
    targets = [b"/%d" % number for number in range(50)]
    with connect(mirroring.port) as sock:
        sock.sendall(b"".join(head(b"GET " + target + b" HTTP/1.1") for target in targets) + b"\x00")
        seen = b""
        while more := sock.recv(65536):
            seen += more
    paths = re.findall(rb'"PATH_INFO": "(/\d+)"', seen)
    assert paths == targets
    assert seen.count(b"HTTP/1.1 200") == 50
    assert seen.count(b" 400 Bad Request") == 1


@pytest.mark.parametrize(
    "request_",
    [
        head(b"GET / HTTP/1.1", b"X:" + b" " * 32_000 + b"a"),
        head(b"GET / HTTP/1.1", b"X: a" + b" " * 16_000 + b"b" + b"\t" * 15_000),
        head(b"GET / HTTP/1.1", b"X:" + b" \t" * 16_000 + b"\x01"),
        head(b"GET a://" + b"b" * 32_000 + b" HTTP/1.x"),
        head(b"GET http://" + b"1" * 32_000 + b" HTTP/1.1"),
        CHUNKED + b"1;" + b'a="' * 10_000 + b"\r\n",
    ],
    ids=["spaces before", "spaces within", "spaces and a control", "bad version", "digits", "extensions"],
)
def test_no_request_holds_up_the_others(request_: bytes, start_server: StartServer) -> None:
    port = start_server(mirror, max_header_bytes=40_000).port
    with connect(port) as sock:
        sock.sendall(request_)
        assert ask(port, timeout=3.0).status == 200  # waitress's own parser: 10 to 30 s
        assert sock.recv(7) == b"HTTP/1."


def plain_or_refused(request: bytes) -> bytes | None:
    try:
        return plain_head(request)
    except ParsingError:
        return None


TEXT = st.text(alphabet="aB0 \t-_:,;=/[]@%\x00\n\r\x7f\xfc", max_size=12).map(lambda text: text.encode("latin-1"))


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_plain_head_is_plain_already(fields: list[tuple[bytes, bytes]]) -> None:
    once = plain_or_refused(head(b"GET /a HTTP/1.1", *[name + b":" + value for name, value in fields]))
    if once is not None:
        assert plain_head(once) == once
        assert once.count(CRLF) == once.count(b"\n") == once.count(b"\r") == len(fields) + 3


LINES = [
    *(b"GET / HTTP/1.1", b"POST /a?b=%00&c HTTP/1.1", b"GET //x/%C3%BC?? HTTP/1.1", b"OPTIONS * HTTP/1.1"),
    *(b"GET http://y:81/p?q HTTP/1.1", b"GET /%zz HTTP/1.0", b"PUT /;:@[] HTTP/1.0"),
]
FIELDS = [
    *(b"Content-Length: 5", b"Content-Length: 0", b"content-length: 17", b"Transfer-Encoding: Chunked"),
    *(b"Connection: close", b"Connection: Keep-Alive", b"connection: a, close", b"Expect: 100-Continue"),
    *(b"X-A: \xfc b", b"x_a: c", b"x-a: d", b"X-A:", b"Content_Type: a/b", b"Content-Type: c/d"),
]
READ = (
    *("headers", "command", "version", "request_uri", "path", "query", "fragment", "url_scheme", "proxy_scheme"),
    *("proxy_netloc", "connection_close", "expect_continue", "chunked", "content_length"),
)


@given(st.sampled_from(LINES), st.lists(st.one_of(st.sampled_from(FIELDS), TEXT), max_size=6))
def test_head_is_read_as_waitress_reads_it(line: bytes, fields: list[bytes]) -> None:
    request = head(line, *fields)
    ours, theirs = StrictRequest(Adjustments()), HTTPRequestParser(Adjustments())
    plain = plain_or_refused(request)
    if plain is None or request.index(CRLF * 2) != len(request) - 4:
        return
    ours.parse_header(request)
    theirs.parse_header(plain)
    assert {name: getattr(ours, name) for name in READ} == {name: getattr(theirs, name) for name in READ}
    assert (ours.body_rcv is None) == (theirs.body_rcv is None)
    heads = Heads()
    for _ in range(3):
        again = StrictRequest(Adjustments(), heads)
        again.received(request)
        assert again.error is None
        assert {name: getattr(again, name) for name in READ[:10]} == {name: getattr(theirs, name) for name in READ[:10]}
        again.headers["X_NEW"] = "of one request alone"


@pytest.mark.parametrize(
    ("lines", "is_remembered"),
    [
        ([b"POST /mailstore HTTP/1.1", b"Content-Length: 5", b"User-Agent: a"], True),
        ([b"GET / HTTP/1.1", b"Accept: */*", b"X-Forwarded-For: 192.0.2.1"], True),
        ([b"POST /mailstore HTTP/1.1", b"Authorization: Basic YTpi"], False),
        ([b"GET /dashboard HTTP/1.1", b"Cookie: session=secret"], False),
        ([b"GET / HTTP/1.1", b"X-Api-Key: secret"], False),
        ([b"GET / HTTP/1.1", b"X_Api_Key: secret"], False),
        ([b"GET /?token=secret HTTP/1.1"], False),
        ([b"PUT /push/update/abcdefghijklmnopqrstuvwxyz HTTP/1.1"], False),
        ([b"GET / HTTP/1.1", b"User-Agent: " + b"a" * 2000], False),
    ],
)
def test_heads_with_secrets_are_not_remembered(lines: list[bytes], is_remembered: bool) -> None:
    heads = Heads()
    heads.read(head(*lines))
    assert bool(heads._known) is is_remembered


def test_no_more_heads_are_remembered_than_so_many() -> None:
    heads = Heads()
    for number in range(1000):
        heads.read(head(b"POST / HTTP/1.1", b"Content-Length: %d" % number))
    assert len(heads._known) <= 256


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.integers(min_value=1, max_value=40))
def test_chunks_are_read_alike_however_they_arrive(chunks: list[bytes], piece: int) -> None:
    coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    body = ChunkedBody(OverflowableBuffer(1 << 20))
    taken = 0
    for start in range(0, len(coded), piece):
        taken += body.received(coded[start : start + piece] + (b"next" if start + piece >= len(coded) else b""))
    assert (taken, body.completed, body.error) == (len(coded), True, None)
    assert body.getfile().read() == b"".join(chunks)


FRAGMENTS = [
    *(b"GET ", b"POST ", b"/", b"*", b"http://x", b" HTTP/1.1", b" HTTP/1.0"),
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b":", b"?", b"#", b"[", b"%00", b"\x00", b"\xff"),
    *(
        b"Host: x",
        b"Content-Length: ",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Connection: keep-alive",
    ),
    *(b"5", b"0", b"hello"),
]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(FRAGMENTS),
            max_size=25,
        ).map(b"".join),
    )
)
def test_random_bytes_never_break_anything(mirroring: Running, request_: bytes) -> None:
    with connect(mirroring.port) as sock:
        sock.sendall(request_)
        sock.shutdown(1)
        answer = read_all(sock)
    statuses = [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d+) ", answer)]
    assert all(status < 500 for status in statuses)
    assert all(status == 200 or status == 100 or status >= 400 for status in statuses)
