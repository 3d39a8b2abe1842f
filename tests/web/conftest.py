"""The fixtures of ``sites``."""

from tests.directory.house import empty_store
from tests.web.sites import make_site, site

__all__ = ["empty_store", "make_site", "site"]
