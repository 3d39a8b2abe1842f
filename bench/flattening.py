"""Nested groups of an LDAP directory: everybody with all groups that they are in, against reading the same entries."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.measured import Measured, interleaved
from integration_server import Deadline
from integration_server.builtin.ldap import LdapBackend
from integration_server.builtin.ldap.messages import Search
from integration_server.builtin.ldap.plan import Plan
from integration_server.builtin.ldap.search import Referrals, listing
from integration_server.sdk.testing import open_backend
from tests.servers.slapd import Slapd

_GROUPS = 5_000
#: Of how many groups a person is a member, of their own.
_OWN = 3
_SECONDS = 600


def nested(folder: Path, count: int, rounds: int) -> list[Measured]:
    """Everybody of a slapd with the groups of their groups; a tree of groups with links across and circles."""
    (folder / "nested").mkdir()
    slapd = Slapd(folder / "nested")
    slapd.start()
    try:
        slapd.load(count)
        inside = dict(_graph(count))
        slapd.load_entries("".join(_group(slapd, number, members) for number, members in inside.items()))
        backend = _opened(folder, slapd)
        expected = _expected(inside)

        def ours() -> float:
            began = time.perf_counter()
            found = 0
            for batch in backend.users(Deadline(_SECONDS)):
                column = batch.names.index("groups")
                found += sum(map(len, (row[column] or () for row in batch.rows)))
            seconds = time.perf_counter() - began
            if found != expected:
                raise SystemExit(f"{found} memberships were found, not {expected}")
            return seconds

        figures = interleaved(rounds, ours, lambda: _read(backend))
        backend.close()
    finally:
        slapd.destroy()
    name = f"{_GROUPS:,} nested groups of {count:,} users, {expected:,} memberships"
    return [Measured(name, *figures, "s", 2.0, "the same entries read, nothing flattened")]


def _graph(count: int) -> Iterator[tuple[int, list[str]]]:
    """What is inside each group: people, ``u`` and a number, and groups, ``g`` and a number."""
    chance = random.Random(1)
    inside: list[list[str]] = [[] for _ in range(_GROUPS)]
    for number in range(count):
        for group in chance.sample(range(_GROUPS), _OWN):
            inside[group].append(f"u{number}")
    for group in range(1, _GROUPS):
        inside[(group - 1) // 5].append(f"g{group}")
        if group % 50 == 0:
            # Links across, many of which close circles.
            inside[chance.randrange(group, _GROUPS)].append(f"g{chance.randrange(group)}")
    yield from enumerate(inside)


def _group(slapd: Slapd, number: int, members: list[str]) -> str:
    parents = {"u": f"uid=%s,{slapd.crowd}", "g": f"cn=%s,{slapd.groups}"}
    lines = "".join(f"member: {parents[name[0]] % name}\n" for name in members) or f"member: {slapd.base}\n"
    return f"dn: cn=g{number},{slapd.groups}\nobjectClass: groupOfNames\ncn: g{number}\n{lines}\n"


def _expected(inside: dict[int, list[str]]) -> int:
    """How many memberships there are, worked out in another way, by what is above each group."""
    above: list[set[int]] = [{group} for group in range(_GROUPS)]
    parents: list[list[int]] = [[] for _ in range(_GROUPS)]
    own: dict[str, list[int]] = {}
    for group, members in inside.items():
        for name in members:
            if name[0] == "g":
                parents[int(name[1:])].append(group)
            else:
                own.setdefault(name, []).append(group)
    is_growing = True
    while is_growing:
        before = sum(map(len, above))
        for group in range(_GROUPS):
            above[group].update(*(above[parent] for parent in parents[group]))
        is_growing = sum(map(len, above)) > before
    return sum(len(set[int]().union(*(above[group] for group in groups))) for groups in own.values())


def _opened(folder: Path, slapd: Slapd) -> LdapBackend:
    table: dict[str, Any] = {
        "type": "ldap",
        "servers": [slapd.uri],
        "bind_dn": slapd.admin_dn,
        "bind_password": slapd.admin_password,
        "bases": [slapd.crowd],
        "ldap_filter": "(objectClass=inetOrgPerson)",
        "groups": {"bases": [slapd.groups], "ldap_filter": "(cn=g*)", "nested": True},
        "map": {"groups": "groups"},
    }
    backend = open_backend(LdapBackend, table, folder)
    assert isinstance(backend, LdapBackend)
    return backend


def _read(backend: LdapBackend) -> float:
    """What a listing asks the server for, taken as it comes."""
    plan: Plan = backend._plan
    assert plan.groups is not None
    began = time.perf_counter()
    wire = backend._servers.open(Deadline(_SECONDS), as_service=True)
    try:
        questions = [(base, plan.groups.filter, ("member", "dn", "cn")) for base in plan.groups.bases]
        questions += [(base, plan.filter, plan.asked) for base in plan.bases]
        for base, asked, attributes in questions:
            search = Search(base, plan.scope, asked)
            for _ in listing(wire, search, attributes, plan.page_size, Deadline(_SECONDS), Referrals()):
                pass
    finally:
        wire.close()
    return time.perf_counter() - began
