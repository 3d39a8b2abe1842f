"""The accounts of an IPS Connect network keep the promises of every backend that checks passwords, makes people and
tells changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration_server import (
    AccountState,
    Backend,
    BackendError,
    BackendMisconfigured,
    BackendTimeout,
    ComparisonNeeded,
    Deadline,
    Entry,
    Lookup,
    NewAccount,
    Storage,
    Tables,
    UnwritableValue,
    Verdict,
)
from integration_server.builtin.ips_connect import IpsConnectBackend, passwords, tables
from integration_server.builtin.ips_connect.account import NewPerson, Outcome
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.testing import (
    AccountWriterConformance,
    AuthenticatorConformance,
    BackendConformance,
    ChangeFeedConformance,
    Outage,
)
from integration_server.sdk.testing.feeds import Edits
from integration_server.sdk.testing.harness import list_users, open_backend, open_mapper, resolve
from integration_server.store import Store
from tests.servers import PostgreSql

TABLE = {"type": "ips_connect"}
KNOWN = {"Ann": "Ann's secret", "jörg.müller": "p<ä>ss&wörd!"}
POPULATION: Mapping[str, str | None] = {**KNOWN, "Bob O'Hara": None, '100%_\\"x"@example.org': None}


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    """A store of the test's own, as the suites break it."""
    store = Store("", tmp_path)
    yield store
    store.close()


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """bcrypt that takes a millisecond instead of half a second."""
    monkeypatch.setattr(passwords, "COST", 4)


def populate(accounts: Accounts) -> None:
    """One with bcrypt, one with the hash of version 3, two without passwords."""
    salts = {"Ann": passwords.new_salt(), "jörg.müller": "ab&de"}
    for number, (name, password) in enumerate(POPULATION.items()):
        salt = salts.get(name, "")
        stored = (passwords.hashed(password, salt), salt) if password else passwords.unusable()
        accounts.register(NewPerson(name, f"p{number}@example.org", *stored))


class ConnectEdits:
    """Changes made at the source, as a master makes them."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._turn = 0

    def add(self, username: str) -> None:
        stored = passwords.unusable()
        registration = self._accounts.register(NewPerson(username, f"{username}@new.example.org", *stored))
        assert registration.outcome is Outcome.DONE

    def change(self, username: str) -> None:
        self._turn += 1
        assert self._accounts.change_email(self._id(username), f"turn{self._turn}@example.org") is Outcome.DONE

    def remove(self, username: str) -> None:
        assert self._accounts.delete(self._id(username)) is Outcome.DONE

    def _id(self, username: str) -> int:
        account = self._accounts.find_by_name(username)
        assert account is not None
        return account.id


class Fixtures:
    """What the suites need."""

    backend_class = IpsConnectBackend

    @pytest.fixture
    def table(self) -> dict[str, Any]:
        return TABLE

    @pytest.fixture
    def storage(self, own_store: Store) -> Callable[[Tables], Storage]:
        return own_store.storage

    @pytest.fixture
    def accounts(self, own_store: Store) -> Accounts:
        return Accounts("test", own_store.storage(TABLES))

    @pytest.fixture(autouse=True)
    def population(self, cheap: None, accounts: Accounts, own_store: Store) -> Mapping[str, str | None]:
        populate(accounts)
        another = Accounts("another", own_store.storage(TABLES))
        another.register(NewPerson("elsewhere", "elsewhere@example.org", *passwords.unusable()))
        return POPULATION

    @pytest.fixture
    def secrets(self, accounts: Accounts) -> Sequence[str]:
        stored = [account for batch in accounts.everybody(9) for account in batch]
        return [*KNOWN.values(), *(account.pass_hash for account in stored), *(account.pass_salt for account in stored)]

    @pytest.fixture
    def edits(self, accounts: Accounts) -> Edits:
        return ConnectEdits(accounts)

    @pytest.fixture
    def outages(self, own_store: Store) -> Sequence[Outage]:
        def rename(old: str, new: str) -> None:
            with own_store.storage(Tables("other", ())).writing() as connection:
                for name in ("accounts", "counters", "changes"):
                    connection.exec_driver_sql(f"ALTER TABLE {old}_{name} RENAME TO {new}_{name}")

        @contextmanager
        def renamed() -> Iterator[None]:
            rename("ips_connect", "aside")
            try:
                yield
            finally:
                rename("aside", "ips_connect")

        return [Outage("tables gone", renamed)]


class TestIpsConnectBackend(Fixtures, ChangeFeedConformance, AuthenticatorConformance, BackendConformance):
    verifies_from_entry = True


class TestIpsConnectWriting(Fixtures, AccountWriterConformance):
    knows_unverified = False


@pytest.fixture(scope="module")
def shared_store(postgresql: PostgreSql, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(postgresql.create_database(), tmp_path_factory.mktemp("store"))
    yield store
    store.close()


class TestIpsConnectOnPostgreSql(Fixtures, ChangeFeedConformance, AccountWriterConformance, BackendConformance):
    knows_unverified = False

    @pytest.fixture
    def own_store(self, shared_store: Store) -> Store:
        """As good as new."""
        with shared_store.storage(TABLES).writing() as connection:
            for table in (tables.accounts, tables.counters, tables.changes):
                connection.execute(table.delete())
        return shared_store

    @pytest.fixture
    def outages(self, postgresql: PostgreSql) -> Sequence[Outage]:
        return [Outage("server stopped", postgresql.stopped)]


# -- on both databases -----------------------------------------------------------------------------------------------


@pytest.fixture
def opened(store: Store, tmp_path: Path, request: pytest.FixtureRequest) -> IpsConnectBackend:
    """A backend of the test's own."""
    backend = open_backend(IpsConnectBackend, TABLE, tmp_path, name=request.node.name, storage=store.storage)
    assert isinstance(backend, IpsConnectBackend)
    return backend


@pytest.fixture
def kept(store: Store, request: pytest.FixtureRequest) -> Accounts:
    """The accounts of the backend ``opened``."""
    return Accounts(request.node.name, store.storage(TABLES))


@pytest.fixture
def mapper(tmp_path: Path) -> Mapper:
    return open_mapper(IpsConnectBackend, TABLE, tmp_path)


def deadline() -> Deadline:
    return Deadline(10)


def found(backend: Backend, attribute: str, value: str) -> Entry:
    entry = backend.find(Lookup(attribute, value, ignore_case=True), deadline())
    assert entry is not None
    return entry


def register(accounts: Accounts, name: str = "Ann", email: str = "ann@x", **more: Any) -> int:
    registration = accounts.register(NewPerson(name, email, *passwords.unusable(), **more))
    assert registration.outcome is Outcome.DONE
    return registration.account.id


def test_person_is_what_the_account_says(opened: IpsConnectBackend, kept: Accounts, mapper: Mapper) -> None:
    id = register(kept)
    (ann,) = list_users(opened, mapper, deadline())
    assert (ann.id, ann.username, ann.full_name, ann.state) == (str(id), "Ann", "Ann", AccountState.ACTIVE)
    assert [(email.address, email.is_verified, email.is_preferred) for email in ann.emails] == [("ann@x", True, True)]
    assert mapper.entry_page(found(opened, "email", "ANN@X")).user(0) == ann
    assert [finding.message[:10] for finding in opened.check(deadline())] == ["1 accounts"]


def test_who_is_banned_or_not_validated_is_disabled(opened: IpsConnectBackend, kept: Accounts, mapper: Mapper) -> None:
    register(kept)
    kept.set_ban(register(kept, "Bob", "bob@x"), True)
    register(kept, "Cid", "cid@x", revalidate_url="https://a.example/")
    states = {user.username: user.state for user in list_users(opened, mapper, deadline())}
    disabled = AccountState.DISABLED
    assert states == {"Ann": AccountState.ACTIVE, "Bob": disabled, "Cid": disabled}


def test_entry_has_neither_hash_nor_salt_among_its_attributes(opened: IpsConnectBackend, kept: Accounts) -> None:
    register(kept)
    entry = found(opened, "name", "ann")
    stored, salt = kept.find_by_name("Ann").pass_hash, kept.find_by_name("Ann").pass_salt  # type: ignore[union-attr]
    assert entry.handle == (stored, salt)
    listed = str(list(opened.users(deadline())))
    assert not any(secret in text for secret in (stored, salt) for text in (repr(entry), listed))


def test_published_hash_logs_in_with_its_password(opened: IpsConnectBackend, kept: Accounts) -> None:
    salt, stored = "leEvXu77OIwPwNvtZIJval", "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2"
    kept.register(NewPerson("Ann", "ann@x", stored, salt))
    assert opened.verify(found(opened, "name", "Ann"), "password", deadline()) is Verdict.ACCEPTED
    # Who has the hash has not got the password, and this is no call of a slave.
    assert opened.verify(found(opened, "name", "Ann"), stored, deadline()) is Verdict.REJECTED


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("stored", ["*0", "*1", "not a hash"])
def test_hash_that_is_none_is_no_password(opened: IpsConnectBackend, kept: Accounts, stored: str) -> None:
    for salt in ("leEvXu77OIwPwNvtZIJval", "leEvXu77OIwPwNvtZIJva!", "abcde"):
        kept.register(NewPerson(salt, f"{salt}@x", stored, salt))
        entry = found(opened, "name", salt)
        for password in (stored, "password", "\ud800", "x" * 100_000):
            assert opened.verify(entry, password, deadline()) is Verdict.REJECTED


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize(("by", "login"), [("name", "ann"), ("email", "ANN@x")])
def test_logins_are_by_what_the_mapping_says(store: Store, tmp_path: Path, by: str, login: str) -> None:
    table = {**TABLE, "map": {"username": {"from": by, "ignore_case": True}}}
    name = f"logins by {by}"
    backend = open_backend(IpsConnectBackend, table, tmp_path, name=name, storage=store.storage)
    assert isinstance(backend, IpsConnectBackend)
    salt = passwords.new_salt()
    Accounts(name, store.storage(TABLES)).register(NewPerson("Ann", "Ann@X", passwords.hashed("secret", salt), salt))
    mapper = open_mapper(IpsConnectBackend, table, tmp_path)
    (lookup,) = mapper.lookups(login)
    entry = backend.find(lookup, deadline())
    assert entry is not None
    assert backend.verify(entry, "secret", deadline()) is Verdict.ACCEPTED
    listed = {"name": "Ann", "email": "Ann@X"}[by]
    assert resolve(backend, mapper, listed, deadline()) is not None


def test_accounts_are_found_by_nothing_else(opened: IpsConnectBackend) -> None:
    with pytest.raises(BackendMisconfigured, match="full_name"):
        opened.find(Lookup("full_name", "Ann"), deadline())


def test_new_person_has_a_name_of_their_own_and_no_password(
    opened: IpsConnectBackend, kept: Accounts, mapper: Mapper
) -> None:
    first = opened.create_account(NewAccount("ann@x", "Ann Example"), deadline())
    second = opened.create_account(NewAccount("ann@y", "Ann Example"), deadline())
    third = opened.create_account(NewAccount("cid@y", " "), deadline())
    assert opened.create_account(NewAccount("ANN@X", "Somebody else"), deadline()) == first
    users = {user.id: (user.username, user.full_name) for user in list_users(opened, mapper, deadline())}
    expected = {first: ("Ann Example", "Ann Example"), second: ("Ann Example 2", "Ann Example"), third: ("cid", "cid")}
    assert users == expected
    hashes = {account.pass_hash for batch in kept.everybody(9) for account in batch}
    assert len(hashes) == 3
    assert all(stored.startswith("$2a$13$") and len(stored) == 60 for stored in hashes)


def test_password_that_a_person_is_made_with_is_kept_as_members_of_the_network_want_it(
    opened: IpsConnectBackend, kept: Accounts
) -> None:
    account = NewAccount("ann@x", "Ann", password="grüße")
    assert "grüße" not in repr(account)
    ann = kept.find(int(opened.create_account(account, deadline())))
    assert ann is not None
    assert ann.pass_hash == passwords.hashed("grüße", ann.pass_salt)
    assert (ann.pass_hash[:7], len(ann.pass_hash), len(ann.pass_salt)) == ("$2a$13$", 60, 22)
    opened.create_account(NewAccount("ANN@x", "Ann", password="another"), deadline())
    assert kept.find(ann.id) == ann, "whoever has the address keeps the password"


@pytest.mark.parametrize("password", ["", "a\0b", "\ud800", "x" * (passwords.LONGEST_PASSWORD + 1)])
def test_what_is_no_password_makes_nobody(opened: IpsConnectBackend, password: str) -> None:
    with pytest.raises(UnwritableValue, match="no password: empty, not text, or more than"):
        opened.create_account(NewAccount("ann@x", "Ann", password=password), deadline())
    assert list(opened.users(deadline())) == []


@pytest.mark.parametrize(
    ("email", "name"), [("", "Ann"), ("a\0@x", "Ann"), ("x" * 321, "Ann"), ("@", ""), ("ann@x", "\ud800"), ("a", "\0")]
)
def test_what_cannot_be_kept_is_refused(opened: IpsConnectBackend, email: str, name: str) -> None:
    with pytest.raises(UnwritableValue):
        opened.create_account(NewAccount(email, name), deadline())
    assert list(opened.users(deadline())) == []


def test_every_change_is_told_and_who_is_gone(opened: IpsConnectBackend, kept: Accounts, mapper: Mapper) -> None:
    ann, bob, cid = register(kept), register(kept, "Bob", "bob@x"), register(kept, "Cid", "cid@x")
    position = opened.feed_position(deadline())
    assert list(opened.changes(position, deadline())) == []
    kept.set_ban(ann, True)
    kept.merge(ann, bob)
    kept.change_password(cid, "hash", "salt")
    kept.set_ban(ann, False)
    (step,) = opened.changes(position, deadline())
    assert step.gone == (str(bob),)
    assert step.entries is not None
    told = [(user.id, user.state) for user in mapper.page(step.entries).users()]
    assert told == [(str(cid), AccountState.ACTIVE), (str(ann), AccountState.ACTIVE)]
    assert list(opened.changes(step.position, deadline())) == []


def test_position_of_changes_that_were_never_made_asks_for_a_comparison(
    opened: IpsConnectBackend, kept: Accounts
) -> None:
    register(kept)
    assert opened.feed_position(deadline()) == "ips_connect(1)"
    for position in ("ips_connect(2)", f"ips_connect({'9' * 18})", f"ips_connect({'9' * 5000})"):
        with pytest.raises(ComparisonNeeded):
            list(opened.changes(position, deadline()))


def test_many_changes_are_told_in_steps(
    opened: IpsConnectBackend, kept: Accounts, mapper: Mapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration_server.builtin.ips_connect.feed._BATCH", 3)
    position = opened.feed_position(deadline())
    ids = [register(kept, f"p{number}", f"{number}@x") for number in range(7)]
    kept.delete(ids.pop(0))
    told = list(opened.changes(position, deadline()))
    assert [len(step.entries.rows) if step.entries else 0 for step in told] == [3, 3, 0]
    assert [step.gone for step in told] == [(), (), ("1",)]
    (rest,) = opened.changes(told[1].position, deadline())
    assert rest == told[2]
    assert len(list_users(opened, mapper, deadline())) == 6


@pytest.mark.usefixtures("cheap")
def test_time_does_not_tell_who_is_there(
    opened: IpsConnectBackend, kept: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, salt in (("new", passwords.new_salt()), ("old", "abcde")):
        kept.register(NewPerson(name, f"{name}@x", passwords.hashed("secret", salt), salt))
    register(kept, "none")
    settings: list[bytes] = []
    compute = passwords.bcrypt.hashpw

    def counted(secret: bytes, setting: bytes) -> bytes:
        settings.append(setting[:7])
        return compute(secret, setting)

    monkeypatch.setattr(passwords.bcrypt, "hashpw", counted)
    for name in ("new", "old", "none"):
        for password in ("secret", "wrong"):
            opened.verify(found(opened, "name", name), password, deadline())
    opened.verify_nobody("secret", deadline())
    assert settings == [b"$2a$04$"] * 7


def test_check_that_gets_no_turn_is_no_verdict(opened: IpsConnectBackend, kept: Accounts) -> None:
    register(kept)
    entry = found(opened, "name", "Ann")
    while opened._turns._free.acquire(blocking=False):
        pass
    with pytest.raises(BackendTimeout):
        opened.verify(entry, "x", Deadline(0.05))
    with pytest.raises(BackendTimeout):
        opened.verify_nobody("x", Deadline(0.05))


def test_store_that_is_closed_to_it_is_an_outage(tmp_path: Path) -> None:
    backend = open_backend(IpsConnectBackend, TABLE, tmp_path)
    assert isinstance(backend, IpsConnectBackend)
    with pytest.raises(BackendError):
        list(backend.users(deadline()))
    with pytest.raises(BackendError):
        backend.create_account(NewAccount("ann@x", "Ann"), deadline())
    with pytest.raises(BackendError):
        backend.feed_position(deadline())
