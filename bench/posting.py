"""The floor of deliveries: a bare loop of the same HTTP client, without an engine. URL EVENTS CONNECTIONS.

Each thread posts bodies of the same size with headers of the same size, one after the other; nothing is signed, read
from a database or written down.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping

import orjson

from bench import people
from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.envelopes import envelope
from integration_server.sdk.events import USER_CREATED, Event
from integration_server.sdk.http import HttpClient

_SECONDS = 20.0


def document(person: people.Person) -> dict[str, object]:
    """A person as in events."""
    number, username, full_name, address, alias, _ = person
    addresses = [address, *([alias] if alias else [])]
    return {
        "id": str(number),
        "username": username,
        "full_name": full_name,
        "distinguished_name": None,
        "emails": [{"address": a, "is_verified": None, "is_preferred": n == 0} for n, a in enumerate(addresses)],
        "groups": [],
        "nickname": None,
        "biography": None,
        "tz": None,
        "state": "active",
    }


def _requests(count: int) -> list[tuple[bytes, Mapping[str, str]]]:
    found: list[tuple[bytes, Mapping[str, str]]] = []
    for serial, person in enumerate(people.people(count), 1):
        event_id = f"evt_{serial:032x}"
        event = Event(serial, event_id, USER_CREATED, "single", str(person[0]), time.time(), document(person))
        headers = {
            "content-type": "application/json",
            "user-agent": "integration-server/bench",
            "webhook-id": event_id,
            "webhook-timestamp": str(int(time.time())),
            "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
        }
        found.append((orjson.dumps(envelope(event)), headers))
    return found


def main() -> None:
    url, count, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    client = HttpClient(["127.0.0.0/8"], Watchdog())
    requests = iter(_requests(count))
    lock = threading.Lock()

    def post() -> None:
        while True:
            with lock:
                request = next(requests, None)
            if request is None:
                return
            answer = client.post(url, *request, Deadline(_SECONDS))
            if answer.status != 200:
                raise SystemExit(f"the sink answers {answer.status}")

    threads = [threading.Thread(target=post) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()


if __name__ == "__main__":
    main()
