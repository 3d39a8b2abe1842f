"""The fixtures of the dashboard's tests."""

from __future__ import annotations

import pytest

from tests.web.dashboard.pages import Browser, signed_in
from tests.web.sites import Site


@pytest.fixture
def browser(site: Site) -> Browser:
    """An administrator who has signed in, on the usual installation."""
    return signed_in(site)
