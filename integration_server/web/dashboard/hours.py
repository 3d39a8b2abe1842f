"""What the hours say of a frontend: logins of the last two days, people on its lists of two weeks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from markupsafe import Markup

from integration_server.store.hourly_counts import HOUR_SECONDS, HourlyCount, HourlyCounts
from integration_server.web.dashboard.charts import Bar, bars, line

LOGIN_HOURS = 48
PEOPLE_HOURS = 14 * 24
_DAY_HOURS = 24
#: With the classes of their colours.
_WORDS = {"accepted": "good", "refused": "warn", "unavailable": "bad"}


@dataclass(frozen=True, slots=True)
class Logins:
    """Logins in some time, by what was said."""

    accepted: int = 0
    refused: int = 0
    unavailable: int = 0

    @property
    def total(self) -> int:
        return self.accepted + self.refused + self.unavailable


@dataclass(frozen=True, slots=True)
class LoginHour:
    """``at`` is the beginning of the hour in Unix seconds."""

    at: float
    logins: Logins


@dataclass(frozen=True, slots=True)
class FrontendHours:
    """``logins`` are the hours in which there were any, oldest first; ``people`` how many the last list of an hour had,
    by hour."""

    hour: int
    logins: Sequence[LoginHour] = ()
    people: Sequence[tuple[int, int]] = ()
    lists: int = 0
    listed_at: float | None = None
    words: Mapping[int, Logins] = field(default_factory=dict)

    @property
    def began(self) -> str:
        """When the hour began that is not over, for people."""
        return datetime.fromtimestamp(self.hour * HOUR_SECONDS, UTC).strftime("%H:%M")

    def login_sum(self, hours: int) -> Logins:
        """Of the last so many hours, the one that is not over among them."""
        found = [logins for hour, logins in self.words.items() if hour > self.hour - hours]
        return Logins(*(sum(getattr(one, word) for one in found) for word in _WORDS))

    @property
    def login_chart(self) -> Markup | None:
        """None where nobody has logged in."""
        if not self.logins:
            return None
        first = self.hour - LOGIN_HOURS + 1
        columns = [_login_bar(hour, self.words.get(hour, Logins())) for hour in range(first, self.hour + 1)]
        total = self.login_sum(LOGIN_HOURS)
        told = f"Logins per hour in the last {LOGIN_HOURS} hours: {_told(total)}"
        return bars(columns, told, f"{LOGIN_HOURS} h ago", "now")

    @property
    def people_chart(self) -> Markup | None:
        """None where there is nothing to compare."""
        if len(self.people) < 2:
            return None
        first = self.people[0][0]
        span = max(1, self.hour - first)
        points = [((hour - first) / span, number) for hour, number in self.people]
        numbers = [number for _, number in self.people]
        told = f"People on the list since {_moment(first)}: from {min(numbers)} to {max(numbers)}, now {numbers[-1]}"
        return line(points, told, _day(first), "now")


def hours_of(counts: HourlyCounts, now: float) -> Mapping[str, FrontendHours]:
    """By frontend; those that never counted anything are missing. Raises StoreUnavailable."""
    hour = int(now // HOUR_SECONDS)
    found: dict[str, list[HourlyCount]] = defaultdict(list)
    for one in counts.since(hour - LOGIN_HOURS + 1):
        found[one.frontend].append(one)
    people: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for one in counts.since(hour - PEOPLE_HOURS, "people"):
        people[one.frontend].append((one.hour, one.number))
    listed = {frontend: at for (frontend, what), at in counts.latest().items() if what == "lists"}
    names = found.keys() | people.keys() | listed.keys()
    return {name: _frontend(hour, found[name], people[name], listed.get(name)) for name in names}


def _frontend(
    hour: int, counts: Sequence[HourlyCount], people: Sequence[tuple[int, int]], listed_at: float | None
) -> FrontendHours:
    words: dict[int, dict[str, int]] = defaultdict(dict)
    lists = 0
    for one in counts:
        if one.what in _WORDS:
            words[one.hour][one.what] = one.number
        elif one.what == "lists" and one.hour > hour - _DAY_HOURS:
            lists += one.number
    logins = {each: Logins(**numbers) for each, numbers in sorted(words.items())}
    shown = [LoginHour(each * HOUR_SECONDS, sums) for each, sums in logins.items()]
    return FrontendHours(hour, shown, people, lists, listed_at, logins)


def _login_bar(hour: int, logins: Logins) -> Bar:
    title = f"{_moment(hour)}: {_told(logins)}"
    return Bar(title, [(kind, getattr(logins, word)) for word, kind in _WORDS.items()])


def _told(logins: Logins) -> str:
    return ", ".join(f"{getattr(logins, word)} {word}" for word in _WORDS)


def _moment(hour: int) -> str:
    return datetime.fromtimestamp(hour * HOUR_SECONDS, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _day(hour: int) -> str:
    return datetime.fromtimestamp(hour * HOUR_SECONDS, UTC).strftime("%Y-%m-%d")
