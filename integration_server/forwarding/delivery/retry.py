"""When to try again. Pure functions of what happened; randomness is handed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: Seconds from one try of an event to the next (the schedule that Standard Webhooks gives as its example).
SCHEDULE = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
#: The same for receivers that are never given up: whoever mends one need not wait for hours.
ENDLESS_SCHEDULE = (5.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0)
#: A pause is stretched or shrunk by up to this share, so that what failed together does not come back together.
JITTER = 0.1
#: No pause that this module gives is longer.
LONGEST = SCHEDULE[-1] * (1 + JITTER)

#: What a receiver asks for with Retry-After is obeyed within these bounds, in seconds.
RETRY_AFTER = (1.0, 3600.0)

_FIRST_PROBE, _LONGEST_PROBE = 5.0, 300.0
_QUARANTINE_PROBE = 3600.0
#: The longest time to a probe.
LONGEST_PROBE = _QUARANTINE_PROBE * (1 + JITTER)

#: A number from 0 up to 1, such as ``random.random``.
Random = Callable[[], float]


def pause_after(
    attempt: int, retry_after: float | None, random: Random, schedule: Sequence[float] = SCHEDULE, gives_up: bool = True
) -> float | None:
    """Seconds to wait after try number ``attempt`` (from 1) of an event failed, or None when that was the last. Without
    ``gives_up`` no try is the last, and the schedule's longest pause comes again and again.

    A receiver may ask for more time than the schedule gives, not for less.
    """
    if attempt > len(schedule) and gives_up:
        return None
    pause = _jittered(schedule[min(attempt, len(schedule)) - 1], random)
    return pause if retry_after is None else max(pause, _bounded(retry_after))


def pause_before_probe(probes: int, retry_after: float | None, is_quarantined: bool, random: Random) -> float:
    """Seconds until a receiver that rests is asked again, after ``probes`` failed probes."""
    if is_quarantined:
        return _jittered(_QUARANTINE_PROBE, random)
    if retry_after is not None:
        return _bounded(retry_after)
    # The exponent is bounded before it is used: a week of probes would overflow a float.
    return _jittered(min(_FIRST_PROBE * 2.0 ** min(probes, 10), _LONGEST_PROBE), random)


def is_due(at: float, now: float, longest: float = LONGEST) -> bool:
    """Whether a moment has come; one farther away than any pause was written by a clock that has been set back."""
    return at <= now or at > now + longest


def _jittered(pause: float, random: Random) -> float:
    return pause * (1 - JITTER + 2 * JITTER * random())


def _bounded(retry_after: float) -> float:
    return min(max(retry_after, RETRY_AFTER[0]), RETRY_AFTER[1])
