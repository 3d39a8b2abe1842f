"""Settings classes: what an admin writes is taken exactly or refused, and secrets show nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from integration_server import BackendSettings, FieldRule, FrontendSettings, MapSettings, Secret, Settings, Texts


class Sample(Settings):
    name: str = "x"
    names: Texts = ()
    count: int = 1
    seconds: float = 1.0
    is_on: bool = False
    password: Secret | None = None


def sample(base_dir: Path = Path(), **values: object) -> Sample:
    return Sample.model_validate(values, context={"base_dir": base_dir})


def faults(values: dict[str, object], schema: type[Settings] = Sample) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as raised:
        schema.model_validate(values)
    return [(".".join(map(str, error["loc"])), error["type"]) for error in raised.value.errors()]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("count", "1"),
        ("count", 1.0),
        ("count", True),
        ("name", 5),
        ("is_on", 1),
        ("is_on", "true"),
        ("seconds", "5"),
        ("names", 5),
        ("names", ["a", 5]),
        ("names", {"a": 1}),
    ],
)
def test_types_are_not_guessed(key: str, value: object) -> None:
    assert {where.split(".")[0] for where, _ in faults({key: value})} == {key}


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_are_finite(value: float) -> None:
    assert faults({"seconds": value}) == [("seconds", "finite_number")]
    with pytest.raises(ValidationError):
        BackendSettings.model_validate({"type": "x", "auth_seconds": value})


def test_unknown_keys_are_refused_and_all_faults_are_told_together() -> None:
    assert faults({"nmae": "y", "count": "1", "is_on": 3}) == [
        ("count", "int_type"),
        ("is_on", "bool_type"),
        ("nmae", "extra_forbidden"),
    ]


def test_a_text_is_short_for_a_list_of_one() -> None:
    assert sample(names="a").names == ("a",)
    assert sample(names=["a", "b"]).names == ("a", "b")


def test_an_integer_serves_where_a_fraction_may_stand() -> None:
    assert sample(seconds=5).seconds == 5.0


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        sample().name = "y"


# -- rules -----------------------------------------------------------------------------------------------------------


def test_a_rule_is_a_text_a_list_or_a_table() -> None:
    rules = MapSettings.model_validate({"id": "uuid", "emails": ["a", "b"], "username": {"from": "x", "lower": True}})

    assert rules.id == FieldRule.model_validate({"from": "uuid"})
    assert rules.emails is not None
    assert rules.emails.sources == ("a", "b")
    assert rules.username is not None
    assert rules.username.lower


@pytest.mark.parametrize(
    "rule", [5, True, {"lower": True}, {"from": "x", "lowr": True}, {"from": 5}, [5], {"from": "x", "separator": ""}]
)
def test_a_rule_of_another_kind_is_refused(rule: object) -> None:
    assert faults({"username": rule}, MapSettings)[0][0].startswith("username")


# -- secrets ---------------------------------------------------------------------------------------------------------


def revealed(settings: Sample) -> str:
    assert settings.password is not None
    return settings.password.get_secret_value()


def test_a_secret_is_text_an_environment_variable_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIND_PASSWORD", "from-env")
    (tmp_path / "password").write_text("from-file ä \n", encoding="utf-8")

    assert revealed(sample(password="plain")) == "plain"
    assert revealed(sample(password={"env": "BIND_PASSWORD"})) == "from-env"
    assert revealed(sample(tmp_path, password={"file": "password"})) == "from-file ä "
    assert revealed(sample(password={"file": str(tmp_path / "password")})) == "from-file ä "


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"env": "NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE is not set"),
        ({"file": "missing"}, "missing cannot be read"),
        ({"file": "binary"}, "binary cannot be read"),
        ({"file": "."}, "cannot be read"),
        ({"fil": "x"}, 'env = "NAME"'),
        ({"env": "HOME", "file": "x"}, 'env = "NAME"'),
        ({}, 'env = "NAME"'),
        (5, "string"),
        ("", "empty"),
        ({"env": "EMPTY_SECRET"}, "empty"),
        ({"file": "empty"}, "empty"),
    ],
)
def test_a_secret_that_cannot_be_had_says_why(
    value: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty one counts as missing: a bind without password "succeeds" (RFC 4513 §5.1.2), a caller needs none."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "empty").write_text("\n")
    monkeypatch.setenv("EMPTY_SECRET", "")

    with pytest.raises(ValidationError, match=message):
        sample(tmp_path, password=value)


def test_secrets_show_nowhere(tmp_path: Path) -> None:
    settings = sample(password="hush-hush")

    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "hush-hush" not in shown


@pytest.mark.parametrize("values", [{"password": ["hush-hush"]}, {"password": "hush-hush", "nonsense": "hush-hush"}])
def test_a_wrong_value_is_not_repeated_in_the_error(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        Sample.model_validate(values)

    assert "hush-hush" not in str(raised.value)


# -- shared tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("on_success", "stop"),
        ("on_unknown", "return"),
        ("on_error", "next"),
        ("bad_rows_allowed", -1),
        ("auth_seconds", 0),
        ("auth_seconds", 1e12),
        ("list_seconds", -5.0),
        ("list_seconds", 1e12),
        ("breaker_failures", 0),
        ("breaker_seconds", 0.0),
    ],
)
def test_a_backend_takes_only_what_makes_sense(key: str, value: object) -> None:
    assert faults({"type": "x", key: value}, BackendSettings)[0][0] == key


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("on_outage", "empty"),
        ("max_age_seconds", -1.0),
        ("last_good_seconds", 0.0),
        ("auth_seconds", 0.0),
        ("guard", {"max_missing_percent": 101.0}),
        ("guard", {"max_missing_percent": -1.0}),
        ("guard", {"max_missing_count": -1}),
        ("guard", {"small_list": -1}),
        ("guard", {"percent": 5.0}),
    ],
)
def test_a_frontend_takes_only_what_makes_sense(key: str, value: object) -> None:
    assert faults({"type": "x", "path": "/", "backends": "hq", key: value}, FrontendSettings)[0][0].startswith(key)


def test_the_defaults_are_the_careful_ones() -> None:
    backend = BackendSettings(type="x")
    frontend = FrontendSettings(type="x", path="/", backends=("hq",))

    assert (backend.on_success, backend.on_unknown, backend.on_rejected) == ("return", "next", "stop")
    assert (backend.on_error, backend.bad_rows_allowed) == ("remember", 0)
    assert (frontend.on_outage, frontend.max_age_seconds) == ("error", 0)
    assert (frontend.allow_plain_http, frontend.allow_anonymous, frontend.auth_outside_list) == (False, False, False)
    assert (frontend.guard.max_missing_percent, frontend.guard.max_missing_count, frontend.guard.small_list) == (
        20.0,
        10,
        20,
    )
