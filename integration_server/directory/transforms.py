"""The ``transform_user`` hooks, one after the other. What they do wrong is an outage: fail closed."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

from integration_server.sdk.errors import BackendMisconfigured
from integration_server.sdk.model import AccountState, Hidden, User
from integration_server.sdk.page import UserPage

Transform = Callable[[User], User | Hidden]


class Transforms:
    """The hooks as one backend meets them. ``may_rename``: logins find back to whom a hook gave another name."""

    def __init__(self, backend: str, transforms: Sequence[Transform], *, may_rename: bool) -> None:
        self._backend = backend
        self._transforms = tuple(transforms)
        self._may_rename = may_rename

    @property
    def hooks(self) -> tuple[str, ...]:
        """Their names, each with a digest of its code."""
        return tuple(f"{hook.__module__}:{_digest(inspect.getsourcefile(hook))}" for hook in self._transforms)

    def page(self, page: UserPage) -> UserPage:
        """The page after every hook; HIDDEN people are gone. Raises BackendMisconfigured."""
        if not self._transforms:
            return page
        users = [kept for user in page.users() if (kept := self._user(user)) is not None]
        return UserPage.of(self._backend, users)

    def _user(self, user: User) -> User | None:
        current = user
        for transform in self._transforms:
            changed: object = transform(current)
            if isinstance(changed, Hidden):
                return None
            if not isinstance(changed, User) or (changed.id, changed.backend) != (user.id, user.backend):
                raise BackendMisconfigured(
                    f"the transform_user hook of {transform.__module__} must return a user with the same id, or HIDDEN"
                )
            current = changed
        if current.username != user.username and not self._may_rename:
            raise BackendMisconfigured(
                f"a transform_user hook renames {user.username!r}; logins find back only with username_index = true"
            )
        if current is not user and not _is_usable(current):
            raise BackendMisconfigured(f"a transform_user hook spoils {user.username!r}: a field is of no usable kind")
        return current


#: What may hold groups and addresses.
_KEPT = (tuple, list, set, frozenset)


def _is_usable(user: User) -> bool:
    """Whether what a hook returned is what the mapping would have let through: texts without NUL, a user name, and a
    state."""
    # Whatever else can be gone through may be so once only.
    if not isinstance(user.groups, _KEPT) or not isinstance(user.emails, _KEPT):
        return False
    fields = (user.username, user.full_name, user.distinguished_name, user.nickname, user.biography, user.tz)
    texts = [text for text in fields if text is not None]
    try:
        joined = "".join([*texts, *user.groups, *(email.address for email in user.emails)])
        joined.encode()
    except (TypeError, AttributeError, UnicodeEncodeError):
        return False
    is_named = isinstance(user.username, str) and bool(user.username.strip())
    return is_named and "\0" not in joined and isinstance(user.state, AccountState)


def _digest(file: str | None) -> str:
    """Of a source file's content, or nothing where there is none to read."""
    try:
        return hashlib.sha256(Path(file or "").read_bytes()).hexdigest()
    except OSError:
        return ""
