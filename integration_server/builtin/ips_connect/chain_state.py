"""What a browser carries along a chain: where it has yet to go, and which slaves it did not come back from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from integration_server.builtin.ips_connect.seals import Seal
from integration_server.builtin.ips_connect.sessions import CLOCK_SKEW

#: Seconds within which a browser must come back from a slave.
STEP_SECONDS = 600
#: So many slaves that a browser did not come back from are remembered in its cookie.
_MOST_LOST = 16


@dataclass(frozen=True, slots=True)
class ChainState:
    """A chain at one step. Slaves are named by their tags (see ``Stop``).

    ``chain`` is the chain's own random name, ``step`` counts the slaves that the browser was sent to, ``current`` is
    the last of them and ``remaining`` are those that follow. ``origin`` is the slave that began it, or empty.
    ``return_to`` is where it ends, an URL that was checked, or empty. ``at`` is when the browser was sent off, in Unix
    seconds.
    """

    method: str
    id: str
    chain: str
    step: int
    current: str
    remaining: tuple[str, ...]
    origin: str
    # It may hold a key.
    return_to: str = field(repr=False)
    at: int

    def is_fresh(self, now: float) -> bool:
        return -CLOCK_SKEW <= now - self.at <= STEP_SECONDS

    def moved(self, current: str, remaining: tuple[str, ...], now: float) -> ChainState:
        """The state with which the browser is sent to ``current``."""
        return replace(self, step=self.step + 1, current=current, remaining=remaining, at=int(now))

    def sealed(self, seal: Seal) -> str:
        """As text, in which 50 slaves take no more than 600 characters."""
        return seal.write(
            [
                self.method,
                self.id,
                self.chain,
                self.step,
                self.current,
                " ".join(self.remaining),
                self.origin,
                self.return_to,
                self.at,
            ]
        )

    @classmethod
    def opened(cls, seal: Seal, text: str) -> ChainState | None:
        """The state that was sealed, whatever its age; None for what is none of ours."""
        found = seal.read(text)
        if found is None:
            return None
        method, id, chain, step, current, remaining, origin, return_to, at = found
        return cls(method, id, chain, step, current, tuple(remaining.split()), origin, return_to, at)


@dataclass(frozen=True, slots=True)
class Trail:
    """The cookie beside it: which step of which chain the browser is expected back at, and when it was sent to slaves
    that it did not come back from."""

    chain: str = ""
    step: int = 0
    sent: Mapping[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> frozenset[str]:
        """The slaves that would strand it again."""
        return frozenset(self.sent)

    def awaits(self, state: ChainState) -> bool:
        """Whether the last answer that the browser got had this very state in it."""
        return (self.chain, self.step) == (state.chain, state.step)

    def sent_off(self, state: ChainState) -> Trail:
        """When the browser is sent to ``state.current``."""
        newest = dict(sorted({**self.sent, state.current: state.at}.items(), key=lambda one: one[1])[-_MOST_LOST:])
        return Trail(state.chain, state.step, newest)

    def back_from(self, tag: str) -> Trail:
        """When it came back from a slave."""
        return replace(self, sent={one: at for one, at in self.sent.items() if one != tag})

    def sealed(self, seal: Seal) -> str:
        return seal.write([self.chain, self.step, dict(self.sent)])

    @classmethod
    def opened(cls, seal: Seal, text: str | None, now: float) -> Trail:
        """What is still young enough of the cookie; an empty one where there is none of ours."""
        found = seal.read(text) if text else None
        if found is None:
            return cls()
        chain, step, sent = found
        return cls(chain, step, {tag: at for tag, at in sent.items() if -CLOCK_SKEW <= now - at <= STEP_SECONDS})
