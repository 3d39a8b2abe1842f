"""``check``: what is wrong is named with its place, one fault hides no other, and the exit code tells which kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.builtin.csv_files import write_old
from tests.cli.conftest import BACKEND, DROP_IN, PEOPLE, Place, Run

Checked = Callable[..., tuple[int, dict[str, list[str]]]]


@pytest.fixture
def checked(place: Place, run: Run) -> Checked:
    """``checked("--list")``: the exit code, and the lines "LEVEL: MESSAGE" of each place."""

    def call(*options: object) -> tuple[int, dict[str, list[str]]]:
        result = run("check", place.config, "--json", *options)
        found: dict[str, list[str]] = {}
        for line in json.loads(result.stdout):
            found.setdefault(line["where"], []).append(f"{line['level']}: {line['message']}")
        return result.exit_code, found

    return call


def test_sound_configuration_is_well(place: Place, run: Run) -> None:
    result = run("check", place.config)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "ok          [backends.hq]: 3 people" in lines
    assert "ok          [frontends.archive]: mailstore on /mailstore, backends: hq" in lines
    assert lines[-1] == "1 warning"
    assert result.stderr == ""


def test_memberships_kept_by_user_name_are_warned_of(place: Place, checked: Checked) -> None:
    place.write("10-server.toml", '[server]\ndata_dir = "../data"\n')
    place.write("30-archive.toml", "")
    write_old(place.path / "people.csv", "number,login\n1,ann\n")
    table = '[backends.hq]\ntype = "csv"\npath = "../people.csv"\nkeep_memberships = true\nmap.username = "login"\n'
    place.write("20-hq.toml", table)
    assert any("gets their groups" in line for line in checked()[1]["[backends.hq]"])
    place.write("20-hq.toml", table + 'map.id = "number"\n')
    assert not any("gets their groups" in line for line in checked()[1]["[backends.hq]"])


@pytest.mark.parametrize("rule", ['map.id = "{no}-x"\n', 'map.id = { from = "no", lower = true }\n'])
def test_id_by_which_nobody_is_found_is_an_error_of_frontends_with_public_ids(
    place: Place, checked: Checked, rule: str
) -> None:
    place.write("20-hq.toml", BACKEND + rule)
    assert checked()[0] == 0, "lists and logins need no such id"
    table = (
        '[frontends.site]\ntype = "groupserver"\npath = "/site"\nbackends = "hq"\nsite_url = "https://g.example.org"\n'
    )
    place.write("31-site.toml", table)
    code, found = checked()
    assert code == 3
    assert any("id must be one plain attribute" in line for line in found["[frontends.site]"])


def test_backend_that_is_down_hides_nothing(place: Place, checked: Checked) -> None:
    (place.path / "people.json").unlink()
    place.write("21-other.toml", '[backends.other]\ntype = "roster"\nfile = "../other.json"\n')
    place.people(PEOPLE[:1], "other.json")
    code, found = checked()
    assert code == 4
    assert found["[backends.hq]"] == ["unavailable: the roster is missing"]
    assert found["[backends.other]"] == [
        "ok: 1 people",
        "warning: no frontend names this backend in its backends, so it is never asked",
    ]
    assert found["[frontends.archive]"][0].startswith("ok: ")


def test_fault_in_one_table_hides_neither_others_faults_nor_their_answers(place: Place, checked: Checked) -> None:
    place.write("21-bad.toml", '[backends.bad]\ntype = "roster"\nfile = 1\n[backends.worse]\ntype = "rooster"\n')
    place.write("31-bad.toml", '[frontends.bad]\ntype = "mailstore"\npath = "/bad"\nbackends = "nobody"\n')
    code, found = checked()
    assert code == 3
    bad = place.config / "21-bad.toml"
    assert found["[backends.bad]"] == [f"error: {bad}: backends.bad.file: must be text in quotes"]
    assert found["[backends.worse]"][0].startswith(
        f"error: {bad}: backends.worse.type: there is no 'rooster'; there are"
    )
    assert "there is no [backends.nobody]" in found["[frontends.bad]"][0]
    assert found["[backends.hq]"] == ["ok: 3 people"]


def test_broken_toml_is_told_with_its_line(place: Place, checked: Checked) -> None:
    path = place.write("20-hq.toml", "[backends.hq\n")
    code, found = checked()
    assert code == 3
    assert found["configuration"][0].startswith(f"error: {path}: ")
    assert "line 1" in found["configuration"][0]


def test_plugin_that_breaks_is_an_error_of_the_configuration(place: Place, checked: Checked) -> None:
    folder = place.path / "drop in"
    folder.mkdir()
    (folder / "broken.py").write_text("1 / 0\n")
    place.write("10-server.toml", "[plugins]\nfolder = '../drop in'\ndisabled = ['sql', 'ldap', 'csv_file']\n")
    code, found = checked()
    assert code == 3
    assert found["configuration"] == [
        f"error: plugin broken ({folder}/broken.py) cannot be loaded: ZeroDivisionError: division by zero"
    ]


def test_mapping_that_cannot_be_undone_is_an_error(place: Place, checked: Checked) -> None:
    place.write(
        "20-hq.toml", '[backends.hq]\ntype = "roster"\nfile = "../people.json"\nmap.username = "{no}-{login}"\n'
    )
    code, found = checked()
    assert code == 3
    assert "the mapping of username cannot be undone at a login; set username_index = true" in found["[backends.hq]"][0]


def test_store_that_cannot_be_written_is_an_error_beside_the_others(place: Place, checked: Checked) -> None:
    place.data.write_text("in the way")
    code, found = checked()
    assert code == 3
    assert found["[store]"] == [f"error: {place.data} cannot be written: File exists"]
    assert found["[backends.hq]"] == ["ok: 3 people"]


def test_frontends_on_one_path_are_an_error(place: Place, checked: Checked) -> None:
    place.write("31-b.toml", '[frontends.b]\ntype = "mailstore"\npath = "/mailstore"\nbackends = "hq"\n')
    code, found = checked()
    assert code == 3
    assert any("share the path" in line for line in found["configuration"])


def test_unreadable_password_hash_is_an_error(place: Place, checked: Checked) -> None:
    place.write(
        "30-archive.toml",
        '[frontends.archive]\ntype = "mailstore"\npath = "/m"\nbackends = "hq"\nusername = "x"\n'
        'password_hash = "$unknown$abcdefgh"\n',
    )
    code, found = checked()
    assert code == 3
    assert any(line.startswith("error: password_hash: ") for line in found["[frontends.archive]"])
    assert not any("abcdefgh" in line for lines in found.values() for line in lines)


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ("", "no username and password are set"),
        ("allow_anonymous = true", "whoever reaches the server gets the list"),
        ('username = "x"\npassword = "y"\nallow_plain_http = true', "passwords cross the network unencrypted"),
        ('username = "x"\npassword = "y"\nauth_outside_list = true', "whom the list leaves out can log in"),
        ('username = "x"\npassword = "y"\n', "chmod 640 it"),
    ],
)
def test_risky_frontend_is_a_warning(place: Place, checked: Checked, settings: str, warning: str) -> None:
    server = place.config / "10-server.toml"
    place.write("10-server.toml", server.read_text().replace("[server]", '[server]\nhost = "0.0.0.0"'))
    place.write(
        "30-archive.toml", f'[frontends.archive]\ntype = "mailstore"\npath = "/m"\nbackends = "hq"\n{settings}\n'
    )
    code, found = checked()
    assert code == 0
    assert any(line.startswith("warning: ") and warning in line for line in found["[frontends.archive]"])


def test_server_that_other_machines_reach_without_encryption_is_a_warning(place: Place, checked: Checked) -> None:
    server = (place.config / "10-server.toml").read_text()
    place.write("10-server.toml", server.replace("[server]", '[server]\nhost = "0.0.0.0"'))
    assert "archive will refuse other machines" in checked()[1]["[server]"][0]
    place.write("10-server.toml", server.replace("[server]", '[server]\nhost = "::"\ntrusted_proxies = "::1"'))
    assert "[server]" not in checked()[1]


def test_held_list_is_a_warning(place: Place, checked: Checked, ask: Callable[..., Any]) -> None:
    place.people([])
    assert ask(cmd="list")[0] == 503
    code, found = checked()
    assert code == 0
    assert "the list is empty; see 'integration-server guard show'" in found["[frontends.archive]"][0]


# -- --list ----------------------------------------------------------------------------------------------------------


def test_walk_counts_people_and_tells_what_is_wrong_with_them(place: Place, checked: Checked) -> None:
    twice = [{"no": n, "login": name} for n, name in ((7, "Twin"), (8, "twin"))]
    place.people([*PEOPLE, *twice, {"no": 9, "login": ""}, {"no": 10, "login": "odd", "off": "perhaps"}])
    code, found = checked("--list")
    assert code == 3
    lines = found["[backends.hq]"]
    assert "ok: lists 5 people, 1 of them disabled or expired" in lines
    assert "warning: 1 name more than once, such as 'twin'" in lines
    assert "warning: entry no='9': no user name" in lines
    assert "error: 2 entries cannot be read, bad_rows_allowed is 0: no list" in lines


def test_walk_that_breaks_off_is_an_outage(place: Place, checked: Checked) -> None:
    place.write("20-hq.toml", '[backends.hq]\ntype = "roster"\nfile = "../people.json"\nbreaks_after = 2\n')
    code, found = checked("--list")
    assert code == 4
    assert found["[backends.hq]"] == ["ok: 3 people", "unavailable: the roster ends in the middle"]


def test_missing_canary_is_an_error(place: Place, checked: Checked) -> None:
    place.write("20-hq.toml", '[backends.hq]\ntype = "roster"\nfile = "../people.json"\ncanary = "tweety"\n')
    code, found = checked("--list")
    assert code == 3
    assert "error: the canary 'tweety' is not in the listing: no list" in found["[backends.hq]"]


def test_names_that_do_not_find_back_are_an_error(place: Place, checked: Checked) -> None:
    # The roster keeps the blank; the mapping trims it, and no look-up finds "spacy" again.
    place.people([{"no": 1, "login": " spacy"}, PEOPLE[0]])
    code, found = checked("--list")
    assert code == 3
    assert found["[backends.hq]"][-1] == (
        "error: 1 of 2 listed names do not find back to their entry, such as 'spacy': these people cannot log in"
    )


def test_backend_that_ignores_its_deadline_holds_nobody_up_for_ever(
    place: Place, checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration_server.cli.inspection._GRACE_SECONDS", 0.2)
    folder = place.path / "drop in"
    folder.mkdir()
    sleeping = (
        (DROP_IN / "roster.py")
        .read_text()
        .replace('yield Finding("ok", ', 'import time\n        time.sleep(5)\n        yield Finding("ok", ')
    )
    (folder / "roster.py").write_text(sleeping)
    text = (place.config / "10-server.toml").read_text().replace(json.dumps(str(DROP_IN)), json.dumps(str(folder)))
    place.write("10-server.toml", text)
    code, found = checked("--seconds", 0.3)
    assert code == 4
    assert (
        found["[backends.hq]"][0] == "unavailable: it neither answers nor gives up, as it should after its time limit"
    )


def test_receivers_are_checked_and_what_they_never_hear_of_is_told(place: Place, run: Run) -> None:
    place.write("20-hq.toml", BACKEND + '[backends.lab]\ntype = "roster"\nfile = "../people.json"\nsync = {}\n')
    place.write("40-notes.toml", '[subscriptions.notes]\ntype = "notebook"\nfile = "x"\nkey = "sample"\n')
    result = run("check", place.config)
    assert result.exit_code == 0, result.output
    said = result.stdout
    assert "ok          [subscriptions.notes]: notebook, all backends, events: *\n" in said
    assert "is never told of changes in hq: there is no [backends.hq.sync]\n" in said
    assert "ok          [backends.lab]: its changes are noticed: everybody is compared every 3600 s\n" in said
    assert "[subscriptions.notes]: key: every account of this machine can read" in said


@pytest.mark.parametrize(
    ("address", "allowed", "reason"),
    [
        ("10.0.0.5", [], "10.0.0.5 is a private address; add 10.0.0.5 or its network"),
        ("127.0.0.1:9", ["10.0.0.0/8"], "127.0.0.1 is a loopback address; add 127.0.0.1 or its network"),
        ("[::1]", [], "::1 is a loopback address"),
        ("169.254.169.254", ["169.254.0.0/16"], "169.254.169.254 is where a cloud hands out credentials"),
        ("10.0.0.5", ["10.0.0.0/8"], None),
        ("192.168.7.7", [], None),
        ("8.8.8.8", [], None),
        ("localhost", [], None),
    ],
)
def test_webhook_to_an_address_that_is_refused_is_a_warning(
    address: str, allowed: list[str], reason: str | None, place: Place, checked: Checked
) -> None:
    place.write("11-forwarding.toml", f"[forwarding]\nallow_networks = {json.dumps(allowed)}\n")
    own = 'allow_networks = ["192.168.0.0/16"]'
    place.write("40-hook.toml", f'[subscriptions.hook]\ntype = "webhook"\nurl = "http://{address}/x"\n{own}\n')
    code, found = checked()
    assert code == 0, found
    told = [line for line in found["[subscriptions.hook]"] if "nothing is sent to it" in line]
    assert len(told) == (reason is not None)
    if reason is not None:
        assert told[0].startswith(f"warning: nothing is sent to it: {reason}")


def test_faulty_receiver_is_an_error_with_its_key(place: Place, run: Run) -> None:
    place.write("40-notes.toml", '[subscriptions.notes]\ntype = "notebook"\n')
    result = run("check", place.config)
    assert result.exit_code == 3
    assert "error       [subscriptions.notes]: " in result.stdout
    assert "subscriptions.notes.file: is required" in result.stdout


def test_gateway_of_ips_connect_needs_no_user_name(place: Place, checked: Checked) -> None:
    gateway = '[frontends.gw]\ntype = "ips_connect"\npath = "/gw"\nbackends = ["forum"]\n'
    place.write("31-forum.toml", '[backends.forum]\ntype = "ips_connect"\n' + gateway)
    code, found = checked()
    assert code == 0
    assert found["[frontends.gw]"] == ["ok: ips_connect on /gw, backends: forum"]
    assert all(line.startswith("ok") for line in found["[backends.forum]"])


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ('slave_networks = ["10.0.0.0/8", "example.org"]', "'example.org' is no address or network"),
        ('public_url = "ftp://example.org"', "must begin with https://"),
        ('home_url = "example.org"', "must begin with https://"),
        ("salts_per_minute = -1", "greater than or equal to 0"),
        ('filter.include = "a*"', "has no effect"),
    ],
)
def test_wrong_keys_of_a_gateway_are_errors(place: Place, run: Run, key: str, told: str) -> None:
    gateway = '[frontends.gw]\ntype = "ips_connect"\npath = "/gw"\nbackends = ["forum"]\n'
    place.write("31-forum.toml", f'[backends.forum]\ntype = "ips_connect"\n{gateway}{key}\n')
    result = run("check", place.config)
    assert result.exit_code == 3
    (line,) = [line for line in result.stdout.splitlines() if told in line]
    assert key.partition(" ")[0].partition(".")[0] in line


def test_frontend_with_a_token_needs_no_user_name(place: Place, run: Run) -> None:
    hooks = (
        '[frontends.hooks]\ntype = "groupserver"\npath = "/hooks"\nbackends = ["hq"]\nsite_url = "https://x.example"\n'
    )
    place.write("31-hooks.toml", hooks)
    result = run("check", place.config)
    (line,) = [line for line in result.stdout.splitlines() if "[frontends.hooks]" in line]
    assert line.startswith("ok")
