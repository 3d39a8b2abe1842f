"""The change feed of accounts that are kept here: every change has a number."""

from __future__ import annotations

import re
from collections.abc import Iterator

from integration_server import ChangeFeed, Changes, ComparisonNeeded, Deadline
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.entries import asking, batch

FEED = "numbered changes"
_BATCH = 1000
_POSITION = re.compile(r"ips_connect\((0|[1-9][0-9]{0,17})\)", re.ASCII)


class NumberedFeed(ChangeFeed):
    """Tells what changed in ``_accounts``, which whoever takes it on has to set."""

    _accounts: Accounts

    def feed(self) -> str | None:
        return FEED

    def feed_position(self, deadline: Deadline) -> str:
        deadline.remaining()
        with asking():
            return _position(self._accounts.last_change())

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        number = self._number(position, deadline)
        is_more = True
        while is_more:
            deadline.remaining()
            with asking():
                found = self._accounts.changes(number, _BATCH)
            is_more = len(found) == _BATCH
            if found:
                number = found[-1].number
                there = [change.account for change in found if change.account is not None]
                gone = tuple(str(change.id) for change in found if change.is_gone)
                yield Changes(_position(number), batch(there) if there else None, gone)

    def _number(self, position: str, deadline: Deadline) -> int:
        """Raises ComparisonNeeded for what is no position, or one of changes that were never made."""
        read = _POSITION.fullmatch(position)
        deadline.remaining()
        with asking():
            last = self._accounts.last_change()
        if read is None or int(read[1]) > last:
            raise ComparisonNeeded("the position is none of this store; was a backup put back?")
        return int(read[1])


def _position(number: int) -> str:
    return f"ips_connect({number})"
