"""The MailStore protocol, sentence by sentence, and whatever else people may send."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from integration_server import Aligned, UserPage
from integration_server.builtin.mailstore import AuthCommand, ListCommand, parse_command, render_users
from tests.directory.memory import DOWN, WORLD
from tests.web.sites import SERVICE, MakeSite, Site, basic

FORM = "application/x-www-form-urlencoded"

# -- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "command"),
    [
        (b"cmd=list", ListCommand()),
        (b"cmd=list&x=1", ListCommand()),
        (b"x=&cmd=list", ListCommand()),
        (b"cmd=auth&user=john.doe&pass=Passw0rd", AuthCommand("john.doe", "Passw0rd")),
        (b"pass=p&user=u&cmd=auth", AuthCommand("u", "p")),
        (b"cmd=auth&user=u&pass=", AuthCommand("u", "")),
        (b"cmd=auth&user=&pass=p", AuthCommand("", "p")),
        (b"cmd=auth&user=a%40b.c&pass=%26%3D%3B%2B%25", AuthCommand("a@b.c", "&=;+%")),
        (b"cmd=auth&user=u&pass=a;b=c", AuthCommand("u", "a;b=c")),
        (b"cmd=auth&user=u&pass=a+b%20c ", AuthCommand("u", "a b c ")),
        (b"cmd=auth&user=J%C3%B6rg&pass=J\xc3\xb6rg", AuthCommand("Jörg", "Jörg")),
        (b"cmd=auth&user=u&pass=100%", AuthCommand("u", "100%")),
        (b"cmd=auth&user=u&pass=%zz", AuthCommand("u", "%zz")),
        (b"cmd=auth&user=u&pass=\r\n", AuthCommand("u", "\r\n")),
        (b"cmd=%6cist", ListCommand()),
    ],
)
def test_commands_are_read_from_a_form(body: bytes, command: object) -> None:
    assert parse_command(body) == command


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"&",
        b"=",
        b"cmd",
        b"cmd=",
        b"cmd=LIST",
        b"cmd=list ",
        b"cmd=delete",
        b"cmd=list&cmd=list",
        b"cmd=list&cmd=auth",
        b"user=hush-hush&pass=hush-hush",
        b"cmd=auth",
        b"cmd=auth&user=hush-hush",
        b"cmd=auth&pass=hush-hush",
        b"cmd=auth&User=hush-hush&Pass=hush-hush",
        b"cmd=auth&user=u&pass=hush-hush&pass=hush-hush",
        b"cmd=auth&user=u&user=v&pass=hush-hush",
        b"cmd=auth&user=u&pass=hush-hush%FF",
        b"cmd=auth&user=u&pass=hush-hush\xff",
        b"cmd=auth&user=u&pass=hush-hush%C3",
        b"cmd=auth&user=u&pass=hush-hush%ED%A0%80",
        b"cmd=auth&user=u&pass=hush-hush%C0%80",
        b"cmd=auth&user=u&pass=hush-hush%00",
        b"cmd=auth&user=u%00&pass=hush-hush",
        b"cmd=auth&user=u&pass=hush-hush&x=%00",
        b"cmd=auth&user=u&pass=" + b"x" * 4097,
        b"cmd=auth&pass=p&user=" + b"x" * 1_000_000,
        b"cmd=list&" + b"&".join(b"f%d=1" % n for n in range(16)),
        b'{"cmd": "list"}',
        b'[{"cmd": "list"}]',
        "cmd=list".encode("utf-16"),
        b"\xef\xbb\xbfcmd=list",
    ],
)
def test_anything_else_is_refused_and_not_repeated(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse_command(body)

    assert "hush-hush" not in str(raised.value)
    assert raised.value.__cause__ is None


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.text(st.characters(codec="utf-8")))
@example("&=;+%", "\r\n")
def test_every_text_arrives_as_it_was_sent(user: str, password: str) -> None:
    fields = {"cmd": "auth", "user": user, "pass": password.replace("\0", "")}
    for body in (urlencode(fields), urlencode(fields, quote_via=quote)):
        assert parse_command(body.encode()) == AuthCommand(user, password.replace("\0", ""))


# -- lists -----------------------------------------------------------------------------------------------------------


def strict(data: bytes) -> list[dict[str, Any]]:
    """JSON by two parsers, each key once and no value that JSON does not know."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found: list[dict[str, Any]] = json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)
    assert orjson.loads(data) == found
    return found


def test_a_list_has_names_addresses_and_what_else_is_known(make_site: MakeSite) -> None:
    mapping = {"distinguished_name": "uid={no},dc=example", "full_name": "cn", "emails": "mail"}
    site = make_site({"backends.hq": {"type": "memory", "map": mapping}})
    people = site.world["hq"]
    people.add("ann", cn="Ann Lee", mail=["ann@example.com", "a.lee@example.com"])
    people.add("Jörg", cn='"J" \\ \n\u2028 \N{GRINNING FACE}', mail="joerg@example.com")
    people.add("bare")
    people.add("four", no=Decimal("4.00"))
    response = site.list()

    assert response.status_code == 200
    assert strict(response.data) == [
        {
            "userName": "ann",
            "distinguishedName": "uid=1,dc=example",
            "fullName": "Ann Lee",
            "emailAddresses": ["ann@example.com", "a.lee@example.com"],
        },
        {
            "userName": "Jörg",
            "distinguishedName": "uid=2,dc=example",
            "fullName": '"J" \\ \n\u2028 \N{GRINNING FACE}',
            "emailAddresses": ["joerg@example.com"],
        },
        {"userName": "bare", "distinguishedName": "uid=3,dc=example", "emailAddresses": []},
        {"userName": "four", "distinguishedName": "uid=4,dc=example", "emailAddresses": []},
    ]


def test_every_value_is_a_string_numeric_columns_too(site: Site) -> None:
    site.world["hq"].rows.clear()
    for login, cn in ((42, 7), (43.0, 1.5), (Decimal("44.00"), True), ("45", b"bytes")):
        site.world["hq"].add(login, cn=cn, mail=[cn])
    users = strict(site.list().data)

    assert [user["userName"] for user in users] == ["42", "43", "44", "45"]
    assert [user["fullName"] for user in users] == ["7", "1.5", "1", "bytes"]
    assert [user["emailAddresses"] for user in users] == [["7"], ["1.5"], ["1"], ["bytes"]]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
ODD = st.sampled_from(
    ['"', "\\", '","', '"]},{"', "\n", "\x1f", "\x7f", "\u2028", "é", "\N{GRINNING FACE}", "</", "{}"]
)
VALUES = TEXTS | ODD


@st.composite
def pages(draw: st.DrawFn) -> UserPage:
    count = draw(st.integers(1, 5))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=count, max_size=count))

    optional = st.one_of(VALUES, st.none())
    kinds = st.sampled_from([None, VALUES, optional])
    full_names, dns = (None if kind is None else column(kind) for kind in (draw(kinds), draw(kinds)))
    emails = draw(st.sampled_from(["none", "one each", "in columns", "several"]))
    return UserPage(
        "hq",
        ids=column(TEXTS),
        usernames=column(VALUES),
        full_names=full_names,
        distinguished_names=dns,
        emails={
            "none": lambda: None,
            "one each": lambda: Aligned([column(VALUES)]),
            "in columns": lambda: Aligned(
                [column(draw(st.sampled_from([VALUES, optional]))), column(optional), column(optional)]
            ),
            "several": lambda: column(st.lists(VALUES, max_size=3)),
        }[emails](),
    )


@settings(max_examples=120)
@given(pages())
def test_a_page_of_any_texts_is_strict_json_of_just_these_texts(page: UserPage) -> None:
    found = strict(b"[" + render_users(page) + b"]")

    expected = []
    for user in page.users():
        one: dict[str, Any] = {"userName": user.username}
        if user.distinguished_name is not None:
            one["distinguishedName"] = user.distinguished_name
        if user.full_name is not None:
            one["fullName"] = user.full_name
        expected.append({**one, "emailAddresses": [email.address for email in user.emails]})
    assert found == expected
    assert [list(user) for user in found] == [list(user) for user in expected]


@pytest.mark.parametrize("count", [1, 2, 999, 1000, 1001, 2500])
def test_pages_join_into_one_array(count: int, site: Site) -> None:
    people = site.world["hq"]
    people.rows.clear()
    people.batch_size = 1000
    for n in range(count):
        people.add(f"user{n}", mail=f"user{n}@example.com", cn=f"User {n}")

    assert [user["userName"] for user in strict(site.list().data)] == [f"user{n}" for n in range(count)]


# -- logins ----------------------------------------------------------------------------------------------------------


def test_a_login_is_answered_with_one_boolean(site: Site) -> None:
    right, wrong = site.auth("ann", "Ann's password"), site.auth("ann", "wrong")

    assert (right.status_code, right.data) == (200, b'{"succeeded":true}')
    assert (wrong.status_code, wrong.data) == (200, b'{"succeeded":false}')
    for response in (right, wrong):
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("user", ["nobody", "off", "late", "ANN", "ann ", "bob@", "*", "' OR 1=1 --", "*)(uid=*"])
def test_everybody_else_just_does_not_succeed(user: str, make_site: MakeSite) -> None:
    site = make_site({"backends.hq": {"type": "memory", "map": {"is_disabled": "off", "expires_at": "until"}}})
    site.world["hq"].add("ann", "right")
    site.world["hq"].add("off", "right", off=1)
    site.world["hq"].add("late", "right", until="2020-01-01")

    assert site.accepts("ann", "right")
    assert not site.accepts(user, "right")


def test_an_empty_password_or_name_does_not_succeed_and_reaches_no_backend(site: Site) -> None:
    assert not site.accepts("ann", "")
    assert not site.accepts("", "Ann's password")
    assert not site.accepts("", "")
    assert site.world["hq"].calls == []


def test_passwords_of_all_letters_arrive(site: Site) -> None:
    password = "&=;+% \r\n\t\"'<>ä€\N{GRINNING FACE}\u2028 "
    site.world["hq"].add("dora", password)

    assert site.accepts("dora", password)
    assert not site.accepts("dora", password.strip())


def test_a_throttled_user_does_not_succeed_even_with_the_right_password(site: Site) -> None:
    for number in range(5):
        assert not site.accepts("ann", f"guess {number}")

    assert not site.accepts("ann", "Ann's password")
    assert site.accepts("bob", "Bob's password")


def test_an_outage_is_an_error_by_default(site: Site) -> None:
    site.world["hq"].error = DOWN
    response = site.auth("ann", "Ann's password")

    assert response.status_code == 503
    assert "succeeded" not in response.text


def test_an_outage_can_be_told_as_a_failed_login(make_site: MakeSite) -> None:
    site = make_site(auth_on_outage="reject")
    site.world["hq"].add("ann", "right")
    site.world["hq"].error = DOWN

    assert not site.accepts("ann", "right")
    assert site.list().status_code == 503


def test_listed_names_are_the_names_that_log_in(make_site: MakeSite) -> None:
    site = make_site(
        {"backends.hq": {"type": "memory", "map": {"username": {"from": "login", "lower": True}}}},
        filter={"exclude": "s*"},
    )
    for login in ("Ann", "BOB", "SvC", "Émile", "straße"):
        site.world["hq"].add(login, "right")
    listed = [user["userName"] for user in strict(site.list().data)]

    assert listed == ["ann", "bob", "émile"]
    assert all(site.accepts(name, "right") for name in listed)
    assert not site.accepts("svc", "right")


# -- HTTP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("authorization", [basic(*SERVICE), None])
def test_only_post_is_allowed(method: str, authorization: str | None, site: Site) -> None:
    site.authorization = authorization
    response = site.request(method)

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize("query", ["cmd=list", "cmd=auth&user=ann&pass=x", "x", "?", "pass"])
def test_a_query_string_is_refused_whatever_the_body_says(query: str, site: Site) -> None:
    response = site.list(query_string=query)

    assert response.status_code == 400
    assert "body" in response.get_json()["error"]
    assert site.world["hq"].calls == []


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "multipart/form-data; boundary=x", "application/xml", "x", FORM + "2"],
)
def test_other_content_types_are_refused(content_type: str, site: Site) -> None:
    assert site.post(b"cmd=list", content_type=content_type).status_code == 415


@pytest.mark.parametrize(
    "content_type", [FORM, FORM.upper(), f"{FORM}; charset=utf-8", f"{FORM};charset=UTF8", f"{FORM} ; x=y", "", None]
)
def test_a_form_may_name_its_charset_and_may_go_without_a_type(content_type: str | None, site: Site) -> None:
    assert site.post(b"cmd=list", content_type=content_type).status_code == 200


@pytest.mark.parametrize(
    ("size", "status"), [(0, 400), (100, 400), (1 << 20, 400), ((1 << 20) + 1, 413), (5 << 20, 413)]
)
def test_oversized_bodies_are_refused(size: int, status: int, site: Site) -> None:
    assert site.post(b"x" * size).status_code == status


@pytest.mark.parametrize("where", ["user", "pass"])
def test_a_name_or_password_of_a_megabyte_is_refused(where: str, site: Site) -> None:
    fields = {"cmd": "auth", "user": "ann", "pass": "x", where: "x" * 1_000_000}

    assert site.post(urlencode(fields)).status_code == 400
    assert site.post(urlencode({**fields, where: "x" * 4096})).get_json() == {"succeeded": False}


@pytest.mark.parametrize("body", [b"cmd=auth&user=ann&pass=hush-hush%FF", b"cmd=auth&user=ann", b"cmd=x", b"\xff"])
def test_a_bad_form_is_an_error_that_repeats_nothing(body: bytes, site: Site) -> None:
    response = site.post(body)

    assert response.status_code == 400
    assert response.is_json
    assert "hush-hush" not in response.text
    assert list(site.installation.store.failed_logins.everybody(0)) == []


@pytest.mark.parametrize(
    ("setting", "content_type"),
    [({}, "application/json; charset=utf-8"), ({"content_type": "text/json"}, "text/json; charset=utf-8")],
)
def test_the_content_type_is_registered_or_mailstores_own(
    setting: dict[str, str], content_type: str, make_site: MakeSite
) -> None:
    """Never charset=utf8, on which .NET's reader stumbles."""
    site = make_site(**setting)
    site.world["hq"].add("ann", "right")

    assert site.list().headers["Content-Type"] == content_type
    assert site.auth("ann", "right").headers["Content-Type"] == content_type


def test_no_conditional_request_gets_less_than_the_list(site: Site) -> None:
    first = site.list()
    for headers in (
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"Range": "bytes=0-1"},
    ):
        again = site.list(headers=headers)
        assert (again.status_code, again.data) == (200, first.data)


# -- over a real socket ----------------------------------------------------------------------------------------------


def ask(
    connection: http.client.HTTPConnection, body: str, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection.request("POST", "/mailstore", body, {"Content-Type": FORM, **headers})
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def test_a_dotnet_client_is_challenged_and_then_served_on_one_connection(site: Site) -> None:
    with site.serving() as connect:
        connection = connect()
        for body, answer in (("cmd=list", b"["), ("cmd=auth&user=ann&pass=Ann%27s+password", b'{"succeeded":true}')):
            status, headers, _ = ask(connection, body, Expect="100-continue")
            assert (status, headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
            assert site.authorization is not None
            status, headers, content = ask(connection, body, Authorization=site.authorization, Expect="100-continue")
            assert status == 200
            assert content.startswith(answer)


def test_answers_over_a_socket_are_those_of_the_protocol(site: Site) -> None:
    assert site.authorization is not None
    with site.serving() as connect:

        def status(body: str, method: str = "POST", path: str = "/mailstore", **headers: str) -> int:
            connection = connect()
            connection.request(
                method, path, body, {"Content-Type": FORM, "Authorization": str(site.authorization), **headers}
            )
            return connection.getresponse().status

        assert status("cmd=list") == 200
        assert status("", "GET") == 405
        assert status("cmd=list", path="/mailstore?cmd=list") == 400
        assert status("cmd=nonsense") == 400
        assert status("cmd=list", path="/nowhere") == 404
        assert status("x" * ((1 << 20) + 1)) == 413
        assert status("{}", **{"Content-Type": "application/json"}) == 415
        assert status("cmd=list", Authorization="Basic nonsense") == 401


def test_a_reader_who_stalls_in_a_list_delays_no_login(site: Site) -> None:
    people = site.world["hq"]
    people.batch_size = 1000
    for n in range(6000):
        people.add(f"user{n}", cn=f"{n:02000}")
    with site.serving(threads=4) as connect:
        stalled = []
        head = f"POST /mailstore HTTP/1.1\r\nHost: x\r\nAuthorization: {site.authorization}\r\nContent-Length: 8"
        port = connect().port
        for _ in range(8):
            reader = socket.create_connection(("127.0.0.1", port), timeout=20)
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.sendall(f"{head}\r\n\r\ncmd=list".encode())
            stalled.append(reader)
        for reader in stalled[:2]:
            assert reader.recv(12) == b"HTTP/1.1 200"
        status, _, content = ask(
            connect(), "cmd=auth&user=bob&pass=Bob%27s+password", Authorization=str(site.authorization)
        )
        for reader in stalled:
            reader.close()

    assert (status, content) == (200, b'{"succeeded":true}')


def test_many_clients_at_once_get_their_own_answers(site: Site) -> None:
    people = site.world["hq"]
    for n in range(20):
        people.add(f"user{n}", f"password {n}")
    wrong: list[object] = []

    def work(connection: http.client.HTTPConnection, n: int) -> None:
        for turn in range(10):
            is_right = (n + turn) % 3 != 0
            body = urlencode({"cmd": "auth", "user": f"user{n}", "pass": f"password {n}" if is_right else "wrong"})
            answer = ask(connection, body, Authorization=str(site.authorization))[2]
            if json.loads(answer) != {"succeeded": is_right}:
                wrong.append((n, turn, answer))

    with site.serving() as connect:
        threads = [threading.Thread(target=work, args=(connect(), n)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert wrong == []


# -- fuzzing ---------------------------------------------------------------------------------------------------------

#: Whatever anybody sends is the sender's fault (4xx) or an answer (200); 503 is what a held list gives.
FINE = {200, 303, 400, 401, 403, 404, 405, 413, 414, 415, 429}

PARTS = st.sampled_from(
    [b"cmd", b"=", b"&", b"list", b"auth", b"user", b"pass", b"ann", b"%", b"%00", b"%FF", b"%C3%B6", b"+", b";", b"\0"]
)
BODIES = st.one_of(st.binary(max_size=60), st.lists(PARTS, max_size=14).map(b"".join))
HEADER = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Authorization",
            "Accept-Encoding",
            "Accept",
            "Content-Encoding",
            "Content-Length",
            "Transfer-Encoding",
            "Host",
            "Expect",
            "Range",
            "If-None-Match",
            "Cookie",
            "X-Forwarded-For",
            "X-HTTP-Method-Override",
        ]
    ),
    HEADER | st.sampled_from(["Basic " + "QQ" * 40, "gzip;q=x", "-1", "99999999999999999999", "chunked", "*", ","]),
    max_size=3,
)
METHODS = st.sampled_from(["POST"] * 6 + ["GET", "HEAD", "OPTIONS", "TRACE", "FOO"])
TYPES = st.one_of(
    st.just(FORM), st.none(), HEADER, st.sampled_from(["multipart/form-data", "application/json", FORM + ";charset=x"])
)
QUERIES = st.one_of(st.just(""), HEADER)
PATHS = st.one_of(st.just("/mailstore"), st.text(st.characters(codec="utf-8"), max_size=12).map(lambda t: "/" + t))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(METHODS, PATHS, QUERIES, TYPES, HEADERS, BODIES, st.booleans())
def test_nothing_that_is_sent_breaks_the_application(
    site: Site,
    method: str,
    path: str,
    query: str,
    content_type: str | None,
    headers: dict[str, str],
    body: bytes,
    is_known: bool,
) -> None:
    site.authorization = basic(*SERVICE) if is_known else None
    length = headers.pop("Content-Length", None)
    response = site.request(
        method,
        query_string=query,
        headers=headers,
        data=body,
        content_type=content_type,
        environ_overrides={"PATH_INFO": path.encode().decode("latin-1")}
        | ({} if length is None else {"CONTENT_LENGTH": length}),
    )

    assert response.status_code in FINE, response.text
    if response.status_code == 200:
        assert json.loads(response.data) is not None
    response.close()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8"), max_size=30), st.text(st.characters(codec="utf-8"), max_size=30))
@example("ß" * 1024, "x")
@example("\N{GRINNING FACE}" * 1024, "x")
@example("x" * 4096, "x" * 4096)
def test_no_name_or_password_breaks_a_login(site: Site, user: str, password: str) -> None:
    response = site.auth(user, password)

    assert response.status_code in (200, 400)
    if response.status_code == 200:
        assert response.get_json() == {"succeeded": False}


RAW = st.one_of(
    st.binary(min_size=1, max_size=80),
    st.tuples(
        st.sampled_from([b"POST", b"GET", b"post", b"\xff", b""]),
        st.sampled_from(
            [b"/mailstore", b"/mailstore?x", b"//x/../mailstore", b"*", b"/%00", b"/\xff", b"http://x/mailstore"]
        ),
        st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"x"]),
        st.lists(
            st.sampled_from(
                [
                    b"Host: x",
                    b"Content-Length: 8",
                    b"Content-Length: 8",
                    b"Content-Length: -1",
                    b"Content-Length: 8, 8",
                    b"Transfer-Encoding: chunked",
                    b"Transfer-Encoding: gzip",
                    b"Expect: 100-continue",
                    b"Authorization: Basic",
                    b"Authorization : x",
                    b"X: \0",
                    b": x",
                    b" folded",
                    b"Content-Type: application/x-www-form-urlencoded",
                    b"Connection: close",
                ]
            ),
            max_size=5,
        ),
        st.sampled_from([b"cmd=list", b"", b"8\r\ncmd=list\r\n0\r\n\r\n", b"x" * 100]),
    ).map(lambda p: p[0] + b" " + p[1] + b" " + p[2] + b"\r\n" + b"".join(h + b"\r\n" for h in p[3]) + b"\r\n" + p[4]),
)


@pytest.fixture
def served(site: Site) -> Iterator[tuple[Site, int]]:
    with site.serving(header_seconds=0.3, body_seconds=0.3, idle_seconds=0.3) as connect:
        yield site, connect().port


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RAW)
def test_no_bytes_break_the_server(served: tuple[Site, int], raw: bytes) -> None:
    _, port = served
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(65536):
            answer += data

    for line in answer.split(b"\r\n"):
        if line.startswith(b"HTTP/1."):
            assert int(line.split()[1]) in {100, 200, *range(400, 500), 501, 505}, answer


def test_the_server_answers_after_everything_that_was_thrown_at_it(served: tuple[Site, int]) -> None:
    site, port = served
    for raw in (b"\0" * 100, b"GET / HTTP/1.1\r\n" * 50, b"POST /mailstore HTTP/1.1\r\nContent-Length: 99\r\n\r\nx"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(raw)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    assert ask(connection, "cmd=list", Authorization=str(site.authorization))[0] == 200
    connection.close()


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    yield
    WORLD.clear()
