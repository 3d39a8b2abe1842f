"""What every backend that checks passwords must do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import pytest

from integration_server.sdk.contracts import Authenticator, Backend
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendError, BackendTimeout
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import Entry, Verdict
from integration_server.sdk.testing.harness import in_threads, resolve, within
from integration_server.sdk.testing.suite import Outage, Suite

Population = Mapping[str, str | None]


def wrong_passwords(password: str) -> list[str]:
    """Passwords near the right one, none of them it."""
    near = [f"{password} ", f" {password}", f"{password}x", password[:-1], password.swapcase(), password[::-1]]
    near += ["*", "'", "' OR '1'='1", "\ud800", "\U0001f600", "x"]
    return [wrong for wrong in dict.fromkeys(near) if wrong and wrong != password]


class AuthenticatorConformance(Suite):
    """What every Authenticator must do; use it together with BackendConformance."""

    #: True where the entry carries the stored hash, so that ``verify`` asks nobody and knows of no outage.
    verifies_from_entry: ClassVar[bool] = False

    @pytest.fixture
    def secrets(self, population: Population) -> Sequence[str]:
        """What may appear in no log, listing or error: the passwords. Override it to add stored hashes."""
        return [password for password in population.values() if password]

    def entry(self, backend: Backend, mapper: Mapper, username: str) -> Entry:
        """The entry of somebody who is there."""
        found = resolve(backend, mapper, username, self.deadline())
        assert found is not None, f"{username!r} is not found"
        return found[0]

    def passwords(self, population: Population) -> dict[str, str]:
        """Those whose password is known."""
        known = {name: password for name, password in population.items() if password}
        assert known, "the population needs somebody with a known password"
        return known

    def authenticator(self, backend: Backend) -> Authenticator:
        """The backend as what it claims to be."""
        assert isinstance(backend, Authenticator), f"{type(backend).__name__} is no Authenticator"
        return backend

    def test_right_password_is_accepted(self, backend: Backend, mapper: Mapper, population: Population) -> None:
        verify = self.authenticator(backend).verify
        for name, password in self.passwords(population).items():
            verdict = verify(self.entry(backend, mapper, name), password, self.deadline())
            assert verdict is Verdict.ACCEPTED, f"the right password of {name!r} is {verdict}"

    def test_wrong_password_is_rejected(self, backend: Backend, mapper: Mapper, population: Population) -> None:
        verify = self.authenticator(backend).verify
        for name, password in self.passwords(population).items():
            entry = self.entry(backend, mapper, name)
            for wrong in wrong_passwords(password):
                verdict = verify(entry, wrong, self.deadline())
                assert verdict is Verdict.REJECTED, f"a wrong password of {name!r} ({wrong!r}) is {verdict}"

    def test_huge_password_is_rejected(self, backend: Backend, mapper: Mapper, population: Population) -> None:
        verify = self.authenticator(backend).verify
        for name, password in list(self.passwords(population).items())[:3]:
            entry = self.entry(backend, mapper, name)
            for huge in ("x" * 1_000_000, password * 100_000):
                verdict = verify(entry, huge, self.deadline())
                assert verdict is Verdict.REJECTED, f"a password of {len(huge)} characters is {verdict}"

    def test_password_of_somebody_else_is_rejected(
        self, backend: Backend, mapper: Mapper, population: Population
    ) -> None:
        verify = self.authenticator(backend).verify
        known = self.passwords(population)
        for name, password in known.items():
            for other in set(known.values()) - {password}:
                verdict = verify(self.entry(backend, mapper, name), other, self.deadline())
                assert verdict is Verdict.REJECTED, f"{name!r} with somebody else's password is {verdict}"

    def test_nobody_has_no_verdict(self, backend: Backend) -> None:
        for password in ("guess", "\xfc\U0001f600", "\ud800", "x" * 100_000):
            self.authenticator(backend).verify_nobody(password, self.deadline())

    def test_verdicts_of_many_threads_are_not_mixed_up(
        self, backend: Backend, mapper: Mapper, population: Population
    ) -> None:
        verify = self.authenticator(backend).verify
        known = list(self.passwords(population).items())

        def work(number: int) -> None:
            for turn in range(3):
                name, password = known[(number + turn) % len(known)]
                is_right = (number + turn) % 2 == 0
                given = password if is_right else password + "x"
                verdict = verify(self.entry(backend, mapper, name), given, self.deadline())
                expected = Verdict.ACCEPTED if is_right else Verdict.REJECTED
                assert verdict is expected, f"{name!r} got {verdict} instead of {expected} among other threads' logins"
                self.authenticator(backend).verify_nobody("guess", self.deadline())

        in_threads(work)

    def test_outage_is_no_verdict(
        self, backend: Backend, mapper: Mapper, population: Population, outages: Sequence[Outage]
    ) -> None:
        verify = self.authenticator(backend).verify
        name, password = next(iter(self.passwords(population).items()))
        entry = self.entry(backend, mapper, name)

        def log_in_again() -> Verdict:
            return verify(self.entry(backend, mapper, name), password, self.deadline())

        for outage, start in self.all_outages(outages):
            verify(entry, password, self.deadline())
            with start():
                self.check_verify_during(outage, backend, entry, password)
            again = self.must_recover(f"verify() after {outage}", log_in_again)
            assert again is Verdict.ACCEPTED, f"after {outage} the right password is {again}"

    def check_verify_during(self, outage: str, backend: Backend, entry: Entry, password: str) -> None:
        verify = self.authenticator(backend).verify
        wrong = password + "x"
        if self.verifies_from_entry:
            assert verify(entry, password, self.deadline()) is Verdict.ACCEPTED
            assert verify(entry, wrong, self.deadline()) is Verdict.REJECTED
        else:
            self.must_refuse(f"verify() while {outage}", lambda until: verify(entry, password, until))
            self.must_refuse(f"verify() of a wrong password while {outage}", lambda until: verify(entry, wrong, until))
        self.outlasts(outage, lambda: self.authenticator(backend).verify_nobody(wrong, self.brief()))

    def brief(self) -> Deadline:
        """The time that a call gets during an outage."""
        return Deadline(self.outage_seconds)

    def outlasts(self, outage: str, call: Callable[[], object]) -> None:
        """The call may fail with a BackendError or not, but it comes back in time."""
        try:
            within(self.outage_seconds + self.grace_seconds, f"verify_nobody() while {outage}", call)
        except BackendError:
            return

    def test_verify_after_its_deadline_is_a_timeout(
        self, backend: Backend, mapper: Mapper, population: Population
    ) -> None:
        name, password = next(iter(self.passwords(population).items()))
        entry = self.entry(backend, mapper, name)
        with pytest.raises(BackendTimeout):
            self.authenticator(backend).verify(entry, password, Deadline(0.0))
        with pytest.raises(BackendTimeout):
            self.authenticator(backend).verify_nobody(password, Deadline(0.0))

    def test_no_secret_is_shown(
        self,
        backend: Backend,
        mapper: Mapper,
        population: Population,
        secrets: Sequence[str],
        outages: Sequence[Outage],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        shown: list[str] = [str(batch.rows) for batch in backend.users(self.deadline())]
        shown += [str(finding) for finding in backend.check(self.deadline())]
        verify = self.authenticator(backend).verify
        name, password = next(iter(self.passwords(population).items()))
        entry = self.entry(backend, mapper, name)
        shown += [repr(entry), str(dict(entry.attributes))]
        verify(entry, password, self.deadline())
        verify(entry, password + "x", self.deadline())
        seconds = self.outage_seconds + self.grace_seconds
        for _, start in outages:
            with start():
                try:
                    within(seconds, "verify() in an outage", lambda: verify(entry, password, self.brief()))
                except BackendError as exc:
                    shown += [repr(exc), repr(exc.__cause__), repr(exc.__context__)]
        shown.append(repr(backend))
        shown += [f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records]
        # A short word may stand in a listing for reasons of its own.
        for secret in (secret for secret in secrets if len(secret) >= 6):
            assert not any(secret in text for text in shown), "a password or hash is shown in a log, listing or error"
