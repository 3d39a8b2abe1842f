"""Whole lists: ours built afresh and shared, the script, privacyIDEA, Dovecot and the floor, in turn.

Before time is taken, every answer is read and compared with the people who were put in: names, full names and
addresses. Dovecot tells names alone.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson

from bench.measured import Measured, Median, taken_in_turn
from bench.rivals import dovecot, ours, php, privacyidea, sources
from bench.rivals.sources import LDAP_FILTER, Source, User
from bench.serving import fetch, fetch_list

Takes = dict[str, Callable[[], float]]


def measure(folder: Path, source: Source, rounds: int) -> list[Measured]:
    """The rates, in users a second."""
    with ExitStack() as stack:
        takes = _set_up(stack, folder, source)
        listed = len(check_equal(folder, source, takes))
        medians = taken_in_turn(rounds, *(_rate(take, listed) for take in takes.values()))
    rates = dict(zip(takes, medians, strict=True))
    return list(_lines(source, rates))


def _set_up(stack: ExitStack, folder: Path, source: Source) -> Takes:
    """How each list is fetched into a file of its name."""

    def output(name: str) -> Path:
        return folder / f"{name}.list"

    own = stack.enter_context(ours.serving(folder, source, 1))
    shared = stack.enter_context(ours.serving(folder, source, 1, is_shared=True))
    rival = stack.enter_context(privacyidea.serving(folder, source, 1))
    takes: Takes = {
        "floor": lambda: floor(source, output("floor")),
        "ours": lambda: fetch_list(own.port, output("ours")),
        "ours shared": lambda: fetch_list(shared.port, output("ours shared")),
        "privacyidea": lambda: fetch(rival.port, privacyidea.list_request(rival), output("privacyidea")),
    }
    if source.is_sql:
        script = stack.enter_context(php.serving(folder, source, 1))
        takes["php"] = lambda: fetch_list(script, output("php"))
    if dovecot.can_run():
        auth = stack.enter_context(dovecot.serving(folder, source, 1))
        takes["dovecot"] = lambda: dovecot.list_to(auth, output("dovecot"))
    return takes


def _rate(take: Callable[[], float], listed: int) -> Callable[[], float]:
    return lambda: listed / take()


def floor(source: Source, output: Path) -> float:
    """The least that has to be done, to a file; seconds."""
    if source.kind == "ldap":
        return _ldapsearch(source, output)
    address = source.address.replace("+psycopg", "")
    command = [sys.executable, "-m", "bench.floors", f"rivals-{source.kind}", address, str(output)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _ldapsearch(source: Source, output: Path) -> float:
    command = ["ldapsearch", "-LLL", "-x", "-H", source.address, "-D", source.user, "-w", source.password]
    command += ["-o", "ldif-wrap=no", "-E", "pr=1000/noprompt", "-b", source.base, LDAP_FILTER, "uid", "cn", "mail"]
    began = time.perf_counter()
    with output.open("wb") as file:
        subprocess.run(command, check=True, stdout=file)
    return time.perf_counter() - began


def check_equal(folder: Path, source: Source, takes: Takes) -> list[User]:
    """Fetch every list once and compare it; who is listed. Ends the bench where one differs."""
    wanted = sources.expected(source.count)
    for name, take in takes.items():
        take()
        parse = parse_ldif if name == "floor" and not source.is_sql else _PARSERS.get(name, _mailstore)
        found = sorted(parse((folder / f"{name}.list").read_bytes()))
        compared = sorted((user[0], "", ()) for user in wanted) if name == "dovecot" else wanted
        if found != compared:
            differ = next((pair for pair in zip(found, compared, strict=False) if pair[0] != pair[1]), "the last ones")
            raise SystemExit(f"{source.title}: {name} lists {len(found)} of {len(compared)} people; {differ}")
    return wanted


def _mailstore(content: bytes) -> Iterator[User]:
    for user in orjson.loads(content):
        yield user["userName"], user["fullName"], tuple(user["emailAddresses"])


def _privacyidea(content: bytes) -> Iterator[User]:
    for user in orjson.loads(content)["result"]["value"]:
        email = user["email"]
        emails = tuple(email) if isinstance(email, list) else tuple(filter(None, (email, user.get("alias"))))
        yield user["username"], user["surname"], emails


def _dovecot(content: bytes) -> Iterator[User]:
    return ((name, "", ()) for name in content.decode().split())


def parse_ldif(content: bytes) -> Iterator[User]:
    for entry in content.decode().split("\n\n"):
        values: dict[str, list[str]] = {}
        for line in entry.splitlines():
            name, _, value = line.partition(": ")
            shown = base64.b64decode(value).decode() if name.endswith(":") else value
            values.setdefault(name.rstrip(":"), []).append(shown)
        if "uid" in values:
            yield values["uid"][0], values["cn"][0], tuple(values["mail"])


_PARSERS: dict[str, Callable[[bytes], Iterator[User]]] = {"privacyidea": _privacyidea, "dovecot": _dovecot}


def _lines(source: Source, rates: dict[str, Median]) -> Iterator[Measured]:
    name = f"list, {source.count:,} users from {source.title}"
    least = "the raw driver, orjson, file" if source.is_sql else "ldapsearch, paged, to a file"
    beside = (
        ("ours", "privacyidea", f"privacyIDEA {privacyidea.VERSION}", 8 if source.is_sql else 4),
        ("ours", "php", "a PHP script", 0.6),
        ("ours shared", "php", "a PHP script", 3),
        ("ours", "dovecot", "Dovecot (names alone)", None),
        ("ours", "floor", least, 0.5),
    )
    for own, other, note, target in beside:
        if other in rates:
            shared = ", shared (max_age)" if own == "ours shared" else ""
            yield Measured(name + shared, rates[own], rates[other], "users/s", target, note, is_least=True)
