"""Who asks: MailStore, a site with web-hooks, forums, an administrator, a program on the API, monitoring."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
import time
from typing import Final
from urllib.parse import quote, urlencode

import ldap3
import orjson

from tests.servers import PEOPLE, Slapd
from tests.soak.house import ADMIN, CALLER, FORUM_HASH, FORUM_PEOPLE, MASTER_KEY, SIZE, House
from tests.soak.load import Caller, Web, WrongAnswer, basic

#: People of the sample directory who can be logged in: everybody types their name as it is there.
_PEOPLE: Final = PEOPLE[:20]
_WAIT_SECONDS: Final = 5


def _right(is_so: bool, told: object) -> None:
    if not is_so:
        raise WrongAnswer(str(told)[:300])


class Archive:
    """MailStore: lists, logins that are right and wrong."""

    def __init__(self, house: House) -> None:
        self._web = Web(house.machine.port)
        self._random = random.Random(1)

    def callers(self) -> list[Caller]:
        return [
            Caller("list", 2.0, self._list),
            Caller("shared list", 1.0, self._shared),
            Caller("right login", 0.5, self._log_in),
            Caller("wrong login", 1.0, self._fail),
        ]

    def _list(self) -> None:
        self._whole(self._web.json("POST", "/archive", "cmd=list"))

    def _shared(self) -> None:
        self._whole(self._web.json("POST", "/shared", "cmd=list", headers=basic(*CALLER)))

    @staticmethod
    def _whole(users: list[object]) -> None:
        # Everybody of the sample people, and of the others as many as there are at the least.
        _right(len(users) >= len(PEOPLE) + 2 * int(SIZE * 0.75), f"only {len(users)} people are listed")

    def _log_in(self) -> None:
        person = self._random.choice(_PEOPLE)
        self._auth(person.uid, person.password, True)

    def _fail(self) -> None:
        # The same wrong password each time: different ones would be held back.
        self._auth(self._random.choice(_PEOPLE).uid, "something else", False)

    def _auth(self, user: str, password: str, is_right: bool) -> None:
        body = urlencode({"cmd": "auth", "user": user, "pass": password})
        answer = self._web.json("POST", "/archive", body)
        _right(answer["succeeded"] is is_right, f"{user}: {answer}")


class Site:
    """GroupServer: searches, lists of members, people who join and leave."""

    def __init__(self, house: House) -> None:
        self._web = Web(house.machine.port)
        self._tokens = house.tokens
        self._turns = itertools.count()
        self._random = random.Random(2)

    def callers(self) -> list[Caller]:
        return [Caller("web-hook read", 1.0, self._read), Caller("web-hook write", 4.0, self._write)]

    def _ask(self, mount: str, hook: str, **fields: str) -> object:
        body = urlencode({"token": self._tokens[mount], **fields})
        return self._web.json("POST", f"/{mount}/{hook}.json", body)

    def _read(self) -> None:
        person = self._random.choice([one for one in _PEOPLE if one.emails])
        match next(self._turns) % 3:
            case 0:
                found = self._ask("site", "gs-search-people", user=person.emails[0], search="")
                _right(isinstance(found, dict) and "id" in found, found)
            case 1:
                _right(bool(self._ask("readers", "gs-site-member-list", user_groups="")), "nobody is there")
            case _:
                _right(bool(self._ask("readers", "gs-group-groups", get="")), "there are no groups")

    def _write(self) -> None:
        """Somebody leaves, and is put in again. When the answer was lost, that was done before."""
        person = self._random.choice([one for one in _PEOPLE if one.emails])
        found = self._ask("site", "gs-search-people", user=person.emails[0], search="")
        assert isinstance(found, dict)
        person_id = found["id"] if isinstance(found["id"], str) else found["id"][0]
        left = self._ask("site", "gs-group-member-leave", leave="", groupId="staff", userId=person_id)
        _right(isinstance(left, dict) and left["status"] in (0, 4), left)
        fields = {"groupId": "staff", "email": person.emails[0], "fn": person.full_name}
        joined = self._ask("site", "gs-group-member-add", add="", **fields)
        _right(isinstance(joined, dict) and joined["status"] in (1, 256), joined)


class Forums:
    """IPS Connect: logins, and changes of names by a slave, of which the other one is told.

    ``made`` are the names in their order; ``acknowledged`` those of them of which that slave knows that they count.
    """

    def __init__(self, house: House) -> None:
        self.made: list[str] = []
        self.acknowledged: set[str] = set()
        self._web = Web(house.machine.port)
        self._near = house.near
        self._random = random.Random(3)

    def callers(self) -> list[Caller]:
        return [Caller("forum login", 1.0, self._log_in), Caller("forum change", 2.0, self._change)]

    def _ask(self, do: str, id: str, **more: str) -> dict[str, str]:
        key = hashlib.md5((MASTER_KEY + id).encode(), usedforsecurity=False).hexdigest()
        query = urlencode({"do": do, "key": key, "id": id, **more}, quote_via=quote)
        found: dict[str, str] = self._web.json("GET", f"/gw?{query}")
        return found

    def _log_in(self) -> None:
        id = f"user{self._random.randint(1, FORUM_PEOPLE)}@example.org"
        salt = self._ask("fetchSalt", id, idType="2")
        _right(salt["status"] == "SUCCESS", salt)
        login = self._ask("login", id, idType="2", password=FORUM_HASH)
        _right(login["status"] == "SUCCESS", login)

    def _change(self) -> None:
        number = len(self.made)
        name = f"name {number}"
        self.made.append(name)
        answer = self._ask("changeName", str(number % FORUM_PEOPLE + 1), name=name, url=self._near)
        _right(answer["status"] == "SUCCESS", answer)
        self.acknowledged.add(name)


class Desk:
    """An administrator whose browser keeps asking for what is new."""

    _PATHS: Final = ("/", "/overview/rest", "/changes", "/people?q=user", "/stuck", "/subscriptions", "/security")

    def __init__(self, house: House) -> None:
        self._web = Web(house.machine.port)
        self._cookie = ""
        self._paths = itertools.cycle(self._PATHS)

    def callers(self) -> list[Caller]:
        return [Caller("dashboard", 2.0, self._look)]

    def _look(self) -> None:
        if not self._cookie:
            form = urlencode({"name": ADMIN[0], "password": ADMIN[1]})
            headers, _ = self._web.ask("POST", "/dashboard/sign-in", form, expected=(302, 303))
            self._cookie = (headers["Set-Cookie"] or "").partition(";")[0]
        self._web.ask("GET", f"/dashboard{next(self._paths)}", headers={"Cookie": self._cookie})


class Program:
    """Reads the journal over the API, and now and then makes a subscription and drops it.

    ``serials`` are those of the events in the order in which they came.
    """

    def __init__(self, house: House) -> None:
        self.serials: list[int] = []
        self._web = Web(house.machine.port)
        self._headers = {"Authorization": f"Bearer {house.tokens['api']}", "Content-Type": "application/json"}
        self._url = house.receiver.url("/passing")
        self._after = 0
        self._lock = threading.Lock()

    def callers(self) -> list[Caller]:
        return [Caller("events", 0.1, self.read), Caller("subscription", 10.0, self._subscribe)]

    def read(self, wait: int = _WAIT_SECONDS) -> None:
        with self._lock:
            path = f"/api/v1/events?after={self._after}&limit=200&wait={wait}"
            page = self._web.json("GET", path, headers=self._headers)
            self.serials += [event["data"]["serial"] for event in page["events"]]
            self._after = page["next"]

    def _subscribe(self) -> None:
        body = orjson.dumps({"url": self._url})
        made = self._web.json("POST", "/api/v1/subscriptions", body, headers=self._headers, expected=(201,))
        time.sleep(3)
        self._web.ask("DELETE", f"/api/v1/subscriptions/{made['id']}", headers=self._headers, expected=(204,))


class Monitor:
    """Prometheus, and a load balancer."""

    def __init__(self, house: House) -> None:
        self._web = Web(house.machine.port)
        self._paths = itertools.cycle(("/metrics", "/healthz", "/readyz", "/healthz/ldap", "/healthz/sql"))

    def callers(self) -> list[Caller]:
        return [Caller("monitoring", 2.0, self._look)]

    def _look(self) -> None:
        self._web.ask("GET", next(self._paths))


class Clerk:
    """Changes names in the LDAP directory. ``names`` are those in force, by user name."""

    def __init__(self, house: House) -> None:
        self.names: dict[str, str] = {}
        self._slapd = house.slapd
        self._numbers = itertools.count(1)
        self._random = random.Random(4)

    def callers(self) -> list[Caller]:
        return [Caller("LDAP change", 3.0, self._change)]

    def _change(self) -> None:
        uid = self._random.choice(_PEOPLE).uid
        name = f"Name {next(self._numbers)}"
        server = ldap3.Server(self._slapd.uri, get_info=ldap3.NONE)
        with ldap3.Connection(server, Slapd.admin_dn, Slapd.admin_password) as connection:
            connection.modify(self._slapd.dn_of(uid), {"displayName": [(ldap3.MODIFY_REPLACE, [name])]})
            _right(connection.result["result"] == 0, connection.result)
        self.names[uid] = name
