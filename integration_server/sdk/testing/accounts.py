"""What every backend in which people can be made must do."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from integration_server.sdk.contracts import Authenticator, Backend
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendError, BackendMisconfigured, WriteRefused
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import NewAccount, User, Verdict, normalize_name
from integration_server.sdk.testing.confirmations import AddressConfirmation
from integration_server.sdk.testing.harness import in_threads
from integration_server.sdk.testing.suite import Outage
from integration_server.sdk.testing.writers import People

#: Names that people have or could have, each of which has a meaning in some query language, protocol or encoding.
ODD_NAMES: tuple[str, ...] = (
    *("Cher", "Conan O'Brien", 'The "Quoted" <Name>', "Smith, Jr., John", "Plus + Minus = Equals", "A; b: #1 & c|d"),
    *("#hash", "back\\slash\\", "(paren) *star*", "per%cent _under_", "  Blanks Around  ", "-dash", "=1+1", "@at"),
    *(
        "Zoë Østergård",
        "Rene\u0301 Lefe\u0300vre",
        "李雷",
        "نועה כהן",
        "Smiley \U0001f600",
        "Große STRASSE",
        "İnönü Işık",
    ),
    *(
        "'; DROP TABLE people; --",
        "x' OR '1'='1",
        "%(x)s {0} :name ?",
        "cn=x,dc=example",
        "*)(cn=*",
        "\\2a",
        "$HOME `x`",
    ),
    *("None", "null", "12345", "true"),
)
#: Parts of addresses before the @; the first ones must be taken.
ODD_LOCALS: tuple[str, ...] = (
    "o'hara",
    "ohara",
    "plus+tag",
    "Upper.Case",
    "per%cent",
    "under_score",
    "{x}",
    "a=b",
    "st*r",
)
REFUSABLE_LOCALS: tuple[str, ...] = ("jörg", "李雷", "\U0001f600", '"two words"', "a,b", "a;b", "(x)", "\\", "x" * 300)
#: Texts that hardly any source can hold.
MONSTERS: tuple[str, ...] = ("\0", "a\0b", "\ud800", "\udcff", "a\nb", "\r\n", "\x1b", "\ufeff", "x" * 1_000_001)
BIOGRAPHY = "Writes\n\"quoted\" 'texts'; -- %s :x {0} \\ and, so on: ä 李 \U0001f600"


def spaced(text: str | None) -> str | None:
    """A text as it is compared: blanks around it and runs of them mean nothing."""
    return " ".join(text.split()) if text is not None else None


class AccountWriterConformance(AddressConfirmation):
    """What every AccountWriter must do; use it together with BackendConformance, or alone.

    Override the fixture ``unproved``, or say ``knows_unverified = False``; ``read_only_table`` lets the suite try
    settings that allow no writing. Addresses that were confirmed and people who were made stay so: give each test a
    population of its own.
    """

    #: Where the addresses of new people are.
    domain: ClassVar[str] = "example.org"

    _numbers: ClassVar = itertools.count(1)

    def address(self, local: str = "new") -> str:
        """An address that nobody has."""
        return f"n{secrets.token_hex(5)}{next(self._numbers)}.{local}@{self.domain}"

    def account(self, full_name: str = "Ann Example", **more: str | None) -> NewAccount:
        return NewAccount(self.address(), full_name, **more)

    # -- judging ---------------------------------------------------------------------------------------------------

    def create(self, backend: Backend, account: NewAccount) -> str:
        user_id = self.account_writer(backend).create_account(account, self.deadline())
        assert isinstance(user_id, str), f"create_account() returned {user_id!r} instead of an id"
        return user_id

    def made(self, backend: Backend, mapper: Mapper, account: NewAccount, before: People) -> User:
        """The person who is made of an account, and who is the only difference to before."""
        user_id = self.create(backend, account)
        after = self.everybody(backend, mapper)
        new = sorted(after.keys() - before.keys())
        assert new == [user_id], f"create_account() returned {user_id!r}, and new in the listing are {new}"
        self.check_others(before, after, {user_id}, "create_account()")
        self.check_made(backend, mapper, account, after[user_id])
        return after[user_id]

    def check_made(self, backend: Backend, mapper: Mapper, account: NewAccount, user: User) -> None:
        """The person has all that the account has, as far as it is mapped, whether listed or found."""
        found = mapper.entry_page(self.entry(backend, mapper, user)).user(0)
        for field in ("full_name", "biography", "tz"):
            if field in mapper.rules:
                wanted, told = getattr(account, field), getattr(user, field)
                assert spaced(told) == spaced(wanted), f"{field}: {wanted!r} was given, and {told!r} is read"
                assert getattr(found, field) == told, f"{field}: found otherwise than listed"
        if "emails" in mapper.rules:
            wanted = normalize_name(account.email.strip())
            mine = [email for email in user.emails if normalize_name(email.address) == wanted]
            assert len(mine) == 1, f"the address {account.email[:60]!r} is not among {user.emails}"
            assert mine[0].is_verified, "the address that a person was made with counts as verified"
            assert mine[0].is_preferred, "mail must go to the address that a person was made with"
            assert found.emails == user.emails, "the addresses are found otherwise than listed"

    def ids_with(self, backend: Backend, mapper: Mapper, address: str) -> set[str]:
        """The ids of those who are found by an address, asked for as the server does it."""
        lookups = mapper.address_lookups(address)
        if lookups is None:
            wanted = normalize_name(address)
            people = self.everybody(backend, mapper).values()
            return {u.id for u in people if any(normalize_name(email.address) == wanted for email in u.emails)}
        entries = [backend.find(lookup, self.deadline()) for lookup in lookups]
        return {mapper.entry_page(entry).user(0).id for entry in entries if entry is not None}

    def check_whole(self, backend: Backend, mapper: Mapper, before: People, tried: Sequence[NewAccount]) -> None:
        """Whoever came is one of those who were tried, and all of them; nobody is there twice, nobody else changed."""
        after = self.everybody(backend, mapper)
        came = [after[user_id] for user_id in after.keys() - before.keys()]
        self.check_others(before, after, {user.id for user in came}, "create_account()")
        known = {normalize_name(account.email.strip()): account for account in tried}
        for user in came:
            account = next((known.pop(name) for e in user.emails if (name := normalize_name(e.address)) in known), None)
            assert account is not None, f"somebody was half made, or made twice: {str(user)[:300]}"
            self.check_made(backend, mapper, account, user)

    def try_odd(self, backend: Backend, mapper: Mapper, before: People, account: NewAccount) -> None:
        """An account that may be refused; if it is not, the person is made as any other, and else nobody is."""
        what = f"create_account({account.email[:60]!r}, {account.full_name[:40]!r}, ...)"
        is_refused, answer = self.refusal(what, lambda: self.create(backend, account))
        now = self.everybody(backend, mapper)
        if is_refused:
            told = f"{what}: {answer!r} reads like an outage, and callers would try for ever; raise UnwritableValue"
            assert isinstance(answer, WriteRefused | BackendMisconfigured), told
            self.check_others(before, now, set(), f"{what}, which was refused,")
            return
        assert now.keys() - before.keys() == {answer}, f"{what} gave {answer!r}"
        assert isinstance(answer, str)
        self.check_others(before, now, {answer}, what)
        self.check_made(backend, mapper, account, now[answer])

    # -- what it promises ------------------------------------------------------------------------------------------

    def test_person_who_is_made_is_there_under_the_id_that_is_returned(self, backend: Backend, mapper: Mapper) -> None:
        before = self.everybody(backend, mapper)
        user = self.made(backend, mapper, self.account(biography=BIOGRAPHY, tz="Europe/Berlin"), before)
        names = [normalize_name(one.username) for one in before.values()]
        assert normalize_name(user.username) not in names, f"the new user name {user.username!r} is somebody else's"

    def test_what_is_not_given_stays_empty(self, backend: Backend, mapper: Mapper) -> None:
        self.made(backend, mapper, self.account(), self.everybody(backend, mapper))

    def test_person_who_is_made_is_there_for_another_instance(
        self, backend: Backend, make_backend: Callable[[], Backend], mapper: Mapper
    ) -> None:
        before = self.everybody(backend, mapper)
        user = self.made(backend, mapper, self.account(), before)
        after = self.everybody(make_backend(), mapper)
        assert after.get(user.id) == user, "another instance does not see the person who was made"

    def test_person_who_is_made_is_found_by_the_address_in_any_case(self, backend: Backend, mapper: Mapper) -> None:
        assert "emails" in mapper.rules, "[map] emails must read the address, or nobody is found by it again"
        account = NewAccount(self.address("Mixed.Case"), "Ann Example")
        user_id = self.create(backend, account)
        for address in (account.email, account.email.upper(), account.email.lower(), account.email.swapcase()):
            found = self.ids_with(backend, mapper, address)
            assert found == {user_id}, f"made with {account.email!r}, by {address!r} are found {found or 'none'}"
        for address in (f"x{account.email}", account.email[1:], account.email.replace(".", "*", 1), "%"):
            assert user_id not in self.ids_with(backend, mapper, address), f"found by {address!r}, which is not theirs"

    def test_odd_names_read_back_the_same(self, backend: Backend, mapper: Mapper) -> None:
        before = self.everybody(backend, mapper)
        for name in ODD_NAMES:
            user = self.made(backend, mapper, self.account(name, biography=name), before)
            before = {**before, user.id: user}

    def test_odd_addresses_are_those_of_one_person_each(self, backend: Backend, mapper: Mapper) -> None:
        before = self.everybody(backend, mapper)
        made: dict[str, str] = {}
        for local in ODD_LOCALS:
            user = self.made(backend, mapper, account := NewAccount(self.address(local), "Odd Address"), before)
            made[account.email] = user.id
            before = {**before, user.id: user}
        for address, user_id in made.items():
            assert self.ids_with(backend, mapper, address) == {user_id}, f"{address!r} does not find its person alone"
        for local in REFUSABLE_LOCALS:
            self.try_odd(backend, mapper, before, NewAccount(self.address(local), "Odd Address"))
            before = self.everybody(backend, mapper)

    def test_password_of_a_new_person_is_theirs_or_refused(self, backend: Backend, mapper: Mapper) -> None:
        before = self.everybody(backend, mapper)
        account = replace(self.account(), password="grüße & $ecrets")
        self.try_odd(backend, mapper, before, account)
        after = self.everybody(backend, mapper)
        for user_id in after.keys() - before.keys():
            assert isinstance(backend, Authenticator), "somebody was made with a password that nothing can check"
            entry = self.entry(backend, mapper, after[user_id])
            for password, verdict in ((account.password, Verdict.ACCEPTED), ("another", Verdict.REJECTED)):
                found = backend.verify(entry, password or "", self.deadline())
                assert found is verdict, f"made with a password, and {password!r} is {found.value}"

    def test_same_name_is_no_same_person(self, backend: Backend, mapper: Mapper) -> None:
        before = self.everybody(backend, mapper)
        for _ in range(3):
            user = self.made(backend, mapper, self.account("Anna Same"), before)
            before = {**before, user.id: user}
        names = [normalize_name(user.username) for user in before.values()]
        assert len(names) == len(set(names)), "two people have one user name"

    def test_monstrous_texts_are_refused_or_kept(self, backend: Backend, mapper: Mapper) -> None:
        for monster in MONSTERS:
            for account in (
                NewAccount(self.address(monster), "Ann Example"),
                self.account(f"Ann {monster}Example"),
                self.account(biography=f"Ann {monster}Example"),
                self.account(tz=f"Europe/{monster}Berlin"),
            ):
                self.try_odd(backend, mapper, self.everybody(backend, mapper), account)
        for email in ("", " ", "\0", "\ud800"):
            self.try_odd(backend, mapper, self.everybody(backend, mapper), NewAccount(email, "Ann Example"))

    def test_different_people_are_made_at_once(self, make_backend: Callable[[], Backend], mapper: Mapper) -> None:
        backends = [make_backend(), make_backend()]
        before = self.everybody(backends[0], mapper)
        made: list[tuple[str, NewAccount]] = []

        def work(number: int) -> None:
            for _ in range(2):
                account = self.account("Anna Same", biography=str(number))
                made.append((self.create(backends[number % 2], account), account))

        in_threads(work)
        ids = {user_id for user_id, _ in made}
        assert len(ids) == len(made), f"{len(made)} people who were made at once have {len(ids)} ids"
        after = self.everybody(backends[0], mapper)
        missing, extra = ids - after.keys(), after.keys() - before.keys() - ids
        assert not missing, f"made by several threads at once, {len(missing)} of {len(made)} people are not there"
        assert not extra, f"made by several threads at once, {len(extra)} people are there whom nobody was told of"
        self.check_others(before, after, ids, "create_account() by several threads")
        for user_id, account in made:
            self.check_made(backends[0], mapper, account, after[user_id])

    # -- when it cannot be done --------------------------------------------------------------------------------------

    def test_outage_makes_nobody_whom_somebody_is_told_of(
        self, backend: Backend, make_backend: Callable[[], Backend], mapper: Mapper, outages: Sequence[Outage]
    ) -> None:
        before = self.everybody(backend, mapper)
        tried: list[NewAccount] = []
        for outage in self.all_outages(outages):
            fresh = make_backend()
            with outage.start():
                for one in (backend, fresh):
                    tried.append(self.account("Lost In An Outage"))
                    self.must_refuse(f"create_account() while {outage.name}", self.creating(one, tried[-1]))
            for one in (backend, fresh):
                tried.append(self.account("Made After It"))
                self.must_recover(f"create_account() after {outage.name}", self.creating(one, tried[-1]))
                assert self.ids_with(backend, mapper, tried[-1].email), f"after {outage.name} nobody is made"
            self.check_whole(backend, mapper, before, tried)

    def creating(self, backend: Backend, account: NewAccount) -> Callable[..., str | BackendError]:
        writer = self.account_writer(backend)

        def create(deadline: Deadline | None = None) -> str | BackendError:
            until = deadline or self.deadline()
            return self.no_verdict(lambda: writer.create_account(account, until))

        return create

    def test_making_people_after_the_deadline_is_an_error(self, backend: Backend, mapper: Mapper) -> None:
        before = self.everybody(backend, mapper)
        tried = []
        for _ in range(2):
            tried.append(self.account())
            self.must_be_late("create_account()", self.creating(backend, tried[-1]))
            self.check_whole(backend, mapper, before, tried)
            tried.append(self.account())
            self.create(backend, tried[-1])
            self.check_whole(backend, mapper, before, tried)

    def test_read_only_settings_make_nobody(
        self,
        backend: Backend,
        read_only_backend: Backend,
        mapper: Mapper,
        table: Mapping[str, Any],
        read_only_table: Mapping[str, Any],
    ) -> None:
        before = self.everybody(backend, mapper)
        account = self.account()
        self.must_be_read_only(
            "create_account()", table, read_only_table, lambda: self.create(read_only_backend, account)
        )
        self.check_others(before, self.everybody(backend, mapper), set(), "a backend that is only read")
