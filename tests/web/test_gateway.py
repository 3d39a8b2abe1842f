"""Lists on the wire: a length, a digest, an age, and gzip for those who ask."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from werkzeug.test import TestResponse

from tests.directory.full_disk import full_disk
from tests.directory.memory import DOWN
from tests.web.sites import MakeSite, Site


def digest_of(response: TestResponse) -> str:
    return "sha-256=:" + base64.b64encode(hashlib.sha256(response.data).digest()).decode() + ":"


def spool(site: Site) -> Path:
    return site.installation.config.data_dir / "spool" / "archive"


def test_a_list_proves_what_it_is(site: Site) -> None:
    response = site.list()

    assert response.headers["Content-Length"] == str(len(response.data))
    assert response.headers["Content-Digest"] == digest_of(response)
    assert response.headers["Listing-Count"] == "2"
    assert response.headers["Listing-Backends"] == "hq"
    assert response.headers["Listing-Collisions"] == "0"
    assert response.headers["Age"] == "0"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert "Listing-Stale" not in response.headers
    assert "Content-Encoding" not in response.headers


def test_collisions_and_backends_are_told(make_site: MakeSite) -> None:
    site = make_site({"backends.lab": {"type": "memory"}}, backends=["hq", "lab"])
    for name in ("hq", "lab"):
        site.world[name].add("ann", "x")
    response = site.list()

    assert (response.headers["Listing-Count"], response.headers["Listing-Collisions"]) == ("1", "1")
    assert response.headers["Listing-Backends"] == "hq, lab"


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.1", True),
        ("*", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("deflate, br", False),
        ("", False),
        (None, False),
    ],
)
def test_a_list_is_compressed_for_those_only_who_ask(accepted: str | None, is_packed: bool, site: Site) -> None:
    plain = site.list().data
    response = site.list(headers={} if accepted is None else {"Accept-Encoding": accepted})

    assert response.headers.get("Content-Encoding") == ("gzip" if is_packed else None)
    assert response.headers["Content-Length"] == str(len(response.data))
    # Of the content as it is sent (RFC 9530 §2).
    assert response.headers["Content-Digest"] == digest_of(response)
    assert (gzip.decompress(response.data) if is_packed else response.data) == plain
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"


def test_a_list_that_is_served_again_says_how_old_it_is(make_site: MakeSite) -> None:
    site = make_site(max_age_seconds=3600.0)
    site.world["hq"].add("ann", "x")
    first = site.list()
    record = spool(site) / "outcome.json"
    made_at = json.loads(record.read_text())["release"]["ended_at"]
    record.write_text(record.read_text().replace(str(made_at), str(made_at - 100)))
    again = site.list()

    assert 100 <= int(again.headers["Age"]) < 130
    assert again.data == first.data
    assert again.headers["Content-Digest"] == first.headers["Content-Digest"]
    assert site.world["hq"].called("users") == [None]


def test_the_last_good_list_is_marked(make_site: MakeSite) -> None:
    site = make_site(on_outage="last_good")
    site.world["hq"].add("ann", "x")
    good = site.list()
    site.world["hq"].error = DOWN
    stale = site.list(headers={"Accept-Encoding": "gzip"})

    assert stale.status_code == 200
    assert stale.headers["Listing-Stale"] == "true"
    assert gzip.decompress(stale.data) == good.data


def test_a_held_list_is_an_error_with_its_reason(make_site: MakeSite) -> None:
    site = make_site(on_outage="last_good")
    for n in range(30):
        site.world["hq"].add(f"user{n}", "x")
    assert site.list().status_code == 200
    del site.world["hq"].rows[5:]
    response = site.list()

    assert response.status_code == 503
    assert "25 of 30 names" in response.get_json()["error"]
    assert "user7" not in response.text


@pytest.mark.parametrize("packed", [{}, {"Accept-Encoding": "gzip"}])
def test_a_removed_list_is_made_anew(packed: dict[str, str], make_site: MakeSite) -> None:
    site = make_site(max_age_seconds=3600.0)
    site.world["hq"].add("ann", "x")
    assert site.list(headers=packed).status_code == 200
    for path in spool(site).glob("*.list*"):
        path.unlink()

    assert site.list(headers=packed).status_code == 200


def test_a_spool_folder_that_cannot_be_used_is_an_outage(site: Site) -> None:
    assert site.list().status_code == 200
    shutil.rmtree(spool(site))
    spool(site).write_text("a file")

    assert site.list().status_code == 503
    spool(site).unlink()
    assert site.list().status_code == 200


def test_a_disk_that_fills_up_while_compressing_is_an_outage_or_costs_the_compression(make_site: MakeSite) -> None:
    site = make_site(max_age_seconds=3600.0)
    for n in range(200):
        site.world["hq"].add(f"user{n}", "x", cn=os.urandom(200).hex())
    plain = site.list()
    with full_disk(free=2000):
        response = site.list(headers={"Accept-Encoding": "gzip"})

    assert response.status_code in (200, 503)
    if response.status_code == 200:
        assert response.data == plain.data
    assert not list(spool(site).glob("*.tmp"))
    assert gzip.decompress(site.list(headers={"Accept-Encoding": "gzip"}).data) == plain.data


def test_no_file_stays_open_behind_an_answer(site: Site) -> None:
    descriptors = Path("/proc/self/fd")
    site.list().close()
    before = len(list(descriptors.iterdir()))
    for packed in ({}, {"Accept-Encoding": "gzip"}) * 5:
        site.list(headers=packed).close()
    site.list(buffered=False).close()

    assert len(list(descriptors.iterdir())) <= before


def test_a_list_over_a_real_socket_is_the_same(site: Site) -> None:
    plain = site.list().data
    with site.serving() as connect:
        connection = connect()
        for accepted in ("identity", "gzip"):
            headers: dict[str, Any] = {
                "Authorization": site.authorization,
                "Accept-Encoding": accepted,
                "Content-Type": "application/x-www-form-urlencoded",
                "Expect": "100-continue",
            }
            connection.request("POST", site.path, "cmd=list", headers)
            response = connection.getresponse()
            body = response.read()

            assert response.status == 200
            assert int(response.headers["Content-Length"]) == len(body)
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            assert response.headers["Content-Digest"] == f"sha-256=:{digest}:"
            assert (gzip.decompress(body) if accepted == "gzip" else body) == plain
    assert [user["userName"] for user in orjson.loads(plain)] == ["ann", "bob"]
