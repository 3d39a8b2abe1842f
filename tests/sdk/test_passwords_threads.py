"""The first logins of a fresh process come at once and meet lazily loaded schemes; each process can fail only once."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

# Eight threads start at once, each with another of the schemes that libpass and argon2 load lazily; all checks are
# of the right password, so anything but True is an error. Thread switches are made as frequent as can be.
_RACE = """
    import sys, threading
    import passlib.hash  # otherwise the lock of this import would line the threads up
    from integration_server.sdk.passwords import PasswordChecker

    sys.setswitchinterval(1e-6)
    P = "p\\u00e4ssword!$"
    STORED = [
        "$1$saltsalt$G5gerMKRi9s7nFAAe1/Vs1",
        "$apr1$saltsalt$GD2BzrlTonYu6Jxzh4AB/0",
        "$5$saltsalt$2IiLImu8IwyeHhgnojjtATxRvsEinq9n.jPNEj1AZr5",
        "$6$rounds=1000$ldOB5.gZ3i.Qq24k$"
        "b8S/HCw/463cBZJLUAp5vJZLzQVfTYyMbNMkr5YU1eyiIkJxexbAtYdSUAakzUOzNARCpOcCkl8lwAlFHE2Q51",
        "{DES-CRYPT}XGQB51Ncsjxu6",
        "{CRYPT}WwNF.nhf4EEt.jQcwUKoFwNA",
        "$sha1$1000$saltsalt$tEvozN4F8JF1.m9xrbCjFoFmHHfr",
        "{NT}3c0adf55bf840c6212ad4cfdfd797eae",
        "$argon2id$v=19$m=64,t=2,p=1$bUpESnlpWE1RWlpsMTM1Tw$VydUoAij0xvKhRqrhVCT5K8IQStX5nvHuShWLXb+qTw",
        "$2y$04$RPUO7aOE2FQZa/i.mZd/deMckInQzn7wS7afDxF2nku9w8kVmrZEW",
        "$y$j75$rSz1HCoCQfqdaKvcrHa58/$8ra.KkCat8AIA9q3Frp329Dp7VsfuM4XX1wvabbnUdA",
        "SCRAM-SHA-256$4096:SkCy7GItfJDGTDKQddeObQ==$rqsRi1BSER0gV9+NmUyTu9HCrL3NJNOEl/gjRBXWnP0=:"
        "Rw2ecuej+Zp4642oZt6EwccvRp4P++DcZljEnb1WBA4=",
    ]
    start, faults = threading.Barrier(8), []

    def log_in(first):
        checker = PasswordChecker()  # one for each backend: they share what libpass loads
        start.wait()
        for stored in STORED[first:] + STORED[:first]:
            try:
                if checker.verify(stored, P) is not True:
                    faults.append("refused " + stored[:6])
            except BaseException as exc:
                faults.append(repr(exc))

    threads = [threading.Thread(target=log_in, args=(%s,)) for i in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print("|".join(faults) or "all true")
"""


def _fresh_process(first: str) -> str:
    code = textwrap.dedent(_RACE) % first
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    return done.stdout.strip() + done.stderr.strip()[-300:]


@pytest.mark.parametrize("first", ["3", "i"], ids=["sha512-crypt", "mixed"])
def test_first_logins_at_once_all_get_in(first: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(_fresh_process, [first] * 6)) == {"all true"}


def test_warm_up_leaves_nothing_to_load() -> None:
    code = """
        import sys
        from integration_server.sdk.passwords import PasswordChecker
        from integration_server.sdk.schemes.crypts import LIBPASS
        checker = PasswordChecker()
        assert "passlib" not in sys.modules
        checker.warm_up()
        before = set(sys.modules), dict(LIBPASS._ready)
        for stored in ("$1$saltsalt$G5gerMKRi9s7nFAAe1/Vs1", "{DES-CRYPT}XGQB51Ncsjxu6",
                       "{NT}3c0adf55bf840c6212ad4cfdfd797eae"):
            assert checker.verify(stored, "p\\u00e4ssword!$")
        assert (set(sys.modules), dict(LIBPASS._ready)) == before
        print("warm")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "warm", done.stderr[-500:]
