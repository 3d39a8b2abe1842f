"""What a receiver answered over HTTP. (Its own module, so that plugins can name it without loading an HTTP client.)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

#: Bytes of an answer that are read; after that the connection is dropped.
ANSWER_LIMIT = 20_000
#: Seconds; whoever asks for a longer rest is asked again after this.
_LONGEST_REST = 3600.0


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a receiver answered. Names of ``headers`` are in lower case; ``body`` ends where the limit was.

    ``is_second``: the request went out twice, the first time on a connection that the receiver was just closing; hardly
    ever has it read that one.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_second: bool = False

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body for people to read, whatever it is."""
        return self.body.decode("utf-8", "replace").replace("\0", "\ufffd")

    def retry_after(self, now: float) -> float | None:
        """Seconds from 0 to 3,600 after ``now`` (Unix seconds), or None where Retry-After is not there or unreadable.

        A date is compared with the receiver's own clock where it tells that (RFC 9110 §10.2.3, §6.6.1).
        """
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return float(min(int(text[:10]), _LONGEST_REST))
        at, current = _date(text), _date(self.headers.get("date", ""))
        if at is None:
            return None
        return min(max(at - (now if current is None else current), 0.0), _LONGEST_REST)


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, IndexError, TypeError, OSError):
        # OSError: Windows counts local time from 1970 on, and to the year 3000.
        return None
