"""What comes in the moment in which a user agent is greeted."""

from __future__ import annotations

import pytest

from integration_server.builtin.push.clerk import Clerk, Work
from integration_server.builtin.push.letters import Hello
from integration_server.builtin.push.office import PostOffice
from integration_server.builtin.push.session import Collect, Job
from integration_server.builtin.push.versions import Update
from tests.builtin.push.conftest import registered
from tests.waiting import wait_for

CHANNEL = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("kind", [Hello, Collect])
def test_version_that_comes_after_what_waits_was_read_is_told(
    office: PostOffice, kind: type[Hello | Collect], is_first: bool
) -> None:
    """Nobody counts as connected by then: the answer is still on its way."""
    mine = registered(office, CHANNEL)
    told: list[Update] = []
    job: Job = Hello(mine.uaid) if kind is Hello else Collect((mine.uaid,))

    def answer(done: object) -> None:
        office.put(mine.token, 7)

    clerk = Clerk[str](office, answer, lambda update, is_again: told.append(update), lambda: ())
    if is_first:
        clerk.take(Work("connection", job))
    clerk.start()
    try:
        if not is_first:
            wait_for(lambda: clerk._seen is not None)
            clerk.take(Work("connection", job))
        wait_for(lambda: told == [{mine.uaid: {CHANNEL: 7}}])
    finally:
        clerk.stop(5)
