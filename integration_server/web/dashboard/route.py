"""One route of the dashboard, and who asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import flask


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of an administrator who has signed in. ``form_token`` goes into every form; ``notice`` was left by what
    they did last."""

    admin: str
    form_token: str = field(repr=False)
    notice: str | None = None

    @property
    def actor(self) -> str:
        """As the audit log names them."""
        return f"admin:{self.admin}"


@dataclass(frozen=True, slots=True)
class Route:
    """``path`` is below the dashboard's own; ``name`` is what ``url_for`` takes. ``handler`` gets the visit and each
    variable of the path by its name. What a page asks for by itself from time to time is a ``is_poll``: it does not
    count as use of the session."""

    method: Literal["GET", "POST"]
    path: str
    name: str
    handler: Callable[..., flask.Response]
    is_poll: bool = False


class Page(Protocol):
    """A page, or a noun with several."""

    def routes(self) -> list[Route]:
        """Its routes."""
        ...
