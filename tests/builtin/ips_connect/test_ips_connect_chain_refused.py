"""What browsers get for calls that are wrong, or would lead them astray: the page with status 403, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import flask
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from integration_server import ConfigError
from integration_server.builtin.ips_connect.keys import key_of_id
from integration_server.builtin.ips_connect.places import USUAL_PATH
from tests.builtin.ips_connect.chain_network import MASTER_KEY, Network, Slave, running, state_of
from tests.builtin.ips_connect.tables_gone import tables_gone

SESSION = "ips_connect_forum_gw"
LOCAL = {"REMOTE_ADDR": "127.0.0.1"}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Two slaves, and settings as behind a proxy."""
    with running(
        tmp_path_factory.mktemp("refused"),
        public_url="https://sso.example/connect",
        home_url="https://home.example/start?a=1&b=2",
        known_hosts=["wiki.example"],
    ) as network:
        network.add()
        network.add()
        yield network


@pytest.fixture
def origin(network: Network) -> Slave:
    return network.slaves[0]


@pytest.fixture
def client(network: Network) -> FlaskClient:
    app = network.installation.app()
    assert isinstance(app, flask.Flask)
    return app.test_client()


def _get(client: FlaskClient, path: str = "/connect", **values: object) -> TestResponse:
    return client.get(path, query_string=values, environ_base=LOCAL)


def _call(client: FlaskClient, do: str = "crossLogin", id: str = "1", **values: object) -> TestResponse:
    return _get(client, **{"do": do, "id": id, "key": key_of_id(MASTER_KEY, id), **values})


def _is_refused(answer: TestResponse, reason: str) -> bool:
    """Whether it is the page, and a harmless one."""
    assert answer.status_code == 403
    assert answer.content_type == "text/html; charset=utf-8"
    assert "Location" not in answer.headers
    assert not answer.headers.getlist("Set-Cookie")
    assert answer.headers["Cache-Control"] == "no-cache, no-store, must-revalidate"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<script" not in answer.text.lower()
    assert not re.search(r"[0-9a-f]{32}", answer.text), "no key"
    return f"({reason})" in answer.text


@pytest.mark.parametrize("do", ["crossLogin", "logout"])
def test_the_key_is_checked_before_what_is_missing(client: FlaskClient, do: str) -> None:
    for key in ("", "wrong", MASTER_KEY, key_of_id(MASTER_KEY, "2"), key_of_id(MASTER_KEY, "1").upper(), "*0", "ä"):
        assert _is_refused(_call(client, do, key=key), "BAD_KEY")
    assert _is_refused(_get(client, do=do, key="wrong"), "BAD_KEY")
    assert _is_refused(_get(client, do=do), "BAD_KEY")
    # Who leaves the id out is compared with the raw key, and is missing it all the same.
    assert _is_refused(_get(client, do=do, key=MASTER_KEY), "REQUEST_MISSING_DATA")
    assert _is_refused(_call(client, do, id=""), "REQUEST_MISSING_DATA")
    assert _is_refused(_get(client, do=do, key=key_of_id(MASTER_KEY, "")), "BAD_KEY")


@pytest.mark.parametrize("do", ["crossLogin", "logout"])
def test_ids_that_cannot_be_taken_are_refused(client: FlaskClient, do: str) -> None:
    for values in ({"id[]": "1"}, {"id[0]": "1"}, {"id[a][b]": "1"}, {"id": "1", "id[]": "1"}):
        answer = _get(client, **{"do": do, "key": MASTER_KEY, **values})
        assert _is_refused(answer, "REQUEST_MISSING_DATA")
    huge = "1" * 321
    assert _is_refused(_call(client, do, id=huge), "BAD_KEY")
    assert _is_refused(_get(client, do=do, key=MASTER_KEY, id=huge), "REQUEST_MISSING_DATA")
    assert _call(client, do, id="9" * 320).status_code == 303, "nobody"


def test_browser_gets_a_page_and_a_way_on_while_the_store_cannot_be_asked(
    network: Network, client: FlaskClient, origin: Slave
) -> None:
    state = state_of(_call(client, url=origin.url, returnTo=origin.page).headers["Location"])
    with tables_gone(network.installation.store):
        begun = _call(client, returnTo=origin.page)
        back = _get(client, do="crossLogin", slaveReturn="1", state=state)
        assert _is_refused(_get(client, do="crossLogin", slaveReturn="1", state=state[:-1]), "INVALID_STATE")
    for answer, link in (
        (begun, "https://home.example/start?a=1&amp;b=2"),
        # Its query holds a key.
        (back, origin.page.partition("?")[0]),
    ):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.content_type == "text/html; charset=utf-8"
        assert f'<a href="{link}">' in answer.text
        assert not answer.headers.getlist("Set-Cookie")
    # What was not done can be done.
    assert _get(client, do="crossLogin", slaveReturn="1", state=state).status_code == 303


@pytest.mark.parametrize("do", ["crossLogin", "logout"])
@pytest.mark.parametrize("value", ["1", "true", "x"])
def test_nobody_is_this_servers_master(client: FlaskClient, origin: Slave, do: str, value: str) -> None:
    answer = _call(client, do, slaveCall=value, returnTo=origin.page)
    assert _is_refused(answer, "REQUEST_SLAVE_NOT_SLAVE")
    assert _is_refused(_get(client, do=do, slaveCall=value, returnTo=origin.page), "REQUEST_SLAVE_NOT_SLAVE")
    assert _call(client, do, slaveCall="0", returnTo=origin.page).status_code == 303


@pytest.mark.parametrize("do", ["crossLogin", "logout"])
@pytest.mark.parametrize(
    "url",
    [
        "//evil.example/",
        "/\\evil.example",
        "https:evil.example",
        "https://evil.example/",
        "https://wiki.example@evil.example/",
        "https://wiki.example.evil.example/",
        "https://wiki.example:8080/",
        "https://wiki.example\\.evil.example/",
        "https://wіki.example/",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "https://wiki.example/\r\nSet-Cookie: evil=1",
        "https://wiki.example/\r\n\r\n<script>alert(1)</script>",
        '"><script>alert(1)</script>',
        "https://wiki.example/" + "x" * 3000,
    ],
)
def test_the_right_key_opens_no_way_to_strangers(client: FlaskClient, do: str, url: str) -> None:
    answer = _call(client, do, returnTo=url)
    assert _is_refused(answer, "INVALID_REDIRECTION")
    assert "evil" not in answer.text
    assert "alert" not in answer.text
    assert '<a href="https://home.example/start?a=1&amp;b=2">' in answer.text


def test_values_over_every_limit_are_refused(client: FlaskClient, origin: Slave) -> None:
    large = "x" * 20_000
    for name in ("returnTo", "url", "slaveCall", "slaveReturn", "start", "origReturn", "state"):
        assert _is_refused(_call(client, **{name: large}), "REQUEST_MISSING_DATA")
    form = {"do": "crossLogin", "id": "1", "key": "wrong", "returnTo": "https://wiki.example/" + "x" * 900_000}
    answer = client.post("/connect", data=form, environ_base=LOCAL)
    assert _is_refused(answer, "BAD_KEY")
    answer = client.post("/connect", data={**form, "x": "x" * 200_000}, environ_base=LOCAL)
    assert answer.status_code == 413
    assert _call(client, returnTo=origin.page, unknown=large).status_code == 303


def test_hosts_of_slaves_that_have_left_are_known_no_more_and_of_those_that_pause_they_are(
    network: Network, client: FlaskClient
) -> None:
    gone, paused = network.add(), network.add()
    subscriptions = network.installation.store.subscriptions
    subscriptions.change(network.id(paused), is_active=False)
    network.receivers.end(network.id(gone), "it answers DISABLED")
    assert _call(client, returnTo=paused.page).status_code == 303
    assert _is_refused(_call(client, returnTo=gone.page), "INVALID_REDIRECTION")


def test_the_page_leads_to_where_the_browser_came_from_without_keys_or_home(client: FlaskClient, origin: Slave) -> None:
    for values in (
        {"returnTo": origin.page},
        {"origReturn": origin.page},
        {"returnTo": "x", "origReturn": origin.page},
    ):
        answer = _call(client, key="wrong", **values)
        assert _is_refused(answer, "BAD_KEY")
        assert f'<a href="{origin.origin}/index.php">Go on</a>' in answer.text
    answer = _call(client, key="wrong", returnTo="https://wiki.example/\"'><b>&amp;")
    assert _is_refused(answer, "BAD_KEY")
    assert '<a href="https://wiki.example/&quot;&#x27;&gt;&lt;b&gt;&amp;amp;">' in answer.text
    answer = _call(client, key="wrong", returnTo="https://evil.example/")
    assert '<a href="https://home.example/start?a=1&amp;b=2">' in answer.text


def test_behind_a_proxy_the_public_url_counts_whatever_the_host_header_says(client: FlaskClient, origin: Slave) -> None:
    for host in ("evil.example", "a b", "sso.example:99", "[::1"):
        answer = client.get(
            "/connect",
            query_string={
                "do": "crossLogin",
                "id": "1",
                "key": key_of_id(MASTER_KEY, "1"),
                "url": origin.url,
                "returnTo": origin.page,
            },
            environ_base=LOCAL,
            headers={"Host": host, "X-Forwarded-Host": "evil.example"},
        )
        assert answer.status_code == 303
        assert "returnTo=https%3A%2F%2Fsso.example%2Fconnect%3Fdo%3DcrossLogin" in answer.location
        assert "evil" not in answer.location
        cookie = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{SESSION}="))
        attributes = {part.strip().partition("=")[0]: part.strip().partition("=")[2] for part in cookie.split(";")[1:]}
        assert attributes.keys() == {"Expires", "Max-Age", "Secure", "HttpOnly", "Path", "SameSite"}
        assert (attributes["Path"], attributes["SameSite"], attributes["Max-Age"]) == ("/connect", "Lax", "2592000")
        client.delete_cookie(f"{SESSION}.chain", path="/connect")


def test_without_a_public_url_the_host_header_decides_the_way_back_here_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running(tmp_path_factory.mktemp("unset"), session_days=1.5) as network:
        a, _ = network.add(), network.add()
        app = network.installation.app()
        assert isinstance(app, flask.Flask)

        def ask(host: str, scheme: str = "http", return_to: str = a.page, path: str = "/connect") -> TestResponse:
            values = {"do": "crossLogin", "id": "1", "key": key_of_id(MASTER_KEY, "1"), "returnTo": return_to}
            return app.test_client().get(
                path, base_url=f"{scheme}://x", query_string={**values, "url": a.url}, headers={"Host": host},
                environ_base=LOCAL,
            )  # fmt: skip

        answer = ask("sso.example", "https", path="/connect" + USUAL_PATH)
        assert f"returnTo=https%3A%2F%2Fsso.example%2Fconnect{USUAL_PATH.replace('/', '%2F')}%3F" in answer.location
        cookies = [line for line in answer.headers.getlist("Set-Cookie") if "Secure" in line]
        assert len(cookies) == 2
        assert all("Path=/connect;" in line for line in cookies)
        assert "Max-Age=129600" in answer.headers.getlist("Set-Cookie")[1]
        answer = ask("sso.example")
        assert not any("Secure" in line for line in answer.headers.getlist("Set-Cookie"))
        assert _is_refused(ask("evil.example", return_to="http://evil.example/"), "INVALID_REDIRECTION")
        for host in ("a b", "x@y", "evil.example/x?", "<script>"):
            assert _is_refused(ask(host), "INVALID_HOST")
        assert _is_refused(ask("sso.example", return_to="https://wiki.example/"), "INVALID_REDIRECTION")


@pytest.mark.parametrize(
    "values", [{"public_url": "sso.example"}, {"home_url": "//home.example"}, {"known_hosts": ["https://wiki.example"]}]
)
def test_wrong_settings_are_told_with_their_table(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, object]
) -> None:
    with (
        pytest.raises(ConfigError, match=rf"frontends\.forum_gw.*{next(iter(values))}"),
        running(tmp_path_factory.mktemp("wrong"), **values),
    ):
        pass


_TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "0",
            "1",
            "2",
            "999",
            "http://127.0.0.2/",
            "https://wiki.example/x",
            "\0",
            "é",
            MASTER_KEY,
            "a.b",
            "x" * 400,
        ]
    ),
    st.text(max_size=30),
)
_NAMES = st.sampled_from(
    ["id", "key", "url", "returnTo", "origReturn", "slaveReturn", "start", "state", "slaveCall", "id[]", "x"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["crossLogin", "logout", "CROSSLOGIN"]),
    st.dictionaries(_NAMES, _TEXTS, max_size=8),
    st.booleans(),
    st.booleans(),
)
def test_whatever_is_sent_is_answered_with_a_page_or_a_way_to_somebody_known(
    network: Network, client: FlaskClient, do: str, sent: dict[str, str], has_key: bool, is_post: bool
) -> None:
    values = {"do": do, **sent}
    if has_key and "id" in sent:
        values["key"] = key_of_id(MASTER_KEY, sent["id"].replace("\0", ""))
    given = {"data": values} if is_post else {"query_string": values}
    answer = client.open("/connect", method="POST" if is_post else "GET", environ_base=LOCAL, **given)
    assert answer.status_code in (303, 403)
    if answer.status_code == 303:
        host = urlsplit(answer.location).hostname
        assert host in {"home.example", "wiki.example", *(urlsplit(slave.url).hostname for slave in network.slaves)}
    else:
        assert not re.search(r"[0-9a-f]{32}", answer.text)
