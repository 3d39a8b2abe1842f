"""How long a file must have been left alone before it is believed."""

from __future__ import annotations

import time

from integration_server.builtin.csv_file.source import Signature, SourceFile, UnsettledFile

_LOOK_SECONDS = 0.05


class QuietPeriod:
    """Says of a state of a file whether its writer can be taken to be done. Thread-safe."""

    def __init__(self, source: SourceFile, seconds: float) -> None:
        self._source = source
        self._seconds = seconds
        self._first_seen: tuple[Signature, float] | None = None

    def is_over(self, signature: Signature) -> bool:
        """Whether the file has been left alone long enough, by its own clock or, where that is ahead, by ours."""
        if time.time() - signature.modified_ns / 1e9 >= self._seconds:
            return True
        now = time.monotonic()
        seen = self._first_seen
        if seen is None or seen[0] != signature:
            self._first_seen = seen = signature, now
        return now - seen[1] >= self._seconds

    def wait(self) -> Signature:
        """The state that the file has once it is quiet. Raises UnsettledFile where it goes on changing."""
        give_up = time.monotonic() + 2 * self._seconds + 1
        while time.monotonic() < give_up:
            time.sleep(_LOOK_SECONDS)
            signature = self._source.signature()
            if self.is_over(signature):
                return signature
        raise UnsettledFile(f"{self._source.path} is being written")
