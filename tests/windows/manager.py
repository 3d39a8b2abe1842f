"""Runs on Windows: starts a program and stops it as WinSW does, obeying lines on standard input.

``kill PID`` ends a process at once; ``stop`` sends Ctrl-C to the program's console; the end of input kills the program.
At its end ``MANAGER ended CODE`` is printed, or ``MANAGER ended -1`` where it had to be killed.
"""

import ctypes
import os
import subprocess
import sys
import threading

_STOP_SECONDS = 60


def main() -> None:
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, creationflags=subprocess.CREATE_NO_WINDOW) as program:
        assert program.stdin is not None
        program.stdin.close()
        threading.Thread(target=_obey, args=(program,), daemon=True).start()
        print("MANAGER ended", program.wait(), flush=True)
        os._exit(0)


def _obey(program: "subprocess.Popen[bytes]") -> None:
    for line in sys.stdin:
        command, _, pid = line.strip().partition(" ")
        if command == "kill":
            os.kill(int(pid), 9)
        elif command == "stop":
            _interrupt(program.pid)
            threading.Timer(_STOP_SECONDS, _give_up, (program,)).start()
    program.kill()


def _interrupt(pid: int) -> None:
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel.FreeConsole()
    if not kernel.AttachConsole(pid):
        print("MANAGER ended", -2, "no console", flush=True)
        os._exit(1)
    kernel.SetConsoleCtrlHandler(None, True)
    kernel.GenerateConsoleCtrlEvent(0, 0)


def _give_up(program: "subprocess.Popen[bytes]") -> None:
    program.kill()
    print("MANAGER ended", -1, flush=True)
    os._exit(1)


if __name__ == "__main__":
    main()
