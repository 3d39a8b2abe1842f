"""What a frontend may do, bound to the current request."""

from __future__ import annotations

import hmac
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flask import Response
from werkzeug.http import parse_accept_header
from werkzeug.wsgi import wrap_file

from integration_server.directory.dispatch import Directory
from integration_server.directory.listing import EVERYBODY, Lister, Listing, View
from integration_server.directory.mount import Mount
from integration_server.directory.site import Site
from integration_server.directory.spool import content_digest
from integration_server.directory.throttle import Throttle
from integration_server.forwarding.writing import Writing
from integration_server.meters import Meters
from integration_server.sdk.bindings import Bindings
from integration_server.sdk.contracts import AccountWriter
from integration_server.sdk.errors import DirectoryUnavailable, IntegrationError, Throttled
from integration_server.sdk.gateway import Gateway, Joined, ListEncoder, Profile, ProfileEncoder, SiteGroup
from integration_server.sdk.hookspecs import Waker
from integration_server.sdk.http import HttpClient
from integration_server.sdk.model import NewAccount, Verdict, normalize_name
from integration_server.sdk.page import UserPage
from integration_server.sdk.receivers import Receivers
from integration_server.sdk.storage import Storage, Tables
from integration_server.store.failed_logins import Who
from integration_server.web import current
from integration_server.web.callers import CallerCheck, is_loopback
from integration_server.web.proxy import IS_FORWARDED

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

#: How often a list may be replaced and removed between our look at the record and our opening of the file.
_OPEN_TRIES = 3
#: What a verdict is counted as.
_COUNTED = {verdict: verdict.name.lower() for verdict in Verdict}
#: Key of the environ: the gateway that has admitted this request's caller.
_ADMITTED = "integration_server.admitted"


@dataclass(frozen=True, slots=True)
class Services:
    """What protocols of some depth need beside the directory. ``key`` is the installation's; ``receivers`` gives those
    of a consumer type, ``bindings`` the channels of one; ``waiters`` has a place for each request of any mount that may
    wait; ``listen`` raises ConfigError; ``wakers`` are the hooks ``wake_consumer``."""

    storage: Callable[[Tables], Storage]
    receivers: Callable[[str], Receivers]
    bindings: Callable[[str], Bindings]
    http: HttpClient
    throttle: Throttle
    waiters: threading.Semaphore
    is_stopping: Callable[[], bool]
    listen: Callable[[str, int, int], socket.socket]
    wakers: Sequence[Waker]
    meters: Meters
    key: bytes = field(repr=False)


class WebGateway(Gateway):
    """The directory, as one mount's frontend sees it. Used within requests only."""

    def __init__(
        self,
        mount: Mount,
        directory: Directory,
        lister: Lister,
        site: Site,
        writing: Writing,
        callers: CallerCheck,
        is_token: Callable[[str], bool],
        services: Services,
    ) -> None:
        self._mount = mount
        self._directory = directory
        self._lister = lister
        self._site = site
        self._writing = writing
        self._callers = callers
        self._is_token = is_token
        self._services = services

    @property
    def name(self) -> str:
        return self._mount.name

    @property
    def backend_types(self) -> Mapping[str, str]:
        return {source.name: source.settings.type for source in self._mount.sources}

    @property
    def http(self) -> HttpClient:
        return self._services.http

    def storage(self, tables: Tables) -> Storage:
        return self._services.storage(tables)

    def receivers(self, type: str) -> Receivers:
        return self._services.receivers(type)

    def bindings(self, type: str) -> Bindings:
        return self._services.bindings(type)

    def signing_key(self, purpose: str) -> bytes:
        about = f"frontend\0{self._mount.name}\0{purpose}".encode()
        return hmac.digest(self._services.key, about, "sha256")

    def wake_consumer(self, consumer: str, kick: Mapping[str, object]) -> None:
        failed: Exception | None = None
        for wake in self._services.wakers:
            try:
                wake(mount=self._mount.name, consumer=consumer, kick=kick)
            except Exception as exc:
                failed = failed or exc
        if failed is not None:
            raise failed

    @property
    def has_wakers(self) -> bool:
        return bool(self._services.wakers)

    def listen(self, host: str, port: int, connections: int) -> socket.socket:
        return self._services.listen(host, port, connections)

    @contextmanager
    def waiting(self) -> Iterator[bool]:
        is_free = self._services.waiters.acquire(blocking=False)
        try:
            yield is_free
        finally:
            if is_free:
                self._services.waiters.release()

    @property
    def is_stopping(self) -> bool:
        return self._services.is_stopping()

    def attempt(self, username: str, secret: str, is_right: Callable[[], bool], caller: str | None = None) -> bool:
        throttle = self._services.throttle
        who = Who(self._mount.name, normalize_name(username), caller or current.environ().get("REMOTE_ADDR") or "")
        try:
            with throttle.attempt(who, secret) as failures:
                found = is_right()
                if found:
                    throttle.success(who, failures)
                else:
                    throttle.failure(who, secret)
        except IntegrationError as exc:
            self._count_unanswered(exc)
            raise
        self._count(Verdict.ACCEPTED if found else Verdict.REJECTED)
        return found

    def admit(self, has_token: bool = False) -> None:
        self._admit(has_token)

    def _admit(self, has_token: bool = False) -> WSGIEnvironment:
        """Admit the caller; the environment of the request."""
        environ = current.environ()
        if environ.get(_ADMITTED) is self:
            return environ
        address = environ.get("REMOTE_ADDR") or ""
        # A proxy on this machine that nobody told us about makes everybody look local; its headers give it away.
        is_local = is_loopback(address) and not environ.get(IS_FORWARDED, False)
        is_encrypted = environ.get("wsgi.url_scheme") == "https"
        self._callers.admit(address, is_local, is_encrypted, environ.get("HTTP_AUTHORIZATION"), has_token)
        environ[_ADMITTED] = self
        return environ

    def is_token(self, token: str) -> bool:
        self.admit(has_token=True)
        return self._is_token(token)

    def authenticate(self, username: str, password: str) -> Verdict:
        caller = self._admit().get("REMOTE_ADDR") or ""
        try:
            found = self._directory.authenticate(self._mount, username, password, caller)
        except IntegrationError as exc:
            self._count_unanswered(exc)
            raise
        self._count(found)
        return found

    def _count_unanswered(self, exc: IntegrationError) -> None:
        """Count a login about which nothing could be said."""
        self._services.meters.login(self.name, "throttled" if isinstance(exc, Throttled) else "unavailable")

    def _count(self, verdict: Verdict) -> None:
        self._services.meters.login(self._mount.name, _COUNTED[verdict])

    def groups(self) -> Sequence[SiteGroup]:
        self.admit()
        return self._site.groups()

    def group(self, group_id: str) -> SiteGroup | None:
        self.admit()
        return self._site.group(group_id)

    def profile(self, profile_id: str) -> Profile | None:
        self.admit()
        return self._site.profile(profile_id)

    def profile_of_address(self, address: str) -> Profile | None:
        self.admit()
        return self._site.profile_of_address(address)

    def takes_new_people(self, backend: str) -> bool:
        return isinstance(self._site.source(backend).backend, AccountWriter)

    def join(self, group_id: str, account: NewAccount, write_to: str | None = None) -> Joined:
        self.admit()
        return self._writing.join(group_id, account, write_to)

    def leave(self, group: SiteGroup, profile: Profile) -> bool:
        self.admit()
        return self._writing.leave(group, profile)

    def members_response(self, encoder: ProfileEncoder) -> Response:
        return self._list(_Known(encoder, self._site), View(encoder.name, self._site.members))

    def list_response(self, encoder: ListEncoder) -> Response:
        return self._list(encoder, EVERYBODY)

    def _list(self, encoder: ListEncoder, view: View) -> Response:
        self.admit()
        for _ in range(_OPEN_TRIES):
            listing = self._lister.listing(self._mount, encoder, view)
            try:
                response = self._response(listing, encoder)
            except FileNotFoundError:
                continue
            except OSError as exc:
                raise DirectoryUnavailable(f"the list cannot be read or compressed: {exc.strerror or exc}") from exc
            self._services.meters.listed(self.name, listing.release.count)
            return response
        raise DirectoryUnavailable("the list was replaced before it could be sent; ask again")

    def _response(self, listing: Listing, encoder: ListEncoder) -> Response:
        release, environ = listing.release, current.environ()
        path, size, digest = listing.folder.path / release.file, release.size, release.digest
        is_packed = _names_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
        if is_packed:
            path, size, digest = listing.folder.compressed(release)
        # Handed to the server as a file: a slow reader then occupies no worker thread.
        body = wrap_file(environ, open(path, "rb"), 1 << 18)  # noqa: SIM115
        response = Response(body, direct_passthrough=True, content_type=encoder.media_type)
        if is_packed:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(size)
        response.headers["Content-Digest"] = content_digest(digest)
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Age"] = str(int(listing.age))
        response.headers["Listing-Count"] = str(release.count)
        response.headers["Listing-Backends"] = ", ".join(release.backends)
        response.headers["Listing-Collisions"] = str(release.collisions)
        if listing.is_last_good:
            response.headers["Listing-Stale"] = "true"
        return response


class _Known:
    """Gives pages public ids before they are encoded."""

    def __init__(self, encoder: ProfileEncoder, site: Site) -> None:
        self._encoder = encoder
        self._site = site
        self.media_type = encoder.media_type
        self.opening = encoder.opening
        self.separator = encoder.separator
        self.closing = encoder.closing

    def page(self, users: UserPage) -> bytes:
        return self._encoder.page(*self._site.page(users))


def _names_gzip(accept_encoding: str) -> bool:
    """Whether gzip is asked for by name: a ``*`` may come from a client that has never unpacked anything."""
    accepted = {coding.lower() for coding, quality in parse_accept_header(accept_encoding) if quality > 0}
    return "gzip" in accepted
