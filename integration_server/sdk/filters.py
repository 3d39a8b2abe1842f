"""Who is in scope: include and exclude patterns, domains, groups, addresses. Works on mapped users."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

from integration_server.sdk.model import normalize_name
from integration_server.sdk.page import UserPage
from integration_server.sdk.settings import FilterSettings

#: Says why the user at a position of a page is left out, or None.
Condition = Callable[[UserPage, int], str | None]


class Filter:
    """A compiled filter. An empty one lets everybody through at no cost."""

    def __init__(self, settings: FilterSettings, where: str) -> None:
        self._where = where
        self._conditions = _compile(settings)

    def keep(self, page: UserPage) -> UserPage:
        """The users of the page who are in scope, in order."""
        if not self._conditions:
            return page
        kept = [i for i in range(len(page)) if self.reason(page, i) is None]
        return page if len(kept) == len(page) else page.take(kept)

    def reason(self, page: UserPage, i: int) -> str | None:
        """Why the user at position ``i`` is left out, naming the setting, or None for somebody in scope."""
        for condition in self._conditions:
            if (why := condition(page, i)) is not None:
                return f"{self._where}: {why}"
        return None


def _patterns(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(normalize_name(p)) for p in patterns))


def _domain(address: str) -> str:
    return normalize_name(address.rpartition("@")[2]) if "@" in address else ""


def _compile(settings: FilterSettings) -> list[Condition]:
    conditions: list[Condition] = []
    if settings.include:
        included = _patterns(settings.include)
        conditions.append(
            lambda p, i: None if included.match(normalize_name(p.usernames[i])) else "matches no pattern of include"
        )
    if settings.exclude:
        excluded = _patterns(settings.exclude)
        conditions.append(
            lambda p, i: "matches a pattern of exclude" if excluded.match(normalize_name(p.usernames[i])) else None
        )
    if settings.domains:
        conditions.append(_in_domains(frozenset(normalize_name(d.removeprefix("@")) for d in settings.domains)))
    if settings.groups:
        wanted = frozenset(map(normalize_name, settings.groups))
        conditions.append(lambda p, i: None if wanted & _groups(p, i) else "is in none of groups")
    if settings.exclude_groups:
        unwanted = frozenset(map(normalize_name, settings.exclude_groups))
        conditions.append(lambda p, i: "is in one of exclude_groups" if unwanted & _groups(p, i) else None)
    if settings.only_with_email:
        conditions.append(
            lambda p, i: None if p.emails is not None and p.emails[i] else "has no address (only_with_email)"
        )
    return conditions


def _groups(page: UserPage, i: int) -> frozenset[str]:
    return frozenset(map(normalize_name, page.groups[i])) if page.groups is not None else frozenset()


def _in_domains(domains: frozenset[str]) -> Condition:
    def condition(page: UserPage, i: int) -> str | None:
        addresses = [page.usernames[i], *(page.emails[i] if page.emails is not None else ())]
        return None if any(_domain(address) in domains for address in addresses) else "is in none of domains"

    return condition
