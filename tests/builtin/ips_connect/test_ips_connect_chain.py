"""Browsers that are led through real slaves, hop by hop: who is visited, in which order, and who is left out."""

from __future__ import annotations

import http.client
import logging
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import flask
import pytest

from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.chain import Chain
from integration_server.builtin.ips_connect.keys import key_of_id
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.methods import METHODS
from integration_server.builtin.ips_connect.places import USUAL_PATH
from integration_server.builtin.ips_connect.settings import GatewaySettings
from integration_server.builtin.ips_connect.tables import TABLES
from tests.builtin.ips_connect.chain_network import MASTER_KEY, Answer, Browser, Network, Slave, running, state_of

SESSION = "ips_connect_forum_gw"
TRAIL = "ips_connect_forum_gw.chain"


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with running(tmp_path) as network:
        yield network


def _chain(network: Network) -> Chain:
    """Another one of the same mount, as another process has it."""
    gateway = network.installation.gateway("forum_gw")
    settings = network.installation.mounts["forum_gw"].settings
    assert isinstance(settings, GatewaySettings)
    key = MasterKey("forum", gateway.storage(TABLES), MASTER_KEY)
    return Chain("forum", network.accounts, key, gateway, settings, network.clock)


def _hosts(answers: list[Answer]) -> list[str]:
    return [urlsplit(answer.url).netloc for answer in answers]


# -- the way ---------------------------------------------------------------------------------------------------------


def test_each_slave_is_visited_once_in_order_and_the_one_that_began_is_left_out(network: Network) -> None:
    slaves = [network.add() for _ in range(5)]
    for origin in (slaves[0], slaves[2], slaves[4]):
        answers = network.log("in", origin)
        others = [slave for slave in slaves if slave is not origin]
        visited = [host for host in _hosts(answers) if not host.startswith("127.0.0.1:")]
        assert visited == [urlsplit(slave.url).netloc for slave in others]
        assert answers[-1].location == origin.page
        assert [len(slave.visits) for slave in slaves] == [int(slave is not origin) for slave in slaves]
        for slave in slaves:
            slave.visits.clear()


def test_a_slave_is_called_with_its_own_key_and_a_way_back_that_shows_no_key_of_the_master(network: Network) -> None:
    a, b = network.add(), network.add()
    network.log("in", a)
    visit = b.visits[0]
    assert visit.keys() == {"do", "key", "id", "slaveCall", "url", "returnTo"}
    assert (visit["do"], visit["id"], visit["slaveCall"], visit["url"]) == ("crossLogin", "1", "1", a.url)
    assert visit["key"] == key_of_id(b.key, "1")
    assert visit["returnTo"].startswith(f"{network.url}?do=crossLogin&slaveReturn=1&state=")
    assert key_of_id(MASTER_KEY, "1") not in visit["returnTo"]
    assert MASTER_KEY not in visit["returnTo"]


def test_a_login_reaches_every_host_and_a_logout_ends_it_there_with_the_masters_own_last(network: Network) -> None:
    a, b, c = network.add(), network.add(), network.add()
    answers = network.log("in", a)
    assert answers[0].cookie(SESSION) is not None, "the master's own comes first"
    assert [network.browser.cookies(f"127.0.0.{host}").get("member") for host in (3, 4)] == ["1", "1"]
    assert network.browser.cookies().keys() == {SESSION}

    answers = network.log("out", a)
    assert [network.browser.cookies(f"127.0.0.{host}").get("member") for host in (3, 4)] == ["", ""]
    ours = [answer for answer in answers if answer.url.startswith(network.url)]
    assert [answer.cookie(SESSION) is None for answer in ours] == [True, True, False]
    assert ours[-1].location == a.page
    assert network.browser.cookies() == {}
    assert (b.methods, c.methods) == (["crossLogin", "logout"], ["crossLogin", "logout"])


def test_a_slave_whose_url_has_a_query_keeps_it(network: Network) -> None:
    a, b = network.add(), network.add("/index.php?app=core&module=gw")
    network.log("in", a)
    assert b.visits[0]["app"] == "core"
    assert b.visits[0]["module"] == "gw"
    assert b.visits[0]["do"] == "crossLogin"


def test_a_chain_begins_by_post_and_in_any_case_and_under_the_usual_path(network: Network) -> None:
    a, b = network.add(), network.add()
    form = dict(parse_qsl(urlsplit(network.call("CROSSLOGIN", url=a.url, returnTo=a.page)).query))
    first = network.browser.get(network.url + USUAL_PATH, form=form)
    assert first.status == 303
    answers = network.browser.follow(first.location, a.page)
    assert answers[-1].location == a.page
    assert b.visits[0]["do"] == "crossLogin"
    assert b.visits[0]["returnTo"].startswith(network.url + USUAL_PATH)


def test_the_url_of_the_slave_counts_letter_for_letter(network: Network) -> None:
    a, b = network.add(), network.add()
    network.browser.follow(network.call(url=a.url + "/", returnTo=a.page), a.page)
    assert (len(a.visits), len(b.visits)) == (1, 1)
    assert a.visits[0]["url"] == network.url, "no slave began it"


def test_slaves_of_other_accounts_are_none_of_the_network(network: Network) -> None:
    a = network.add()
    other = network.add(backend="other")
    network.log("in", a)
    assert other.visits == []
    assert network.browser.get(network.call(url=a.url, returnTo=other.page)).status == 403


def test_with_the_origin_alone_the_browser_goes_straight_back(network: Network) -> None:
    a = network.add()
    answers = network.log("in", a)
    assert [answer.location for answer in answers] == [a.page]
    assert answers[0].cookie(SESSION) is not None


def test_fifty_slaves_are_visited_and_no_url_is_longer_than_8_kb(network: Network) -> None:
    slaves = [network.add("/a/rather/long/path/to/a/gateway/index.php?which=connect") for _ in range(50)]
    page = f"{slaves[0].origin}/{'x' * 2000}"
    answers = network.log("in", slaves[0], returnTo=page)
    assert [len(slave.visits) for slave in slaves] == [0] + [1] * 49
    assert answers[-1].location == page
    assert max(len(answer.url) for answer in answers) < 8000
    assert max(slave.looks for slave in slaves) == 1


def test_curl_is_led_through_the_whole_chain(network: Network, tmp_path: Path) -> None:
    a, b, c = network.add(), network.add(), network.add()
    url = network.call(url=a.url, returnTo=f"{a.origin}/gw")
    command = [
        "curl",
        "--silent",
        "--location",
        "--noproxy",
        "*",
        "--write-out",
        "\n%{http_code} %{num_redirects}",
        url,
    ]
    for jar in ([], ["--cookie-jar", str(tmp_path / "jar"), "--cookie", str(tmp_path / "jar")]):
        done = subprocess.run([*command, *jar], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.endswith("\n200 5")
    assert (len(b.visits), len(c.visits), a.looks) == (2, 2, 2)


def test_a_script_is_told_where_to_lead_the_browser(network: Network) -> None:
    a, b = network.add(), network.add()
    script = {"X-Requested-With": "XMLHttpRequest"}
    first = network.browser.get(network.call(url=a.url, returnTo=a.page), script)
    assert (first.status, first.headers["Content-Type"]) == (200, "application/json")
    assert first.headers["Location"] is None
    answer = flask.json.loads(first.text)
    assert answer["message"] == ""
    assert answer["redirect"].startswith(b.url)
    assert first.cookie(SESSION) is not None
    back = network.browser.get(network.browser.get(answer["redirect"]).location, script)
    assert flask.json.loads(back.text) == {"redirect": a.page, "message": ""}


def test_redirects_are_kept_by_nobody_and_tell_other_sites_our_origin_alone(network: Network) -> None:
    a = network.add()
    network.add()
    for answer in [*network.log("in", a), network.browser.get(network.call(key="wrong"))]:
        if answer.url.startswith(network.url):
            assert answer.headers.get_all("Cache-Control") == ["no-cache, no-store, must-revalidate"]
            assert (answer.headers["Pragma"], answer.headers["Expires"]) == ("no-cache", "0")
            assert answer.headers["Referrer-Policy"] == "strict-origin"


def test_somebody_unknown_gets_no_session_but_is_led_on(network: Network) -> None:
    a, b = network.add(), network.add()
    for id in ("4711", "01x", "ann@example.org", "ä&?#=/%"):
        b.visits.clear()
        answers = network.browser.follow(network.call(id=id, url=a.url, returnTo=a.page), a.page)
        assert [answer.cookie(SESSION) for answer in answers] == [None] * 3
        assert (b.visits[0]["id"], b.visits[0]["key"]) == (id, key_of_id(b.key, id))
    assert network.browser.cookies("127.0.0.3") == {}


def test_who_is_banned_or_must_be_confirmed_gets_no_session_either(network: Network) -> None:
    a = network.add()
    network.accounts.set_ban(1, True)
    person = NewPerson("Dan", "dan@example.org", "hash", "salt", revalidate_url=a.page)
    new = str(network.accounts.register(person).account.id)
    for id in ("1", new):
        assert network.browser.get(network.call(id=id, url=a.url, returnTo=a.page)).cookie(SESSION) is None


def test_the_session_of_a_browser_is_that_of_who_logged_in_last_until_the_password_changes(network: Network) -> None:
    a = network.add()
    sessions = _chain(network).sessions
    for id in ("1", "2"):
        network.browser.get(network.call(id=id, url=a.url, returnTo=a.page))
        account = sessions.account(network.browser.cookies()[SESSION])
        assert account == network.account(int(id))
    cookie = network.browser.cookies()[SESSION]
    network.accounts.change_password(2, "another hash", "another salt")
    assert sessions.account(cookie) is None


def test_network_that_is_too_large_for_urls_is_visited_as_far_as_they_reach(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    a = network.add()
    subscriptions = network.installation.store.subscriptions
    (one,) = subscriptions.all()
    for number in range(305):
        settings = {**one.settings, "url": f"{a.url}?board={number}"}
        id, joined = f"sub_{number}", one.created_at + number + 1
        subscriptions.add(replace(one, id=id, uid=id, settings=settings, created_at=joined))
    return_to = f"{a.page}&filler={'x' * 1900}"
    answer = network.browser.get(network.call(url=a.url, returnTo=return_to))
    assert answer.status == 303
    assert 6_000 < len(answer.location) < 8_000
    assert "visits 300 slaves, and leaves out the 5 that joined last" in caplog.text
    # And back with it.
    back = network.browser.get(dict(parse_qsl(urlsplit(answer.location).query))["returnTo"])
    assert (back.status, "board=1&" in back.location) == (303, True)


# -- the end ---------------------------------------------------------------------------------------------------------


def test_who_has_no_way_back_gets_a_page_or_is_led_home(network: Network, tmp_path: Path) -> None:
    a = network.add()
    for do, title in (("crossLogin", "You are logged in"), ("logout", "You are logged out")):
        answer = network.browser.get(network.call(do, url=a.url))
        assert answer.status == 200
        assert f"<h1>{title}</h1>" in answer.text
    folder = tmp_path / "with a home"
    folder.mkdir()
    with running(folder, home_url="https://home.example/start") as other:
        a = other.add()
        assert other.browser.get(other.call("logout", url=a.url)).location == "https://home.example/start"


def test_a_logout_needs_no_slave_and_a_login_does(network: Network) -> None:
    answer = network.browser.get(network.call("logout"))
    assert answer.status == 200
    answer = network.browser.get(network.call("crossLogin"))
    assert (answer.status, "REQUEST_NOT_SLAVE_IS_SLAVE" in answer.text) == (403, True)
    assert network.browser.get(network.call("crossLogin", url=network.url)).status == 200, "we began it ourselves"
    a = network.add()
    network.receivers.end(network.id(a), "it answers DISABLED")
    assert network.browser.get(network.call("crossLogin")).status == 403


def test_the_master_itself_begins_chains_that_leave_nobody_out(network: Network) -> None:
    a, b = network.add(), network.add()
    context = flask.Flask("x").test_request_context(base_url=network.url.removesuffix("/connect"), path="/connect")
    with context:
        url = _chain(network).start_url(METHODS["logout"], network.account(1), a.page)
    answers = network.browser.follow(url, a.page)
    assert answers[-1].location == a.page
    assert [len(slave.visits) for slave in (a, b)] == [1, 1]
    assert a.visits[0]["url"] == network.url


# -- slaves that do not answer ---------------------------------------------------------------------------------------


def test_a_slave_that_is_dead_or_silent_is_left_out(network: Network) -> None:
    a, dead, silent, d = network.add(), network.add(), network.add(manner="slow"), network.add()
    dead.close()
    answers = network.log("in", a)
    assert answers[-1].location == a.page
    assert len(d.visits) == 1
    assert len(silent.visits) == 0
    # What was seen counts for a minute, for everybody.
    silent.manner = "good"
    answers = network.browser.follow(network.call(id="2", url=a.url, returnTo=a.page), a.page)
    assert (len(silent.visits), len(d.visits), d.looks) == (0, 2, 1)
    network.clock.now += 61
    network.log("out", a)
    assert (silent.methods, len(d.visits), d.looks) == (["logout"], 3, 2)


def test_a_look_at_a_silent_slave_holds_nobody_else_up(network: Network) -> None:
    a, _silent = network.add(), network.add(manner="slow")
    answers: list[Answer] = []
    waiting = threading.Thread(target=lambda: answers.extend(network.log("in", a)))
    waiting.start()
    connection = http.client.HTTPConnection("127.0.0.1", network.port, timeout=20)
    for _ in range(3):
        connection.request("GET", "/connect?do=nonsense")
        assert connection.getresponse().read() == b'{"status":"INVALID_ACTION"}'
    assert waiting.is_alive()
    connection.close()
    waiting.join(20)
    assert answers[-1].location == a.page


def test_slaves_that_are_known_to_be_down_or_have_left_are_left_out_without_a_look(network: Network) -> None:
    a, resting, ended, paused, e = (network.add() for _ in range(5))
    subscriptions = network.installation.store.subscriptions
    subscriptions.change(network.id(resting), state="resting")
    network.receivers.end(network.id(ended), "it answers DISABLED")
    subscriptions.change(network.id(paused), is_active=False)
    network.log("in", a)
    assert [len(slave.visits) for slave in (resting, ended, paused, e)] == [0, 0, 0, 1]
    assert [slave.looks for slave in (resting, ended, paused, e)] == [0, 0, 0, 1]


def test_a_slave_that_leaves_while_the_chain_is_under_way_is_left_out(network: Network) -> None:
    a, b, c, d = (network.add() for _ in range(4))
    first = network.browser.get(network.call(url=a.url, returnTo=a.page))
    network.receivers.end(network.id(c), "it answers DISABLED")
    answers = network.browser.follow(first.location, a.page)
    assert answers[-1].location == a.page
    assert [len(slave.visits) for slave in (b, c, d)] == [1, 0, 1]


def test_a_slave_that_strands_a_browser_is_left_out_when_that_comes_again(network: Network) -> None:
    a, b, c, d = network.add(), network.add(), network.add(), network.add()
    b.manner = "forbidden"
    assert network.log("in", a)[-1].status == 403, "stranded at b"
    c.manner = "forbidden"
    assert network.log("in", a)[-1].status == 403, "stranded at c"
    answers = network.log("in", a)
    assert answers[-1].location == a.page
    assert [len(slave.visits) for slave in (b, c, d)] == [1, 1, 1]
    # Another browser, and this one after a while, are sent there again.
    assert Browser().follow(network.call(url=a.url, returnTo=a.page), a.page)[-1].url.startswith(b.url)
    b.manner = c.manner = "good"
    network.clock.now += 599
    network.log("out", a)
    assert (b.methods[2:], c.methods[1:], d.methods[1:]) == ([], [], ["logout"])
    network.clock.now += 2
    network.log("out", a)
    assert (b.methods[2:], c.methods[1:], d.methods[1:]) == (["logout"], ["logout"], ["logout", "logout"])


def test_a_browser_that_came_back_everywhere_keeps_no_trail(network: Network) -> None:
    a, b = network.add(), network.add()
    answers = network.log("in", a)
    assert "Max-Age=600" in (answers[0].cookie(TRAIL) or "")
    assert TRAIL not in network.browser.cookies()
    network.log("in", a)
    assert len(b.visits) == 2


# -- states ----------------------------------------------------------------------------------------------------------


def _at_b(network: Network) -> tuple[Slave, str]:
    """The origin, and the URL to which the first slave sends back."""
    a, b = network.add(), network.add()
    network.add()
    first = network.browser.get(network.call(url=a.url, returnTo=a.page))
    assert first.location.startswith(b.url)
    return a, network.browser.get(first.location).location


def test_a_step_is_done_once(network: Network) -> None:
    a, back = _at_b(network)
    answers = network.browser.follow(back, a.page)
    assert answers[-1].location == a.page
    for browser in (network.browser, Browser()):
        for url in {answer.url for answer in answers if answer.url.startswith(network.url)}:
            answer = browser.get(url)
            assert (answer.status, "REPEATED_STATE" in answer.text) == (403, True)
            assert f'<a href="{a.origin}/index.php">' in answer.text, "a way on, without the keys"
            assert "hush" not in answer.text
            assert answer.location is None


def test_a_browser_that_did_not_get_the_answer_may_ask_again(network: Network) -> None:
    a, back = _at_b(network)
    connection = http.client.HTTPConnection("127.0.0.1", network.port, timeout=20)
    cookies = "; ".join(f"{name}={value}" for name, value in network.browser.cookies().items())
    connection.request("GET", back.partition(str(network.port))[2], headers={"Cookie": cookies})
    assert connection.getresponse().status == 303
    connection.close()
    assert network.browser.follow(back, a.page)[-1].location == a.page


def test_a_state_is_good_for_ten_minutes(network: Network) -> None:
    a, back = _at_b(network)
    network.clock.now += 601
    answer = network.browser.get(back)
    assert (answer.status, "EXPIRED_STATE" in answer.text) == (403, True)
    assert f'<a href="{a.origin}/index.php">' in answer.text
    network.clock.now -= 2
    assert network.browser.get(back).status == 303


def test_a_state_that_is_forged_truncated_or_of_another_kind_leads_nowhere(network: Network) -> None:
    a, back = _at_b(network)
    state = state_of(back)
    content, _, signature = state.partition(".")
    trail = network.browser.cookies()[TRAIL]
    forged = [
        state[:-1],
        state[1:],
        content,
        content + ".",
        "." + signature,
        content[:-2] + "AA." + signature,
        state + "=",
        state + ".",
        trail,
        network.browser.cookies()[SESSION],
        "x",
        ".",
        "é.é",
        "\0",
        "[]",
        "x" * 9000,
    ]
    for one in forged:
        for do in ("crossLogin", "logout"):
            answer = network.browser.get(network.call(do, slaveReturn="1", state=one))
            assert (answer.status, "INVALID_STATE" in answer.text) == (403, True), one
            assert answer.location is None
            assert answer.cookie(SESSION) is None
    assert network.browser.get(back.replace("crossLogin", "logout")).status == 403, "of a login"
    answer = network.browser.get(network.call(slaveReturn="1", start="1", origReturn=a.page))
    assert (answer.status, "INVALID_STATE" in answer.text) == (403, True)
    assert f'<a href="{a.origin}/index.php">' in answer.text
    assert network.browser.follow(back, a.page)[-1].location == a.page, "none of them used it up"


def test_no_key_and_no_query_reaches_the_log(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        a = network.add()
        dead = network.add()
        dead.close()
        network.add()
        network.log("in", a)
        network.browser.get(network.call(key="a wrong one", returnTo=a.page))
        network.browser.get(network.call(returnTo="https://evil.example/?token=hush"))
    assert f"{network.id(dead)} does not answer" in caplog.text
    assert "BAD_KEY" in caplog.text
    assert "evil.example" in caplog.text
    for secret in (MASTER_KEY, key_of_id(MASTER_KEY, "1"), "hush", "a wrong one", "state=", dead.key):
        assert secret not in caplog.text, secret
