"""The fixtures of the dashboard's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.receiver import LocalReceiver
from tests.web.dashboard.pages import Browser, signed_in
from tests.web.dashboard.telling import House, make_house
from tests.web.sites import MakeSite, Site


@pytest.fixture
def browser(site: Site) -> Browser:
    """An administrator who has signed in, on the usual installation."""
    return signed_in(site)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[LocalReceiver]:
    """A machine that takes webhooks."""
    with LocalReceiver(tmp_path / "receiver") as opened:
        yield opened


@pytest.fixture
def house(make_site: MakeSite, receiver: LocalReceiver) -> House:
    """An installation that tells a receiver of changes."""
    return make_house(make_site, receiver)
