"""The consumer and one slave: what it is sent, what its answers mean, and what is remembered of a try."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from integration_server import (
    TEST_PING,
    USER_SNAPSHOT,
    AddressRefused,
    ConfigError,
    ConsumerContext,
    ConsumerGone,
    ConsumerUnavailable,
    Deadline,
    Delivery,
    DeliveryFailed,
    Event,
    HttpClient,
    Receipt,
    Storage,
    Tables,
    Watchdog,
    ping_event,
)
from integration_server.builtin.ips_connect import SlaveConsumer, SlaveSettings
from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.handovers import Handovers
from integration_server.builtin.ips_connect.pushes import TYPES
from integration_server.builtin.ips_connect.tables import TABLES, handed_over
from integration_server.sdk.storage import no_storage
from integration_server.sdk.testing import ConsumerConformance, Outage
from integration_server.store import Store
from tests.builtin.ips_connect.slaves import Gone, Member, Parameters, Slave, as_ipbwi, as_json, as_member
from tests.scripted_server import ScriptedServer, answering, read_request
from tests.servers.certificates import Authority

HASH, SALT, KEY = "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2", "leEvXu77OIwPwNvtZIJval", "b" * 32
ALICE = NewPerson("Alice", "alice@example.com", HASH, SALT)
BOB = NewPerson("Bob", "bob@example.com", HASH, SALT)
_NUMBERS = itertools.count(1)
_NAMES = itertools.count()

Make = Callable[..., SlaveConsumer]


@pytest.fixture
def slave() -> Iterator[Slave]:
    with Slave(KEY) as running:
        yield running


@pytest.fixture
def backend() -> str:
    return f"slave{next(_NAMES)}"


@pytest.fixture
def accounts(store: Store, backend: str) -> Accounts:
    return Accounts(backend, store.storage(TABLES))


@pytest.fixture
def make(store: Store, backend: str, slave: Slave, tmp_path: Path) -> Iterator[Make]:
    """A consumer for the slave; each call as after a restart of the server."""
    http = HttpClient(["127.0.0.0/8"], Watchdog())

    def made(**values: Any) -> SlaveConsumer:
        table = {"type": "ips_connect", "backend": backend, "url": slave.url, "key": KEY, **values}
        context = ConsumerContext(f"sub_{backend}", http, Watchdog(), tmp_path, time.time, store.storage)
        return SlaveConsumer(SlaveSettings.model_validate(table), context)

    yield made
    http.close()


@pytest.fixture
def consumer(make: Make) -> SlaveConsumer:
    return make()


def event(method: str, id: int = 1, **after: object) -> Event:
    number = next(_NUMBERS)
    return Event(number, f"evt_{number}", f"ips_connect.{method}", "forum", str(id), 1.0, after=after)


def deliver(consumer: SlaveConsumer, event: Event, seconds: float = 5.0) -> Receipt:
    return consumer.deliver(Delivery(event.id, "sub", (event,), 1, False), Deadline(seconds))


def told(store: Store, backend: str) -> list[Event]:
    """What was told of the accounts."""
    return [one for one in store.journal.events(0, 100_000) if one.backend == backend]


def test_slave_that_gets_everything_has_what_the_master_has(
    store: Store, backend: str, accounts: Accounts, consumer: SlaveConsumer, slave: Slave
) -> None:
    alice = accounts.register(ALICE).account.id
    bob = accounts.register(NewPerson("Bob", "bob@example.com", HASH, SALT, "https://a.example/?x=1&y=ä")).account.id
    accounts.change_name(alice, "Ålice & ++ %41")
    accounts.change_name(bob, "Alice")
    accounts.change_password(bob, "other/hash=+", "a b&c")
    accounts.validate(bob)
    accounts.change_email(alice, "ålice+1@example.com")
    accounts.set_ban(alice, True)
    cyd = accounts.register(NewPerson("Bob", "cyd@example.com", HASH, SALT)).account.id
    accounts.merge(bob, cyd)
    for each in told(store, backend):
        assert deliver(consumer, each).status == 200
    assert slave.members() == {one.id: as_member(one) for some in accounts.everybody(10) for one in some}
    # Nobody but slaves have these in their query, and a master says nothing of itself.
    assert all("url=" not in query for query in slave.queries)


def test_new_password_of_an_account_that_is_gone_is_told_to_nobody(
    accounts: Accounts, consumer: SlaveConsumer, slave: Slave
) -> None:
    receipt = deliver(consumer, event("changePassword"))
    assert receipt.status is None
    assert "the account is gone" in str(receipt.response)
    assert slave.queries == []


def test_account_that_is_gone_comes_and_goes(
    store: Store, backend: str, accounts: Accounts, consumer: SlaveConsumer, slave: Slave
) -> None:
    """Whoever was merged into it in between is gone, too."""
    alice, bob = accounts.register(ALICE).account.id, accounts.register(BOB).account.id
    accounts.merge(alice, bob)
    accounts.delete(alice)
    accounts.register(BOB)
    for each in told(store, backend):
        deliver(consumer, each)
    assert slave.members() == {one.id: as_member(one) for some in accounts.everybody(10) for one in some}
    assert HASH not in slave.forum.done[0]["pass_hash"]


def test_success_counts_whatever_the_http_status_is(consumer: SlaveConsumer, slave: Slave) -> None:
    slave.says('{"status":"SUCCESS"}', 500)
    assert deliver(consumer, event("delete")) == Receipt(500, '{"status":"SUCCESS"}')


@pytest.mark.parametrize("accept_empty", [True, False])
def test_slave_that_says_nothing_is_told_once_if_that_is_known(make: Make, slave: Slave, accept_empty: bool) -> None:
    slave.script = lambda sent: as_ipbwi(slave.forum.call(sent))
    consumer = make(accept_empty=accept_empty)
    if accept_empty:
        assert deliver(consumer, event("delete")).status == 200
    else:
        with pytest.raises(DeliveryFailed, match="set accept_empty"):
            deliver(consumer, event("delete"))
    with pytest.raises(DeliveryFailed, match="refuses our key; it must register again"):
        deliver(make(accept_empty=True, key="another"), event("delete"))


def test_slave_that_left_ends_the_subscription(consumer: SlaveConsumer, slave: Slave) -> None:
    slave.forum.is_enabled = False
    with pytest.raises(ConsumerGone, match=rf"^http://127\.0\.0\.1:{slave.port} answers DISABLED"):
        deliver(consumer, event("delete"))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_slave_that_asks_for_a_rest_gets_it(consumer: SlaveConsumer, slave: Slave, status: int) -> None:
    slave.says("<h1>wait</h1>", status, Retry_After="77")
    with pytest.raises(ConsumerUnavailable) as caught:
        deliver(consumer, event("delete"))
    assert (caught.value.status, caught.value.retry_after) == (status, 77.0)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ('{"status":"FAILURE"}', 200, "answers FAILURE"),
        ('{"status":"INVALID_ACTION"}', 200, "does not know how to do this"),
        ('{"status":"BAD_KEY"}', 200, "refuses our key"),
        ("<html>", 200, "answers with status 200, and not as a gateway does"),
        ("", 500, "answers with status 500"),
        ("", 301, "register with the URL where that leads"),
    ],
)
def test_other_answers_are_failures_of_one_event(
    consumer: SlaveConsumer, slave: Slave, body: str, status: int, reason: str
) -> None:
    slave.says(body, status, Location="https://elsewhere.example/gw")
    with pytest.raises(DeliveryFailed, match=reason) as caught:
        deliver(consumer, event("delete"))
    assert not isinstance(caught.value, ConsumerUnavailable)
    assert len(slave.queries) == 1, "a redirect was followed"


def test_store_that_cannot_be_asked_rests_the_slave(make: Make, slave: Slave, store: Store, tmp_path: Path) -> None:
    consumer = make()
    closed = Store("", tmp_path / "closed")
    Accounts("x", closed.storage(TABLES)).register(ALICE)
    with closed.storage(TABLES).writing() as connection:
        connection.exec_driver_sql("DROP TABLE ips_connect_accounts")
        connection.exec_driver_sql("DROP TABLE ips_connect_handed_over")
    storage = closed.storage(TABLES)
    consumer._accounts._storage, consumer._handovers = storage, Handovers("sub_closed", storage)
    for one in (event("changePassword"), event("changeName", name="x")):
        with pytest.raises(ConsumerUnavailable, match="nothing can be told"):
            deliver(consumer, one)
    assert slave.queries == []
    closed.close()


def test_person_of_a_replay_without_a_connect_id_waits_for_a_person(consumer: SlaveConsumer) -> None:
    one = Event(1, "evt_x", USER_SNAPSHOT, "forum", "alice@example.com", 1.0, after={})
    with pytest.raises(DeliveryFailed, match="no connect id"):
        deliver(consumer, one)


def test_replay_of_everybody_registers_and_bans(accounts: Accounts, consumer: SlaveConsumer, slave: Slave) -> None:
    alice = accounts.register(ALICE).account.id
    accounts.set_ban(alice, True)
    deliver(consumer, Event(1, "evt_x", USER_SNAPSHOT, "forum", str(alice), 1.0, after={}))
    found = accounts.find(alice)
    assert found is not None
    assert slave.members() == {alice: as_member(found)}


# -- the test button -------------------------------------------------------------------------------------------------


def test_test_shows_gateway_and_key_and_changes_nothing(make: Make, slave: Slave) -> None:
    ping = ping_event(1.0)
    assert ping.type == TEST_PING
    assert deliver(make(), ping) == Receipt(200, '{"status": "SUCCESS"}')
    slave.says('{"status":"ACCOUNT_NOT_FOUND"}')
    assert deliver(make(), ping).status == 200
    slave.heals()
    with pytest.raises(DeliveryFailed, match="refuses our key"):
        deliver(make(key="another"), ping)
    slave.says("<h1>It works!</h1>")
    with pytest.raises(DeliveryFailed, match="not as a gateway does"):
        deliver(make(), ping)


# -- what may have been done before ----------------------------------------------------------------------------------


@pytest.fixture
def rename(slave: Slave, accounts: Accounts) -> Event:
    """A change of name that the slave can make."""
    for person in (ALICE, BOB):
        accounts.register(person)
        sent = {"name": person.name, "email": person.email, "pass_hash": HASH, "pass_salt": SALT}
        slave.forum._register({**sent, "id": "1" if person is ALICE else "2"})
    return event("changeName", name="Alicia")


def losing(slave: Slave) -> None:
    """Make the change, and lose the answer."""

    def script(sent: Parameters) -> Any:
        slave.forum.call(sent)
        raise Gone

    slave.script = script


def test_name_that_somebody_else_has_waits_for_a_person(make: Make, slave: Slave, rename: Event) -> None:
    slave.forum.members.append(Member(0, "Alicia", "local@example.com"))
    for _ in range(3):
        with pytest.raises(DeliveryFailed, match="USERNAME_IN_USE: somebody else has the name there"):
            deliver(make(), rename)
    address = event("changeEmail", email="local@example.com")
    for _ in range(3):
        with pytest.raises(DeliveryFailed, match="EMAIL_IN_USE: somebody else has the address there"):
            deliver(make(), address)


def test_change_whose_answer_was_lost_is_not_taken_for_somebody_elses_name(
    make: Make, slave: Slave, rename: Event
) -> None:
    losing(slave)
    with pytest.raises(ConsumerUnavailable):
        deliver(make(), rename)
    slave.heals()
    assert deliver(make(), rename).status == 200
    assert slave.members()[1].name == "Alicia"


def test_change_that_was_made_before_a_crash_is_made(make: Make, slave: Slave, rename: Event) -> None:
    """The answer came, and the server died before it was written down."""
    assert deliver(make(), rename).status == 200
    assert deliver(make(), rename).status == 200


def test_lost_answer_counts_through_later_failures_of_other_kinds(make: Make, slave: Slave, rename: Event) -> None:
    losing(slave)
    with pytest.raises(ConsumerUnavailable):
        deliver(make(), rename)
    slave.says('{"status":"FAILURE"}')
    with pytest.raises(DeliveryFailed):
        deliver(make(), rename)
    with slave.off(), pytest.raises(ConsumerUnavailable):
        deliver(make(), rename)
    slave.heals()
    with pytest.raises(DeliveryFailed, match="refuses our key"):
        deliver(make(key="another"), rename)
    assert deliver(make(), rename).status == 200


def test_try_that_was_not_sent_or_was_refused_leaves_nothing_open(make: Make, slave: Slave, rename: Event) -> None:
    """The name is taken by somebody else while the slave cannot be reached."""
    with slave.off(), pytest.raises(ConsumerUnavailable):
        deliver(make(), rename)
    for body, status in (('{"status":"FAILURE"}', 200), ("<h1>no</h1>", 403), ("", 301), ("<h1>slow down</h1>", 429)):
        slave.says(body, status)
        with pytest.raises(DeliveryFailed):
            deliver(make(), rename)
    slave.heals()
    slave.forum.members.append(Member(0, "Alicia", "local@example.com"))
    with pytest.raises(DeliveryFailed, match="USERNAME_IN_USE"):
        deliver(make(), rename)


def test_answer_that_is_lost_after_a_refusal_counts(consumer: SlaveConsumer, slave: Slave, rename: Event) -> None:
    slave.says('{"status":"FAILURE"}')
    with pytest.raises(DeliveryFailed):
        deliver(consumer, rename)
    losing(slave)
    with pytest.raises(ConsumerUnavailable):
        deliver(consumer, rename)
    slave.heals()
    assert deliver(consumer, rename).status == 200


def test_refusal_that_cannot_be_written_down_is_none_the_less_one(
    consumer: SlaveConsumer, slave: Slave, rename: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    slave.says('{"status":"FAILURE"}')
    with monkeypatch.context() as patched:
        patched.setattr(consumer._handovers, "_delete", no_storage(TABLES).statement(""))
        with pytest.raises(DeliveryFailed, match="FAILURE"):
            deliver(consumer, rename)
    assert written_down(consumer) == {rename.id}
    slave.heals()
    slave.forum.members.append(Member(0, "Alicia", "local@example.com"))
    with pytest.raises(DeliveryFailed, match="USERNAME_IN_USE"):
        deliver(consumer, rename)


@pytest.mark.parametrize(("body", "status"), [("<b>Warning</b>", 200), ("", 200), ("oops", 500), ("", 504)])
def test_answer_that_says_nothing_leaves_open_what_was_done(
    make: Make, slave: Slave, rename: Event, body: str, status: int
) -> None:
    def script(sent: Parameters) -> Any:
        slave.forum.call(sent)
        return status, {}, body.encode()

    slave.script = script
    with pytest.raises(DeliveryFailed):
        deliver(make(), rename)
    slave.heals()
    assert deliver(make(), rename).status == 200


def test_lost_answer_to_one_change_says_nothing_of_the_next(make: Make, slave: Slave, rename: Event) -> None:
    losing(slave)
    with pytest.raises(ConsumerUnavailable):
        deliver(make(), rename)
    slave.heals()
    with pytest.raises(DeliveryFailed, match="USERNAME_IN_USE"):
        deliver(make(), event("changeName", id=2, name="Alicia"))


def test_change_that_went_out_twice_at_once_is_not_taken_for_somebody_elses_name(
    store: Store, backend: str, tmp_path: Path
) -> None:
    """The receiver closed the connection in the very moment, and nobody knows whether it had read the first."""
    said = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
    done, in_use = (said % (len(body), body) for body in (b'{"status":"SUCCESS"}', b'{"status":"USERNAME_IN_USE"}'))

    def script(connection: Any) -> None:
        read_request(connection)
        connection.sendall(done if server.connections == 1 else in_use)
        read_request(connection)

    with ScriptedServer(script) as server:
        http = HttpClient(["127.0.0.0/8"], Watchdog())
        table = {"type": "ips_connect", "backend": backend, "url": server.url(), "key": KEY}
        context = ConsumerContext("sub_twice", http, Watchdog(), tmp_path, time.time, store.storage)
        consumer = SlaveConsumer(SlaveSettings.model_validate(table), context)
        deliver(consumer, event("delete"))
        assert deliver(consumer, event("changeName", name="Alicia")).status == 200
        assert server.connections == 2
        http.close()


def test_other_spelling_of_a_name_that_the_account_has_is_no_somebody_elses(
    store: Store, backend: str, accounts: Accounts, consumer: SlaveConsumer, slave: Slave
) -> None:
    """Forums find the name in use, by the account itself, and keep the old spelling; there is nothing to wait for."""
    alice = accounts.register(ALICE).account.id
    accounts.change_name(alice, "ALICE")
    accounts.change_email(alice, "Alice@Example.com")
    accounts.change_name(alice, "Bob")
    for each in told(store, backend):
        assert deliver(consumer, each).status == 200
    assert slave.members()[alice].name == "Bob"


def written_down(consumer: SlaveConsumer) -> set[str]:
    """The ids that stand in the store, or the mark."""
    handovers = consumer._handovers
    with handovers._storage.reading() as connection:
        found = connection.scalar(sa.select(handed_over.c.event).where(handovers._own)) or ""
    return {word for word in found.split() if not word.startswith("@")}


def test_only_changes_that_cannot_be_repeated_are_written_down(
    make: Make, slave: Slave, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = accounts.register(ALICE).account.id
    consumer = make()
    monkeypatch.setattr(consumer._handovers, "rest", lambda: None)
    details = {"name": "Alice", "email": "alice@example.com", "revalidateUrl": "", "status": "1", "remove": "9"}
    for kind in TYPES:
        method = kind.partition(".")[2]
        if not method.startswith("change") or method == "changePassword":
            deliver(consumer, event(method, alice, **details))
    assert not written_down(consumer)
    rename = event("changeName", alice, name="Zoe")
    deliver(consumer, rename)
    assert rename.id in written_down(consumer)


def deliver_and_prepare(consumer: SlaveConsumer, one: Event, following: Event) -> Receipt:
    """As the engine does it: the next is made ready while the answer is awaited."""
    ready = Delivery(following.id, "sub", (following,), 1, False)
    return consumer.deliver(Delivery(one.id, "sub", (one,), 1, False), Deadline(5, lambda: consumer.prepare(ready)))


def test_of_changes_that_follow_one_another_those_after_a_crash_may_have_been_made(make: Make, slave: Slave) -> None:
    """The first two, and not the third."""
    people = range(1, 4)
    slave.forum.members += [Member(id, f"p{id}", f"p{id}@example.org") for id in people]
    names = [event("changeName", id, name=f"new {id}") for id in people]
    dying = make()
    deliver_and_prepare(dying, names[0], names[1])
    assert written_down(dying) == {"*"}
    # Nobody closes what was killed. The next two were made, and nobody knows; the name of the third is somebody's.
    slave.forum.members += [Member(0, f"new {id}", f"new{id}@example.org") for id in people]
    reborn = make()
    assert deliver(reborn, names[0]).status == 200
    assert deliver(reborn, names[1]).status == 200
    with pytest.raises(DeliveryFailed, match="USERNAME_IN_USE"):
        deliver(reborn, names[2])
    assert written_down(reborn) == {names[1].id}


def test_change_that_was_announced_and_not_handed_over_is_in_no_doubt(make: Make, slave: Slave) -> None:
    """The one before it was refused."""
    first, second = event("changeName", 1, name="Alicia"), event("changeName", 2, name="Alicia")
    slave.forum.members += [Member(id, f"p{id}", f"p{id}@example.org") for id in (1, 2)]
    slave.forum.members.append(Member(0, "Alicia", "local@example.com"))
    consumer = make()
    for _ in range(2):
        with pytest.raises(DeliveryFailed, match="USERNAME_IN_USE"):
            deliver_and_prepare(consumer, first, second)
        assert not written_down(consumer)
    for again in (consumer, make()):
        with pytest.raises(DeliveryFailed, match="USERNAME_IN_USE"):
            deliver(again, second)


def test_nothing_is_in_doubt_after_a_stop_in_good_order(make: Make, slave: Slave) -> None:
    slave.forum.members += [Member(1, "Alice", "alice@example.com"), Member(0, "Carol", "local@example.com")]
    consumer = make()
    following = event("changeName", 1, name="Carol")
    deliver_and_prepare(consumer, event("changeName", 1, name="Bob"), following)
    consumer.close()
    with pytest.raises(DeliveryFailed, match="USERNAME_IN_USE"):
        deliver(make(), following)


# -- secrets ---------------------------------------------------------------------------------------------------------


def test_nothing_that_was_sent_is_shown(
    accounts: Accounts, consumer: SlaveConsumer, slave: Slave, caplog: pytest.LogCaptureFixture
) -> None:
    alice = accounts.register(ALICE).account.id
    queries: list[str] = []

    def script(sent: Parameters) -> Any:
        queries.append(str(dict(sent)))
        text = f"{dict(sent)} {slave.queries[-1]}"
        return [(200, {}, text.encode()), as_json({"status": "SUCCESS", "you": sent})][len(queries) % 2]

    slave.script = script
    shown = []
    with caplog.at_level("DEBUG"):
        for _ in range(4):
            for one in (
                event("changePassword", alice),
                event("register", alice, name="Alice", email="a@b", revalidateUrl=""),
            ):
                try:
                    shown.append(repr(deliver(consumer, one)))
                except DeliveryFailed as exc:
                    shown += [str(exc), str(exc.response)]
    shown += [record.getMessage() for record in caplog.records]
    assert len(queries) == 8
    for text in shown:
        for secret in (HASH, SALT, KEY, "pass_hash=%24", HASH[-20:]):
            assert secret not in text


def test_error_names_the_host_alone(make: Make, slave: Slave) -> None:
    consumer = make(url=f"http://127.0.0.1:{slave.port}/secret/gw.php?token=abc")
    slave.says("<html>", 404)
    with pytest.raises(DeliveryFailed) as caught:
        deliver(consumer, event("delete"))
    assert str(caught.value).startswith(f"http://127.0.0.1:{slave.port} answers with status 404")
    assert slave.queries[0].startswith("token=abc&do=delete&key=")


# -- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": "ftp://a.example/gw"}, "must begin with https"),
        ({"url": "https://me:secret@a.example/gw"}, "user name or password"),
        ({"url": "https://a.example/" + "x" * 3_000}, "at most"),
        ({"key": ""}, "empty"),
        ({"events": ["*"]}, "nothing else"),
        ({"events": ["user.*"]}, "nothing else"),
        ({"events": ["ips_connect.*", "membership.added"]}, "nothing else"),
        ({"batch_size": 2}, "one change at a time"),
        ({"coalesce": True}, "each change"),
        ({"group": "staff"}, "all accounts"),
        ({"allow_networks": ["10.0.0.0/99"]}, "10.0.0.0/99"),
        ({"backend": None}, "valid string"),
        ({"timeout_seconds": 0}, "greater than 0"),
        ({"url2": "x"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(values: Mapping[str, Any], words: str) -> None:
    table = {"type": "ips_connect", "backend": "forum", "url": "https://a.example/gw", "key": KEY, **values}
    with pytest.raises(ValidationError, match=words) as caught:
        SlaveSettings.model_validate(table)
    assert KEY not in str(caught.value)


def test_settings_show_no_key() -> None:
    table = {"type": "ips_connect", "backend": "forum", "url": "https://a.example/gw", "key": KEY}
    settings = SlaveSettings.model_validate({**table, "events": ["ips_connect.register", "ips_connect.delete"]})
    assert KEY not in repr(settings) + settings.model_dump_json()
    assert settings.timeout_seconds == 10.0


def test_authority_of_ones_own_is_trusted_and_no_other(make: Make, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    authority.create()
    ok = b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"status":"SUCCESS"}'
    with ScriptedServer(answering(ok), authority.issue("gw")) as server:
        assert deliver(make(url=server.url("/gw"), ca_file="authority/ca.pem"), event("delete")).status == 200
        with pytest.raises(ConsumerUnavailable, match="certificate"):
            deliver(make(url=server.url("/gw")), event("delete"))


def test_address_of_our_own_is_called_only_where_it_is_allowed(
    slave: Slave, backend: str, store: Store, tmp_path: Path
) -> None:
    http = HttpClient([], Watchdog())
    context = ConsumerContext("sub", http, Watchdog(), tmp_path, time.time, store.storage)
    table = {"type": "ips_connect", "backend": backend, "url": slave.url, "key": KEY}
    with pytest.raises(AddressRefused, match="loopback address"):
        deliver(SlaveConsumer(SlaveSettings.model_validate(table), context), event("delete"))
    allowed = SlaveSettings.model_validate({**table, "allow_networks": ["127.0.0.0/8"]})
    assert deliver(SlaveConsumer(allowed, context), event("delete")).status == 200
    http.close()


def test_storage_of_another_name_is_no_affair_of_its(tmp_path: Path) -> None:
    def refusing(tables: Tables) -> Storage:
        raise ConfigError("no")

    table = {"type": "ips_connect", "backend": "forum", "url": "https://a.example/gw", "key": KEY}
    http = HttpClient([], Watchdog())
    context = ConsumerContext("sub", http, Watchdog(), tmp_path, time.time, refusing)
    with pytest.raises(ConfigError):
        SlaveConsumer(SlaveSettings.model_validate(table), context)
    http.close()


# -- what every consumer promises ------------------------------------------------------------------------------------


class TestSlave(ConsumerConformance):
    consumer_class = SlaveConsumer
    outage_seconds = 0.3

    @pytest.fixture
    def own_accounts(self, store: Store, backend: str) -> Accounts:
        accounts = Accounts(backend, store.storage(TABLES))
        for number in range(1, 51):
            accounts.register(NewPerson(f"name {number}", f"{number}@example.org", HASH, SALT))
        return accounts

    @pytest.fixture
    def table(self, slave: Slave, backend: str, own_accounts: Accounts) -> Mapping[str, Any]:
        return {"type": "ips_connect", "backend": backend, "url": slave.url, "key": KEY}

    @pytest.fixture
    def table_secrets(self) -> Sequence[str]:
        return [KEY, HASH, SALT]

    @pytest.fixture
    def storage(self, store: Store) -> Callable[[Tables], Storage]:
        return store.storage

    @pytest.fixture
    def make_events(self) -> Callable[[int], Sequence[Event]]:
        def made(count: int) -> list[Event]:
            return [
                Event(
                    number,
                    f"evt_{number:032x}",
                    TYPES[number % len(TYPES)],
                    "forum",
                    str(number),
                    1.0,
                    after={
                        "name": f"new {number} 'Ω\"<&>\\",
                        "email": f"new{number}@example.org",
                        "revalidateUrl": "",
                        "status": "1",
                        "remove": str(number + 1_000),
                    },
                )
                for number in range(1, count + 1)
            ]

        return made

    @pytest.fixture
    def taken(self, slave: Slave) -> Callable[[], int]:
        return lambda: len(slave.forum.done)

    @pytest.fixture
    def outages(self, slave: Slave) -> Sequence[Outage]:
        def saying(body: str, status: int = 200) -> Callable[[], AbstractContextManager[None]]:
            @contextmanager
            def during() -> Iterator[None]:
                slave.says(body, status)
                yield
                slave.heals()

            return during

        @contextmanager
        def hanging() -> Iterator[None]:
            slave.delay = 1.0
            yield
            slave.delay = 0.0

        @contextmanager
        def cutting() -> Iterator[None]:
            def script(sent: Parameters) -> Any:
                raise Gone

            slave.script = script
            yield
            slave.heals()

        return [
            Outage("refuses", slave.off),
            Outage("hangs", hanging),
            Outage("cuts", cutting),
            Outage("says nothing", saying("")),
            Outage("is another site", saying("<h1>It works!</h1>")),
            Outage("has another key", saying('{"status":"BAD_KEY"}')),
            Outage("404", saying("no", 404)),
            Outage("500", saying("oops", 500)),
            Outage("503", saying("wait", 503)),
        ]
