"""Tells the audit hooks what happened."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger(__name__)

Hook = Callable[[str, str, Mapping[str, object]], None]


class Audit:
    """All ``audit`` hooks as one. What they raise is logged and changes nothing."""

    def __init__(self, audits: Sequence[Hook] = ()) -> None:
        self._audits = tuple(audits)

    def tell(self, action: str, subject: str, details: Mapping[str, object]) -> None:
        """Say what happened, after it did. See the hook ``audit`` for the actions; never put a secret into
        ``details``."""
        for hook in self._audits:
            try:
                hook(action=action, subject=subject, details=details)  # type: ignore[call-arg]
            except Exception:
                logger.exception("an audit hook failed on %s of %s", action, subject)
