"""Public ids: made once, the same for ever, whoever makes them."""

from __future__ import annotations

import re
import threading

import sqlalchemy as sa

from integration_server.store.identities import Identities, base62


def test_person_keeps_their_id(engine: sa.Engine) -> None:
    first = Identities(engine).profiles("hq", ["1", "2", "1"])

    assert first[0] == first[2] != first[1]
    assert Identities(engine).profiles("hq", ["2", "3", "1"])[::2] == [first[1], first[0]]
    assert Identities(engine).profiles("hq", []) == []
    assert all(re.fullmatch("[0-9a-zA-Z]{15,22}", one) for one in first)


def test_same_id_in_another_backend_is_another_person(engine: sa.Engine) -> None:
    identities = Identities(engine)
    (mine,), (other,) = identities.profiles("hq", ["1"]), identities.profiles("branch", ["1"])

    assert mine != other
    assert identities.owner(mine) == ("hq", "1")
    assert identities.owner(other) == ("branch", "1")
    assert identities.owner(mine.swapcase()) is None or mine.swapcase() == mine
    assert identities.owner("nobody") is None


def test_ids_that_are_made_at_one_time_are_the_same(engine: sa.Engine) -> None:
    people = [f"person {number}" for number in range(1200)]
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(Identities(engine).profiles("busy", people))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert all(one == found[0] for one in found)
    assert len(set(found[0])) == len(people)


def test_group_is_called_as_it_is_where_that_can_be(engine: sa.Engine) -> None:
    identities = Identities(engine)
    names = ["staff", "Staff", "R & D", "Größe", "R-D", "%%%", "x" * 300]
    found = identities.groups("site", "hq", names)

    assert found[:5] == ["staff", "Staff-2", "R-D", "Groe", "R-D-2"]
    assert found[5] == "group"
    assert found[6] == "x" * 60
    assert all(re.fullmatch("[A-Za-z0-9_-]+", one) for one in found)
    assert Identities(engine).groups("site", "hq", names[::-1]) == found[::-1]


def test_groups_of_two_backends_of_a_mount_share_no_id(engine: sa.Engine) -> None:
    identities = Identities(engine)
    assert identities.groups("wiki", "one", ["editors"]) == ["editors"]
    assert identities.groups("wiki", "two", ["editors"]) == ["editors-2"]
    assert identities.groups("forum", "two", ["editors"]) == ["editors"]
    assert identities.group("wiki", "editors") == ("one", "editors")
    assert identities.group("wiki", "editors-2") == ("two", "editors")
    assert identities.group("forum", "editors") == ("two", "editors")
    assert identities.group("wiki", "EDITORS") is None


def test_number_is_written_in_sixty_two_digits() -> None:
    assert [base62(number) for number in (0, 61, 62, 2**128 - 1)] == ["0", "Z", "10", "7N42dgm5tFLK9N8MT7fHC7"]
