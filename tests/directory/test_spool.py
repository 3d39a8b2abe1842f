"""Spool files: written once, found again by a record, removed when nobody can be sending them any more."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server.directory.spool import Outcome, Release, SpoolFolder, SpoolWriter, content_digest, folder_name
from tests.directory.full_disk import full_disk

NOW = 1_800_000_000.0


def write(folder: Path, *pages: bytes) -> Release:
    with SpoolWriter(folder, b"[", b",") as writer:
        for page in pages:
            writer.add(page)
        size, digest = writer.finish(b"]")
        writer.keep()
    return Release(writer.path.name, size, digest, len(pages), ("hq",), 0, 0, NOW - 1, NOW, "fingerprint")


def done(release: Release | None, error: str | None = None) -> Outcome:
    return Outcome(NOW - 1, NOW, error, False, release)


def age(path: Path, seconds: float) -> None:
    os.utime(path, (NOW - seconds, NOW - seconds))


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        (("archive",), "archive"),
        (("archive", "members"), "archive.members"),
        (("aux",), "aux~"),
        (("com1", "members"), "com1~.members"),
        (("com1-office",), "com1-office"),
    ],
)
def test_no_folder_bears_the_name_of_a_device_of_windows(names: tuple[str, ...], folder: str) -> None:
    assert folder_name(*names) == folder


# -- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pages", "content"),
    [
        ([], b"[]"),
        ([b"1"], b"[1]"),
        ([b"1", b"", b"2,3", b""], b"[1,2,3]"),
        ([b"", b"1"], b"[1]"),
    ],
)
def test_pages_are_joined_and_counted(pages: list[bytes], content: bytes, tmp_path: Path) -> None:
    release = write(tmp_path / "new folder", *pages)

    assert (tmp_path / "new folder" / release.file).read_bytes() == content
    assert release.size == len(content)
    assert release.digest == hashlib.sha256(content).hexdigest()


@given(pages=st.lists(st.binary(max_size=20)))
def test_the_digest_is_that_of_the_whole_file(tmp_path_factory: pytest.TempPathFactory, pages: list[bytes]) -> None:
    folder = tmp_path_factory.getbasetemp() / "digests"
    release = write(folder, *pages)
    content = (folder / release.file).read_bytes()

    assert content == b"[" + b",".join(page for page in pages if page) + b"]"
    assert (len(content), hashlib.sha256(content).hexdigest()) == (release.size, release.digest)


@pytest.mark.parametrize("size", [100_000, 262_143, 262_144, 700_000])
def test_a_long_list_is_written_whole_in_a_thread_of_its_own(tmp_path: Path, size: int) -> None:
    pages = [bytes([n]) * size for n in range(8)]
    release = write(tmp_path, *pages)

    content = (tmp_path / release.file).read_bytes()
    assert content == b"[" + b",".join(pages) + b"]"
    assert (len(content), hashlib.sha256(content).hexdigest()) == (release.size, release.digest)
    assert not _threads()


def test_a_short_list_needs_no_thread(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, b"[", b",") as writer:
        for _ in range(200):
            writer.add(b"x" * 1000)
        assert not _threads()
        for _ in range(100):
            writer.add(b"x" * 1000)
        assert len(_threads()) == 1
    assert not _threads()


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "spool"]


@pytest.mark.parametrize("page", [b"1", b"1" * 400_000])
def test_a_list_that_breaks_off_leaves_no_file(tmp_path: Path, page: bytes) -> None:
    def broken() -> None:
        with SpoolWriter(tmp_path, b"[", b",") as writer:
            for _ in range(3):
                writer.add(page)
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert list(tmp_path.iterdir()) == []
    assert not _threads()


def test_a_list_that_is_finished_and_not_kept_leaves_no_file(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, b"[", b",") as writer:
        writer.finish(b"]")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("page", [b"x" * 1000, b"x" * 1_000_000], ids=["at its end", "midway"])
def test_a_full_disk_leaves_no_half_a_file_to_fill_it(page: bytes, tmp_path: Path) -> None:
    with full_disk(free=500), pytest.raises(OSError, match="large"):
        write(tmp_path, page)

    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_soon_ends_a_long_list_soon(tmp_path: Path) -> None:
    added = []

    def add(writer: SpoolWriter) -> None:
        for _ in range(100):
            writer.add(b"x" * 300_000)
            added.append(True)

    with full_disk(1_000_000), SpoolWriter(tmp_path, b"[", b",") as writer, pytest.raises(OSError, match="large"):
        add(writer)

    assert len(added) < 6
    assert list(tmp_path.iterdir()) == []
    assert not _threads()


# -- the record ------------------------------------------------------------------------------------------------------


def test_an_outcome_is_read_as_it_was_recorded(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path / "archive")
    release = write(folder.path, b"1")
    for outcome in (done(release), done(release, "ä broke"), replace(done(release), is_held=True), done(None, "broke")):
        folder.record(outcome)
        assert folder.outcome() == outcome


@pytest.mark.parametrize(
    "text", ["", "{", "null", "5", '"x"', "[]", "{}", '{"release": 5}', '{"release": {}}', "\0\0\0", "\udcff"]
)
def test_a_record_that_cannot_be_read_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "outcome.json").write_bytes(text.encode("utf-8", "surrogateescape"))

    assert SpoolFolder(tmp_path).outcome() is None
    assert SpoolFolder(tmp_path / "missing").outcome() is None


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"[")], ids=["gone", "cut short"])
def test_a_release_whose_file_is_gone_or_cut_short_is_none(damage: Callable[[Path], object], tmp_path: Path) -> None:
    """After a crash of the machine the record may have reached the disk and the file not."""
    folder = SpoolFolder(tmp_path)
    release = write(tmp_path, b"1")
    folder.record(done(release))
    damage(tmp_path / release.file)

    outcome = folder.outcome()
    assert outcome is not None
    assert outcome.release is None


def test_only_old_files_of_other_lists_are_removed(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path)
    old, young, current = write(tmp_path, b"1"), write(tmp_path, b"2"), write(tmp_path, b"3")
    for name in (f"{old.file}.gz", f"{current.file}.gz", "left.tmp", "kept.txt", "build.lock"):
        (tmp_path / name).write_bytes(b"x")
        age(tmp_path / name, 1000)
    age(tmp_path / old.file, 121)
    age(tmp_path / young.file, 119)
    age(tmp_path / current.file, 1000)

    folder.record(done(current))

    assert {path.name for path in tmp_path.iterdir()} == {
        young.file,
        current.file,
        f"{current.file}.gz",
        "kept.txt",
        "build.lock",
        "outcome.json",
    }


def test_the_last_good_list_outlives_failures(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path)
    release = write(tmp_path, b"1")
    age(tmp_path / release.file, 100_000)
    folder.record(done(release, "broke"))
    folder.record(done(release, "broke again"))

    assert (tmp_path / release.file).exists()
    folder.record(done(None, "its time is over"))
    assert not (tmp_path / release.file).exists()


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path)
    folder.record(done(None, "first"))
    with full_disk(free=100), pytest.raises(OSError, match="large"):
        folder.record(done(None, "second " * 100))

    assert folder.outcome() == done(None, "first")
    assert [path.name for path in tmp_path.iterdir()] == ["outcome.json"]


# -- gzip ------------------------------------------------------------------------------------------------------------


def test_the_compressed_form_holds_the_same_bytes_and_is_made_once(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path)
    release = write(tmp_path, *(b'{"userName":"user%d"}' % n for n in range(5000)))
    path, size, digest = folder.compressed(release)
    packed = path.read_bytes()

    assert gzip.decompress(packed) == (tmp_path / release.file).read_bytes()
    assert (size, digest) == (len(packed), hashlib.sha256(packed).hexdigest())
    assert size < release.size / 3
    made = path.stat().st_mtime_ns
    assert folder.compressed(release) == (path, size, digest)
    assert path.stat().st_mtime_ns == made
    assert not list(tmp_path.glob("*.tmp"))


def test_many_callers_compress_at_once_and_all_get_whole_files(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path)
    release = write(tmp_path, b"x" * 2_000_000)
    found: list[tuple[Path, int, str]] = []
    threads = [threading.Thread(target=lambda: found.append(folder.compressed(release))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(gzip.decompress(found[0][0].read_bytes())) == release.size


def test_a_full_disk_leaves_no_half_a_compressed_file(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path)
    release = write(tmp_path, os.urandom(5000))
    with full_disk(free=1000), pytest.raises(OSError, match="large"):
        folder.compressed(release)

    assert [path.name for path in tmp_path.iterdir()] == [release.file]
    assert gzip.decompress(folder.compressed(release)[0].read_bytes()) == (tmp_path / release.file).read_bytes()


def test_a_content_digest_is_written_as_rfc_9530_wants_it() -> None:
    expected = base64.b64encode(hashlib.sha256(b"[]").digest()).decode()

    assert content_digest(hashlib.sha256(b"[]").hexdigest()) == f"sha-256=:{expected}:"
