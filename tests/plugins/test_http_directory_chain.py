"""Two real servers in a chain: what one lists and accepts, the other one does."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.builtin.csv_files import ssha, write_old
from tests.cli.conftest import Serving
from tests.plugins.drop_ins import FOLDER

SERVER = """
[server]
port = 0
data_dir = "../data"
[plugins]
folder = {folder}
disabled = ["hide_service_accounts"]
"""
FRONTEND = """
[frontends.archive]
type = "mailstore"
path = "/mailstore"
backends = ["people"]
username = "mailstore"
password = "süßes & 1"
[backends.people]
"""
FIRST = 'type = "csv"\npath = "../people.csv"\npassword_column = "password"\n'
SECOND = """
type = "http_directory"
url = {url}
username = "mailstore"
password = "süßes & 1"
list_cache_seconds = 0.0
"""
PEOPLE = {"ann": "ann's Passw0rd", "jörg": "Grün & süß = +%"}


def ask(url: str, **fields: str) -> object:
    credentials = b64encode("mailstore:süßes & 1".encode()).decode()
    request = urllib.request.Request(url, urlencode(fields).encode(), {"Authorization": f"Basic {credentials}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def refused(url: str, **fields: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(url, **fields)
    with closing(caught.value):
        return caught.value.code


class Chain:
    """The first server has the people, the second one asks it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.people = folder / "first" / "people.csv"
        self.first = self._serve("first", FIRST)
        self.second = self._serve("second", SECOND.format(url=json.dumps(self.first.url)))

    def _serve(self, name: str, backend: str) -> Serving:
        config = self._folder / name / "config.d"
        config.mkdir(parents=True)
        (config / "10.toml").write_text(SERVER.format(folder=json.dumps(str(FOLDER))), encoding="utf-8")
        (config / "20.toml").write_text(FRONTEND + backend, encoding="utf-8")
        rows = [f'{name},Dr. {name},{name}@example.org,"{ssha(password)}"\n' for name, password in PEOPLE.items()]
        write_old(self._folder / name / "people.csv", "username,full_name,email,password\n" + "".join(rows))
        serving = Serving(config)
        self._stack.callback(self._end, serving)
        return serving

    @staticmethod
    def _end(serving: Serving) -> None:
        if serving.process.poll() is None:
            serving.process.kill()
        serving.process.wait(20)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """For tests that leave it as it was."""
    with ExitStack() as stack:
        yield Chain(tmp_path_factory.mktemp("chain"), stack)


@pytest.fixture
def own_chain(tmp_path: Path) -> Iterator[Chain]:
    with ExitStack() as stack:
        yield Chain(tmp_path, stack)


def test_second_server_lists_and_accepts_as_the_first_one_does(chain: Chain) -> None:
    listed = ask(chain.second.url, cmd="list")
    assert listed == ask(chain.first.url, cmd="list")
    assert isinstance(listed, list)
    assert [user["userName"] for user in listed] == list(PEOPLE)
    for name, password in PEOPLE.items():
        assert ask(chain.second.url, cmd="auth", user=name, **{"pass": password}) == {"succeeded": True}
        assert ask(chain.second.url, cmd="auth", user=name, **{"pass": password + "x"}) == {"succeeded": False}
    assert ask(chain.second.url, cmd="auth", user="nobody", **{"pass": "x"}) == {"succeeded": False}


def test_outage_of_the_first_ones_directory_is_an_outage_of_the_second(chain: Chain) -> None:
    aside = chain.people.rename(chain.people.with_name("aside.csv"))
    for url in (chain.first.url, chain.second.url):
        assert refused(url, cmd="list") == 503
        assert refused(url, cmd="auth", user="ann", **{"pass": PEOPLE["ann"]}) == 503
    shutil.move(aside, chain.people)
    assert ask(chain.second.url, cmd="auth", user="ann", **{"pass": PEOPLE["ann"]}) == {"succeeded": True}


def test_outage_of_the_first_server_is_an_outage_of_the_second(own_chain: Chain) -> None:
    assert ask(own_chain.second.url, cmd="list")
    assert own_chain.first.stop() == 0
    assert refused(own_chain.second.url, cmd="list") == 503
    assert refused(own_chain.second.url, cmd="auth", user="ann", **{"pass": PEOPLE["ann"]}) == 503
