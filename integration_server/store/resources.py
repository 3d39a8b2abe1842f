"""What one can subscribe to, and what a token may see: everybody, one backend, or one group of a backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from integration_server.sdk.events import Event

ResourceKind = Literal["all", "backend", "group"]


@dataclass(frozen=True, slots=True)
class Resource:
    """``backend`` is set for kinds ``backend`` and ``group``, ``group`` for kind ``group``."""

    kind: ResourceKind = "all"
    backend: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        has = (self.backend is not None, self.group is not None)
        if has != (self.kind != "all", self.kind == "group"):
            raise ValueError(f"a resource of kind {self.kind!r} with backend {self.backend!r}, group {self.group!r}")

    def covers(self, other: Resource) -> bool:
        """Whether whoever may see this may see ``other``."""
        if self.kind == "all":
            return True
        return self.backend == other.backend and (self.kind == "backend" or self == other)

    def matches(self, event: Event) -> bool:
        """Whether an event belongs to it: of a group, its memberships, and its people before or after."""
        if self.kind == "group":
            return self.backend == event.backend and (
                self.group == event.group if event.group is not None else self.group in event.groups
            )
        return self.kind == "all" or self.backend == event.backend

    def as_json(self) -> dict[str, str]:
        """The least that names it, such as ``{"kind": "backend", "backend": "hq"}``."""
        parts = {"kind": self.kind, "backend": self.backend, "group": self.group}
        return {key: value for key, value in parts.items() if value is not None}

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Resource:
        """The opposite of ``as_json``. Raises ValueError."""
        kind, backend, group = value.get("kind"), value.get("backend"), value.get("group")
        if kind not in ("all", "backend", "group") or not {str, type(None)} >= {type(backend), type(group)}:
            raise ValueError("this names no resource")
        return cls(kind, cast(str | None, backend), cast(str | None, group))

    def __str__(self) -> str:
        return "all" if self.kind == "all" else "/".join(filter(None, (self.backend, self.group)))
