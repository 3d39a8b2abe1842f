"""Nothing in the package needs POSIX. ``make check`` adds mypy's view of the package as if on Windows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: What Windows does not have.
_MODULES = ("crypt", "fcntl", "grp", "nis", "pty", "pwd", "resource", "spwd", "syslog", "termios", "tty")
_NAMES = {
    "os": (
        *("fork", "forkpty", "register_at_fork", "getuid", "geteuid", "getgid", "getegid", "getgroups", "setuid"),
        *("setgid", "setsid", "setpgid", "getpgid", "killpg", "chown", "fchown", "lchown", "chroot", "nice", "uname"),
        *("sched_getaffinity", "sched_setaffinity", "mkfifo", "mknod", "wait3", "wait4", "waitid", "statvfs"),
        *("posix_fadvise", "posix_fallocate", "posix_spawn", "pread", "pwrite", "preadv", "pwritev", "sendfile"),
        *("getloadavg", "WIFEXITED", "WIFSIGNALED", "WNOHANG", "O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY"),
        *("memfd_create", "eventfd", "pidfd_open", "openpty", "ttyname", "sysconf", "fchmod", "fchdir", "lockf"),
    ),
    "signal": (
        *("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGKILL", "SIGCHLD", "SIGPIPE", "SIGALRM", "SIGSTOP", "SIGCONT"),
        *("SIGTSTP", "SIGWINCH", "alarm", "setitimer", "pause", "sigwait", "sigtimedwait", "pthread_sigmask"),
        *("pthread_kill", "siginterrupt", "sigpending"),
    ),
    "socket": ("AF_UNIX", "SO_REUSEPORT", "recv_fds", "send_fds", "SCM_RIGHTS", "MSG_DONTWAIT"),
    "select": ("poll", "epoll", "devpoll", "kqueue", "EPOLLIN", "POLLIN"),
    "time": ("clock_gettime", "pthread_getcpuclockid", "tzset"),
}

#: Run in a process of its own. The libraries have their own ways on Windows, which are not in question here: they are
#: loaded first and stay; then POSIX goes, and our modules are loaded anew, and then the files named in arguments.
_SCRIPT = """
import importlib, importlib.util, json, pkgutil, sys

def load_ours():
    import integration_server
    for info in pkgutil.walk_packages(integration_server.__path__, "integration_server."):
        # Alembic runs that one, and only within a migration.
        if info.name != "integration_server.store.migrations.env":
            importlib.import_module(info.name)

def load(number, path):
    spec = importlib.util.spec_from_file_location(f"file_{number}", path)
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

modules, names, files = json.loads(sys.stdin.read())
load_ours()
for number, path in enumerate(files):
    load(number, path)
ours = [name for name in sys.modules if name.split(".")[0] == "integration_server"]
for name in ours:
    del sys.modules[name]
for name in modules:
    sys.modules[name] = None
for module, gone in names.items():
    for name in gone:
        if hasattr(sys.modules[module], name):
            delattr(sys.modules[module], name)
load_ours()
refused = {}
for number, path in enumerate(files):
    try:
        load(number, path)
    except (ImportError, AttributeError) as exc:
        refused[path] = str(exc)
print(json.dumps([len(ours), refused]))
"""


def _load_without_posix(*files: Path) -> tuple[int, dict[str, str]]:
    """How many modules of ours were loaded without POSIX, and which of the files could not be, with the reason."""
    wanted = json.dumps([_MODULES, _NAMES, [str(file) for file in files]])
    command = [sys.executable, "-c", _SCRIPT]
    done = subprocess.run(command, cwd=ROOT, input=wanted, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, refused = json.loads(done.stdout)
    return count, refused


#: Each needs something that Windows does not have.
_NEEDY = (
    "import fcntl",
    "import resource",
    "import termios, syslog",
    "from pwd import getpwnam",
    "from grp import getgrnam",
    "import os; os.fork",
    "from os import geteuid",
    "from signal import SIGHUP",
    "import signal; signal.SIGUSR1",
    "import socket; socket.AF_UNIX",
    "import select; select.poll",
)
_PORTABLE = "import os, signal, socket, ssl; os.getpid, signal.SIGTERM, socket.AF_INET"


@pytest.fixture(scope="module")
def needy(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("needy")
    files = [folder / f"needs_{number}.py" for number in range(len(_NEEDY))]
    for file, line in zip(files, _NEEDY, strict=True):
        file.write_text(f"{line}\n", encoding="utf-8")
    return files


@pytest.fixture(scope="module")
def loaded(needy: list[Path]) -> tuple[int, dict[str, str]]:
    """How many modules of ours there are, and what could not be loaded of them, the drop-in plugins and the needy."""
    portable = needy[0].with_name("portable.py")
    portable.write_text(f"{_PORTABLE}\n", encoding="utf-8")
    return _load_without_posix(*(ROOT / "plugins").glob("*.py"), *needy, portable)


def test_every_module_and_every_drop_in_plugin_loads_without_posix(
    loaded: tuple[int, dict[str, str]], needy: list[Path]
) -> None:
    files = [file for file in (ROOT / "integration_server").rglob("*.py") if "__pycache__" not in file.parts]
    count, refused = loaded
    # All but env.py, which alembic runs under a name of its own.
    assert count == len(files) - 1
    assert not set(refused) - set(map(str, needy))


def test_a_module_that_needs_posix_would_be_noticed(loaded: tuple[int, dict[str, str]], needy: list[Path]) -> None:
    assert set(loaded[1]) == set(map(str, needy))
