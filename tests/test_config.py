"""The configuration folder: every fault is told with its file, table and key, and the nearest key that exists."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from integration_server import BackendSettings, ConfigError, FrontendSettings, Secret
from integration_server.config import Config, CoreSettings, load, parse_table


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def faults(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(folder)
    return str(raised.value).splitlines()


class SqlSettings(BackendSettings):
    url: Secret
    page_size: int = 100


def table_faults(folder: Path, text: str, schema: type[BackendSettings] = SqlSettings) -> list[str]:
    config = load(write(folder, backends=text))
    with pytest.raises(ConfigError) as raised:
        parse_table(config.backends["hq"], schema, config.base_dir)
    return str(raised.value).splitlines()


# -- what is read ----------------------------------------------------------------------------------------------------


def test_files_of_one_folder_make_one_configuration(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="[server]\nport = 9000\n",
        b='[backends.hq]\ntype = "sql"\n[backends.lab]\ntype = "csv"\n',
        c='[frontends.archive]\ntype = "mailstore"\n[backends.third]\ntype = "csv"\n',
    )
    config = load(tmp_path)

    assert config.core.server.port == 9000
    assert list(config.backends) == ["hq", "lab", "third"]
    assert config.backends["third"].file.name == "c.toml"
    assert config.frontends["archive"].type == "mailstore"
    assert [path.name for path in config.files] == ["a.toml", "b.toml", "c.toml"]


def test_only_toml_files_that_are_not_hidden_count(tmp_path: Path) -> None:
    write(tmp_path, a="")
    (tmp_path / ".b.toml").write_text("nonsense")
    (tmp_path / "c.toml.bak").write_text("nonsense")
    (tmp_path / "d.txt").write_text("nonsense")
    (tmp_path / "demo").mkdir()

    assert [path.name for path in load(tmp_path).files] == ["a.toml"]


def test_paths_start_at_the_folder_wherever_the_server_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "config with blank.d"
    folder.mkdir()
    write(folder, a='[server]\ndata_dir = "../data"\n')
    monkeypatch.chdir(tmp_path)

    config = load(Path("config with blank.d"))

    assert config.base_dir == folder.resolve()
    assert config.data_dir == (tmp_path / "data").resolve()


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbf[server]\r\nport = 9000\r\n")

    assert load(tmp_path).core.server.port == 9000


def test_everything_has_a_default(tmp_path: Path) -> None:
    assert load(write(tmp_path, a="")).core == CoreSettings()


# -- faults of the folder and its files ------------------------------------------------------------------------------


def test_a_folder_without_configuration_says_what_makes_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")

    assert "init" in faults(tmp_path)[0]
    assert "init" in faults(tmp_path / "missing")[0]
    assert "is a file" in faults(tmp_path / "a.txt")[0]


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    (fault,) = faults(write(tmp_path, broken="[server]\nport = 9000\nhost 127.0.0.1\n"))

    assert "broken.toml" in fault
    assert "line 3" in fault


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 2000, "{a = " * 2000])
def test_what_cannot_be_read_for_its_length_or_depth_is_told_with_its_file(tmp_path: Path, value: str) -> None:
    write(tmp_path, a=f"[server]\nport = {value}\n")

    assert faults(tmp_path)[0].startswith(f"{tmp_path / 'a.toml'}: ")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[server]\ndata_dir = "a\\u0000b"\n', "server.data_dir"),
        ('[plugins]\nfolder = "\\u0000"\n', "plugins.folder"),
        ('[backends.hq]\ntype = "csv"\npath = "../x\\u0000.csv"\n', "backends.hq.path"),
        ('[backends.hq]\nurl = { file = "secret\\u0000" }\n', "backends.hq.url.file"),
        ('[backends.hq]\nmap.emails = ["a", "\\u0000"]\n', "backends.hq.map.emails"),
    ],
)
def test_no_setting_holds_a_nul(tmp_path: Path, text: str, key: str) -> None:
    write(tmp_path, a=text)

    told = f"{tmp_path / 'a.toml'}: {key}: a NUL character stands in it, which no setting takes"
    assert faults(tmp_path) == [told]


def test_text_that_is_not_utf_8_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b'[server]\nhost = "\xe4"\n')

    assert faults(tmp_path) == [f"{tmp_path / 'a.toml'}: is not UTF-8 (byte 17)"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").mkdir()

    assert faults(tmp_path)[0].startswith(f"{tmp_path / 'a.toml'}: cannot be read")


def test_a_folder_that_may_not_be_read_is_not_called_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a="")

    def refuse(_folder: object) -> list[str]:
        # What everybody but root, as whom the suite may run, gets for a folder of mode 0300.
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("os.listdir", refuse)
    assert faults(tmp_path) == [f"{tmp_path} cannot be read: Permission denied"]


def test_a_syntax_error_does_not_hide_the_faults_of_other_files(tmp_path: Path) -> None:
    write(tmp_path, a="[server\n", b="[srever]\n", c="[server]\nprot = 1\n", d="[[backends]]\n", e="backends = 3\n")
    told = "\n".join(faults(tmp_path))

    for name in "abcde":
        assert f"{name}.toml" in told


# -- faults of tables and keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[srever]\n", ["[srever]", "'server'"]),
        ("[frontend.x]\n", ["[frontend]", "'frontends'"]),
        ("[qqq]\n", ["[qqq]", "backends, dashboard, forwarding, frontends, log, plugins, server, store"]),
        ("[server]\nprot = 1\n", ["server.prot", "unknown key", "'port'"]),
        ("[server]\nxyz = 1\n", ["server.xyz", "unknown key", "port"]),
        ('[server]\nport = "80"\n', ["server.port", "must be a whole number, without quotes"]),
        ("[server]\nport = 70000\n", ["server.port", "must be less than or equal to 65535"]),
        ('[server]\ntrusted_proxies = "nonsense"\n', ["server.trusted_proxies", "nonsense"]),
        ("[log]\nevent_log = true\n", ["log.event_log", "only Windows has an event log"]),
        ('[log]\nlevel = "loud"\n', ["log.level", "must be 'debug', 'info', 'warning' or 'error'"]),
        ("server = 5\n", ["server", "must be a table"]),
        ("[server]\nhost = 5\n", ["server.host", "must be text in quotes"]),
        ('[server]\nheader_seconds = "5"\n', ["server.header_seconds", "must be a number, without quotes"]),
        ("[plugins]\ndisabled = 5\n", ["plugins.disabled", "must be a list of texts"]),
        ("[throttle]\nlongest_pause_seconds = 1e9\n", ["throttle.longest_pause_seconds", "86400"]),
        ("[store]\nurl = 5\n", ["store.url", "must be text in quotes"]),
        ("backends = 5\n", ["backends", "[backends.hq]"]),
        ("[backends]\nhq = 5\n", ["backends.hq", "[backends.hq]"]),
        ('[backends.HQ]\ntype = "sql"\n', ["[backends.HQ]", "small letters"]),
        ('[backends."../x"]\ntype = "sql"\n', ["backends", "small letters"]),
        ('[backends.""]\ntype = "sql"\n', ["backends", "small letters"]),
        (f'[backends.{"x" * 101}]\ntype = "sql"\n', ["backends", "name"]),
    ],
)
def test_a_fault_names_file_table_and_key_and_what_would_be_right(text: str, told: list[str], tmp_path: Path) -> None:
    (fault,) = faults(write(tmp_path, a=text))

    assert fault.startswith(str(tmp_path / "a.toml"))
    for part in told:
        assert part in fault


@pytest.mark.parametrize(
    ("first", "second", "table"),
    [
        ("[server]\nport = 1\n", '[server]\nhost = "::1"\n', "[server]"),
        ('[backends.hq]\ntype = "sql"\n', '[backends.hq]\ntype = "csv"\n', "[backends.hq]"),
        ('[frontends.a]\ntype = "mailstore"\n', '[frontends.a]\npath = "/"\n', "[frontends.a]"),
    ],
)
def test_a_table_in_two_files_names_both(first: str, second: str, table: str, tmp_path: Path) -> None:
    (fault,) = faults(write(tmp_path, one=first, two=second))

    assert table in fault
    assert "one.toml" in fault
    assert "two.toml" in fault


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('data_dir = "C:\\data"', "line 2"),
        ('data_dir = "C:\\users\\x"', "line 2"),
        ('data_dir = "C:\\temp"', "server.data_dir"),
        ('data_dir = "C:\\new\\\\x"', "server.data_dir"),
        ('trusted_proxies = ["C:\\bin"]', "server.trusted_proxies"),
    ],
)
def test_path_of_windows_in_double_quotes_is_told_to_stand_in_single_ones(line: str, told: str, tmp_path: Path) -> None:
    (fault,) = faults(write(tmp_path, a=f"[server]\n{line}\n"))

    assert told in fault
    assert "single quotes: 'C:\\folder\\file'" in fault


@pytest.mark.parametrize("value", ["'C:\\temp\\new'", '"C:\\\\temp"', '"C:/temp"'])
def test_path_of_windows_is_taken_as_it_is_meant(value: str, tmp_path: Path) -> None:
    assert load(write(tmp_path, a=f"[server]\ndata_dir = {value}\n")).core.server.data_dir[:3] in ("C:\\", "C:/")


def test_other_faults_of_a_file_say_nothing_of_windows(tmp_path: Path) -> None:
    (fault,) = faults(write(tmp_path, a="[server]\nport = \n"))
    assert "quotes" not in fault


def test_a_backend_and_a_frontend_may_share_a_name(tmp_path: Path) -> None:
    config = load(write(tmp_path, a='[backends.hq]\ntype = "x"\n[frontends.hq]\ntype = "y"\n'))

    assert (config.backends["hq"].type, config.frontends["hq"].type) == ("x", "y")


def test_all_faults_of_a_folder_are_told_together(tmp_path: Path) -> None:
    write(
        tmp_path,
        a='[server]\nprot = 1\nthreads = "many"\n',
        b="[log]\nlevel = 3\n",
        c='[nonsense]\n[backends.HQ]\ntype = "sql"\n',
    )
    told = "\n".join(faults(tmp_path))

    for part in ("server.prot", "server.threads", "log.level", "[nonsense]", "[backends.HQ]"):
        assert part in told


# -- a plugin's tables -----------------------------------------------------------------------------------------------


def test_a_table_without_a_type_says_so(tmp_path: Path) -> None:
    config = load(write(tmp_path, a='[backends.hq]\nurl = "x"\n[backends.lab]\ntype = 5\n'))

    for name in ("hq", "lab"):
        with pytest.raises(ConfigError, match=rf"a\.toml: \[backends\.{name}\] needs a type"):
            config.backends[name].type  # noqa: B018


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('page_sise = 5\nurl = "x"\n', ["backends.hq.page_sise", "unknown key", "'page_size'"]),
        ("", ["backends.hq.url", "is required"]),
        ('url = "x"\npage_size = "5"\n', ["backends.hq.page_size", "must be a whole number, without quotes"]),
        ('url = "x"\n[backends.hq.map]\nusernmae = "x"\n', ["backends.hq.map.usernmae", "'username'"]),
        (
            'url = "x"\n[backends.hq.map]\nusername = { from = "x", lowr = true }\n',
            ["backends.hq.map.username.lowr", "'lower'"],
        ),
        ('url = "x"\n[backends.hq.map]\nusername = { lower = true }\n', ["backends.hq.map.username.from", "required"]),
        ('url = "x"\n[backends.hq.map]\nemails = 5\n', ["backends.hq.map.emails", "must be an attribute's name"]),
        (
            'url = "x"\n[backends.hq.filter]\nonly_with_emails = true\n',
            ["filter.only_with_emails", "'only_with_email'"],
        ),
        ("url = { env = 'SURELY_NOT_SET' }\n", ["backends.hq.url", "SURELY_NOT_SET is not set"]),
        ("url = { file = 'missing.txt' }\n", ["backends.hq.url", "missing.txt"]),
        ("url = { file = 'latin.txt' }\n", ["backends.hq.url", "latin.txt cannot be read: it is not UTF-8"]),
        ('url = "x"\nusername_index = "yes"\n', ["backends.hq.username_index", "must be true or false"]),
        ('url = "x"\nauth_seconds = 0\n', ["backends.hq.auth_seconds", "must be greater than 0"]),
        ('url = "x"\non_error = "ignore"\n', ["backends.hq.on_error", "must be 'remember' or 'stop'"]),
    ],
)
def test_a_plugins_table_is_held_to_its_schema(text: str, told: list[str], tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"\xe4")
    (fault,) = table_faults(tmp_path, f'[backends.hq]\ntype = "sql"\n{text}')

    assert fault.startswith(str(tmp_path / "backends.toml"))
    for part in told:
        assert part in fault


def test_all_faults_of_a_table_are_told_together(tmp_path: Path) -> None:
    assert len(table_faults(tmp_path, '[backends.hq]\ntype = "sql"\nx = 1\npage_size = "5"\n')) == 3


def test_secrets_of_files_lie_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password.txt").write_text("from a file\n", encoding="utf-8")
    monkeypatch.setenv("HQ_URL", "from the environment")
    config = load(
        write(
            tmp_path,
            a='[backends.a]\ntype="sql"\nurl={ file = "password.txt" }\n[backends.b]\ntype="sql"\nurl={env="HQ_URL"}\n',
        )
    )
    urls = [parse_table(table, SqlSettings, config.base_dir).url for table in config.backends.values()]

    assert [url.get_secret_value() for url in urls] == ["from a file", "from the environment"]


def with_secrets(folder: Path) -> Config:
    return load(
        write(
            folder,
            a='[backends.hq]\ntype = "sql"\nurl = "hush-hush"\n[store]\nurl = "sqlite:///hush-hush"\n'
            '[frontends.a]\ntype = "mailstore"\npath = "/"\nbackends = "hq"\nusername = "x"\npassword = "hush-hush"\n',
        )
    )


def test_secrets_show_in_no_representation_of_the_configuration(tmp_path: Path) -> None:
    config = with_secrets(tmp_path)
    shown = [repr(config), str(config), repr(config.backends), repr(config.frontends["a"])]
    shown.append(repr(parse_table(config.backends["hq"], SqlSettings, config.base_dir)))
    shown.append(repr(parse_table(config.frontends["a"], FrontendSettings, config.base_dir)))

    assert not [text for text in shown if "hush-hush" in text]


def test_secrets_show_in_no_message(tmp_path: Path) -> None:
    told = table_faults(
        tmp_path, '[backends.hq]\ntype = "sql"\nurl = ["hush-hush"]\nurll = "hush-hush"\npage_size = "hush-hush"\n'
    )

    assert len(told) == 3
    assert "hush-hush" not in "\n".join(told)
