"""docs/errors.rst names every error there is, and says what becomes of it."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from typing import ClassVar

import flask
import pytest
from werkzeug.test import Client

import integration_server
from integration_server import CallerRefused, DeliveryError, Frontend, FrontendSettings, IntegrationError
from integration_server.cli import exits
from integration_server.forwarding.delivery.handing import failure
from integration_server.sdk import errors
from integration_server.web.api import problems
from integration_server.web.app import Mounted, create_app
from tests.docs.pages import DOCS, ROOT

CLASSES = {
    name: member
    for name, member in vars(errors).items()
    if inspect.isclass(member) and issubclass(member, IntegrationError)
}


def _section(title: str) -> dict[str, str]:
    """The terms below a title, and what is said of them in brackets."""
    page = (DOCS / "errors.rst").read_text(encoding="utf-8")
    text = page.partition(f"\n{title}\n====")[2]
    text = re.split(r"\n\n[^\n]+\n====", text)[0]
    terms = re.findall(r"^``([\w-]+)`` \((.+)\)$", text, re.MULTILINE)
    assert len(terms) == len(dict(terms)), "something is told twice"
    return dict(terms)


SERVER = _section("The server and its directories")
DELIVERIES = _section("Deliveries")
PROBLEMS = _section("Problems of the API")


def _raised(name: str) -> IntegrationError:
    error = CallerRefused(403, "not from there") if name == "CallerRefused" else CLASSES[name]()
    assert isinstance(error, IntegrationError)
    return error


def test_every_error_is_told_of_and_every_one_that_is_told_of_is_there() -> None:
    deliveries = {name for name, cls in CLASSES.items() if issubclass(cls, DeliveryError)}
    assert set(DELIVERIES) == deliveries
    assert set(SERVER) == set(CLASSES) - deliveries


def test_plugins_can_import_every_error_from_the_root() -> None:
    assert set(CLASSES) <= set(vars(integration_server))


@pytest.mark.parametrize("name", CLASSES)
def test_a_command_ends_with_the_exit_code_that_is_told(name: str) -> None:
    told = {**SERVER, **DELIVERIES}[name].rpartition("exit ")[2]
    assert exits.exit_code_of(_raised(name)) == int(told)


class _Raising(Frontend):
    """A frontend that fails as its path says."""

    type: ClassVar[str] = "raising"
    Settings = FrontendSettings

    def __init__(self) -> None:
        """Nothing is set, and nobody is asked."""

    def blueprint(self) -> flask.Blueprint:
        blueprint = flask.Blueprint("raising", __name__)
        blueprint.add_url_rule("/<name>", "name", self._fail)
        return blueprint

    def _fail(self, name: str) -> flask.Response:
        raise _raised(name)


@pytest.mark.parametrize("name", SERVER)
def test_callers_get_the_status_that_is_told(name: str) -> None:
    app = create_app({"m": Mounted("/m", _Raising())})
    response = Client(app).get(f"/m/{name}")
    assert set(response.get_json()) == {"error"}
    told = SERVER[name].partition(",")[0]
    if told == "its own status":
        assert response.status_code == 403
        return
    assert response.status_code == int(told)
    assert response.headers["Retry-After"] == "5"


@pytest.mark.parametrize("name", sorted(set(SERVER) - {"CallerRefused", "Throttled"}))
def test_the_api_answers_with_the_same_status(name: str) -> None:
    with flask.Flask("api").test_request_context():
        assert problems.problem_of(_raised(name)).status == int(SERVER[name].partition(",")[0])


@pytest.mark.parametrize("name", DELIVERIES)
def test_a_delivery_ends_as_is_told(name: str) -> None:
    error = _raised(name)
    ending = failure(error, 0.0, 0.0, "sub_1").ending
    assert f"``{ending.value}``" == DELIVERIES[name].partition(",")[0]


def test_exit_codes_are_told_as_they_are() -> None:
    page = (DOCS / "commands.rst").read_text(encoding="utf-8")
    table = page.partition("exit  meaning")[2].partition("Setting up")[0]
    told = {int(code) for code in re.findall(r"^(\d+) ", table, re.MULTILINE)}
    assert told == {code.value for code in exits.ExitCode}


def _statuses_in_the_code() -> dict[str, set[str]]:
    """Kind of a problem -> statuses with which the API's modules make it."""
    found = defaultdict(set)
    for file in (ROOT / "integration_server" / "web" / "api").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem"):
                continue
            status, kind = node.args[0], node.args[2] if len(node.args) > 2 else None
            if isinstance(status, ast.Constant) and isinstance(kind, ast.Constant):
                found[str(kind.value)].add(str(status.value))
    # Chosen when it is known which of the two it is.
    found["serial-pruned"].add("410")
    found["serial-unknown"].add("410")
    return found


def test_every_problem_of_the_api_is_told_of_with_its_statuses() -> None:
    told = {name: set(statuses.split(", ")) for name, statuses in PROBLEMS.items()}
    assert told == _statuses_in_the_code()
    assert set(PROBLEMS) == set(problems._TITLES)
