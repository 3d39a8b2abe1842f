from __future__ import annotations

from tests.builtin.groupserver.site import make_hooks

__all__ = ["make_hooks"]
