"""What a slave of IPS Connect was told, beside what was changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import parse_qs, urlsplit

from tests.receiver import Received


def check_slave(requests: Sequence[Received], made: Sequence[str], acknowledged: Collection[str]) -> int:
    """How many changes of names came. Raises AssertionError where one that was acknowledged did not, or where one came
    for the first time after a later one."""
    place = {name: number for number, name in enumerate(made)}
    highest, came = -1, set()
    for one in requests:
        query = parse_qs(urlsplit(one.path).query)
        if query["do"] != ["changeName"]:
            continue
        (name,) = query["name"]
        if name not in came:
            assert place[name] > highest, f"{name!r} came after {made[highest]!r}"
            highest = place[name]
        came.add(name)
    missing = set(acknowledged) - came
    assert not missing, f"the slave was never told of {sorted(missing)}"
    return len(came)
