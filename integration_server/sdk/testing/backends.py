"""What every backend must do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from integration_server.sdk.contracts import Backend, Finding
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendError, BackendTimeout
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import Lookup, User, normalize_name
from integration_server.sdk.testing.harness import (
    closable,
    hostile_names,
    in_background,
    in_threads,
    list_users,
    resolve,
    settle,
    within,
)
from integration_server.sdk.testing.suite import Outage, Suite

Population = Mapping[str, str | None]


_SETTLING_SECONDS = 3.0


def open_descriptors() -> int | None:
    """How many files and sockets this process holds open, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else None


class BackendConformance(Suite):
    """What every backend must do. Subclass it, name ``backend_class``, override the fixtures."""

    def check_everybody(self, users: Sequence[User], population: Population, what: str) -> None:
        names = [user.username for user in users]
        assert len(names) == len(set(names)), f"{what}: somebody is listed twice"
        missing, extra = sorted(population.keys() - set(names)), sorted(set(names) - population.keys())
        assert not missing, f"{what}: {len(missing)} people are missing, such as {missing[:5]}"
        assert not extra, f"{what}: {len(extra)} people should not be there, such as {extra[:5]}"
        assert len({user.id for user in users}) == len(users), f"{what}: two people share an id"

    def test_listing_gives_exactly_the_population(
        self, backend: Backend, mapper: Mapper, population: Population
    ) -> None:
        self.check_everybody(list_users(backend, mapper, self.deadline()), population, "users()")

    def test_rows_have_a_value_for_each_name(self, backend: Backend, mapper: Mapper) -> None:
        for batch in backend.users(self.deadline()):
            assert len(set(batch.names)) == len(batch.names), f"a name comes twice: {batch.names}"
            missing = set(mapper.attributes) - set(batch.names)
            assert not missing, f"the batch lacks the attributes {sorted(missing)}, which the mapping needs"
            for row in batch.rows:
                assert len(row) == len(batch.names), f"{len(row)} values for the {len(batch.names)} names {batch.names}"

    def test_batches_stay_readable_and_listings_repeat(self, backend: Backend, mapper: Mapper) -> None:
        batches = list(backend.users(self.deadline()))
        first = [user for batch in batches for user in mapper.page(batch).users()]
        again = [user for batch in batches for user in mapper.page(batch).users()]
        assert first == again, "a batch reads differently the second time"
        assert sorted(list_users(backend, mapper, self.deadline()), key=repr) == sorted(first, key=repr)

    def test_listing_closed_early_leaks_nothing(self, backend: Backend, mapper: Mapper, population: Population) -> None:
        def close_some() -> None:
            for _ in range(12):
                batches = closable(backend.users(self.deadline()))
                next(batches, None)
                batches.close()
                # Closed before its first step.
                closable(backend.users(self.deadline())).close()

        close_some()
        threads, descriptors = threading.active_count(), open_descriptors()
        close_some()
        # The source may be a server in this very process, which takes a moment to notice who has left.
        until = time.monotonic() + _SETTLING_SECONDS
        while threading.active_count() > threads + 2 and time.monotonic() < until:
            time.sleep(0.05)
        assert threading.active_count() <= threads + 2, "each listing that is closed early leaves a thread behind"
        later = open_descriptors()
        if descriptors is not None and later is not None:
            assert later <= descriptors + 2, "each listing that is closed early leaves something open"
        self.check_everybody(list_users(backend, mapper, self.deadline()), population, "after closed listings")

    def test_logins_work_while_a_listing_is_half_read(
        self, backend: Backend, mapper: Mapper, population: Population
    ) -> None:
        batches = closable(backend.users(self.deadline()))
        try:
            next(batches, None)
            for name in list(population)[:3]:
                assert within(30, "find()", lambda n=name: resolve(backend, mapper, n, self.deadline())) is not None  # type: ignore[misc]
        finally:
            batches.close()

    def test_every_listed_name_leads_back_to_its_entry(
        self, backend: Backend, mapper: Mapper, population: Population
    ) -> None:
        for user in list_users(backend, mapper, self.deadline()):
            if mapper.is_reversible:
                found = resolve(backend, mapper, user.username, self.deadline())
                assert found is not None, f"{user.username!r} is listed, but find() does not know them"
                assert found[1] == user, f"{user.username!r} is found differently from how they are listed"
            else:
                entry = backend.find(mapper.id_lookup(user.id), self.deadline())
                assert entry is not None, f"id {user.id!r} is listed, but find() does not know it"
                assert mapper.entry_page(entry).user(0) == user

    def test_hostile_names_find_nobody(self, backend: Backend, mapper: Mapper, population: Population) -> None:
        wanted = {lookup.attribute for lookup in self.lookups(mapper, next(iter(population)))}
        for name in hostile_names(list(population)):
            for lookup in (Lookup(attribute, name, folds) for attribute in wanted for folds in (False, True)):
                if lookup.ignore_case and not self.can_ignore_case:
                    continue
                try:
                    found = backend.find(lookup, self.deadline())
                except Exception as exc:
                    pytest.fail(f"find({name[:40]!r}, {lookup.ignore_case=}) raised {type(exc).__name__}: {exc}")
                assert found is None, f"find({name[:40]!r}, {lookup.ignore_case=}) found {found!r}"

    def test_case_variants_find_the_same_entry_when_case_is_ignored(
        self, backend: Backend, mapper: Mapper, population: Population
    ) -> None:
        if not (self.can_ignore_case and mapper.is_reversible):
            pytest.skip("case is not the backend's to ignore here")
        folded = [normalize_name(name) for name in population]
        for name in population:
            if folded.count(normalize_name(name)) > 1:
                continue
            expected = resolve(backend, mapper, name, self.deadline())
            assert expected is not None, f"{name!r} is not found"
            for lookup in mapper.lookups(name):
                value = lookup.value
                # Only pairs of one letter each: no directory folds the sharp s and its like alike.
                for variant in {v for v in (value.upper(), value.lower(), value.swapcase()) if len(v) == len(value)}:
                    entry = backend.find(replace(lookup, value=variant, ignore_case=True), self.deadline())
                    assert entry is not None, f"{variant!r} does not find {name!r}, case ignored"
                    assert mapper.entry_page(entry).user(0) == expected[1]

    def test_many_threads_get_their_own_answers(self, backend: Backend, mapper: Mapper, population: Population) -> None:
        users = list_users(backend, mapper, self.deadline())

        def work(number: int) -> None:
            for turn in range(3):
                if mapper.is_reversible:
                    for step in range(min(len(users), 10)):
                        user = users[(number * 7 + turn * 3 + step) % len(users)]
                        found = resolve(backend, mapper, user.username, self.deadline())
                        assert found is not None, f"{user.username!r} was not found among other threads' questions"
                        assert found[1] == user, f"asked for {user.username!r}, got {found[1].username!r}"
                self.check_everybody(list_users(backend, mapper, self.deadline()), population, "users() in a thread")

        in_threads(work)

    def test_outage_is_not_an_answer(
        self, backend: Backend, mapper: Mapper, population: Population, outages: Sequence[Outage]
    ) -> None:
        known = self.lookups(mapper, next(iter(population)))[0]
        nobody = replace(known, value="nobody-of-this-name")
        for name, start in self.all_outages(outages):
            list_users(backend, mapper, self.deadline())
            with start():
                self.must_refuse(f"users() while {name}", lambda until: list_users(backend, mapper, until))
                self.must_refuse(f"find() while {name}", lambda until: backend.find(known, until))
                self.must_refuse(f"find() of nobody while {name}", lambda until: backend.find(nobody, until))
            self.check_recovery(backend, mapper, population, name)

    def check_recovery(self, backend: Backend, mapper: Mapper, population: Population, outage: str) -> None:
        known = self.lookups(mapper, next(iter(population)))[0]
        users = self.must_recover(f"users() after {outage}", lambda: list_users(backend, mapper, self.deadline()))
        self.check_everybody(users, population, f"users() after {outage}")
        entry = self.must_recover(f"find() after {outage}", lambda: backend.find(known, self.deadline()))
        assert entry is not None, f"find() after {outage} does not know {known.value!r}"

    def test_outage_at_the_first_call_is_not_an_answer(
        self,
        make_backend: Callable[[], Backend],
        mapper: Mapper,
        population: Population,
        outages: Sequence[Outage],
    ) -> None:
        known = self.lookups(mapper, next(iter(population)))[0]

        def ask_new_backends(name: str) -> Backend:
            lister, finder = make_backend(), make_backend()
            self.must_refuse(f"first users() while {name}", lambda until: list_users(lister, mapper, until))
            self.must_refuse(f"first find() while {name}", lambda until: finder.find(known, until))
            return lister

        for name, start in self.all_outages(outages):
            with start():
                backend = ask_new_backends(name)
            self.check_recovery(backend, mapper, population, name)

    def test_listing_that_breaks_midway_is_no_listing(
        self, backend: Backend, mapper: Mapper, population: Population, outages: Sequence[Outage]
    ) -> None:
        for outage in self.all_outages(outages):
            # Whoever had read everything before the cut may say so; a shorter list may not come out.
            with suppress(BackendError):
                users = self.cut_listing(backend, mapper, outage)
                self.check_everybody(users, population, f"users() cut by {outage.name}")
            self.check_recovery(backend, mapper, population, outage.name)

    def cut_listing(self, backend: Backend, mapper: Mapper, outage: Outage) -> list[User]:
        """What a listing gives when the outage starts after its first batch."""
        begun, broken = threading.Event(), threading.Event()
        seconds = self.outage_seconds + 1

        def read() -> list[User]:
            batches = closable(backend.users(Deadline(seconds)))
            with closing(batches):
                try:
                    found = list(islice(batches, 1))
                finally:
                    begun.set()
                broken.wait(30)
                found += batches
            return [user for batch in found for user in mapper.page(batch).users()]

        outcome = in_background(read)
        begun.wait(30)
        with outage.start():
            broken.set()
            return settle(outcome, seconds + self.grace_seconds, f"users() cut by {outage.name}")

    def test_check_tells_of_an_outage(self, backend: Backend, outages: Sequence[Outage]) -> None:
        self.complaints(backend, self.deadline())
        for name, start in self.all_outages(outages):
            with start():
                self.must_refuse(f"check() while {name}", lambda until: self.complaints(backend, until))
            self.must_recover(f"check() after {name}", lambda: self.complaints(backend, self.deadline()))

    def complaints(self, backend: Backend, deadline: Deadline) -> list[Finding]:
        """What ``check`` finds; raises BackendError where it finds an error, as it may do itself."""
        findings = list(backend.check(deadline))
        if errors := [finding.message for finding in findings if finding.level == "error"]:
            raise BackendError("; ".join(errors))
        return findings

    def test_deadline_that_has_passed_is_a_timeout(
        self, backend: Backend, mapper: Mapper, population: Population
    ) -> None:
        known = self.lookups(mapper, next(iter(population)))[0]
        for _ in range(2):
            with pytest.raises(BackendTimeout):
                list(backend.users(Deadline(0.0)))
            with pytest.raises(BackendTimeout):
                backend.find(known, Deadline(0.0))
            # Then it works, and the second round asks a backend with everything open.
            self.check_everybody(list_users(backend, mapper, self.deadline()), population, "after a timeout")

    def test_backend_may_be_closed_twice(self, make_backend: Callable[[], Backend], mapper: Mapper) -> None:
        unused, used = make_backend(), make_backend()
        list_users(used, mapper, self.deadline())
        for backend in (unused, used):
            backend.close()
            backend.close()
