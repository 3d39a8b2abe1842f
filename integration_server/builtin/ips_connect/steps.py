"""Which steps of chains were done, so that none is done twice, in whichever process."""

from __future__ import annotations

import sqlalchemy as sa

from integration_server import Storage
from integration_server.builtin.ips_connect.chain_state import STEP_SECONDS, ChainState
from integration_server.builtin.ips_connect.sessions import CLOCK_SKEW
from integration_server.builtin.ips_connect.tables import chains

_TAKE = sa.text(
    "INSERT INTO ips_connect_chains (chain, step, ends_at) VALUES (:chain, :step, :ends_at)"
    " ON CONFLICT (chain) DO UPDATE SET step = excluded.step, ends_at = excluded.ends_at"
    " WHERE ips_connect_chains.step < excluded.step"
)


class Steps:
    """The last step of each chain that is under way. Thread-safe; raises StoreUnavailable."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def take(self, state: ChainState, now: float) -> bool:
        """Whether nobody has come back with this state, or a later one of its chain, before. ``now`` in Unix
        seconds."""
        # Longer than any state of it that is there already will be taken.
        ends_at = now + STEP_SECONDS + 2 * CLOCK_SKEW
        with self._storage.writing() as connection:
            if state.step == 1:
                connection.execute(chains.delete().where(chains.c.ends_at < now))
            taken = connection.execute(_TAKE, {"chain": state.chain, "step": state.step, "ends_at": ends_at})
            return taken.rowcount == 1
