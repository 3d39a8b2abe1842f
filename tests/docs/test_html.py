"""The HTML that Sphinx makes of the pages: without a warning, whole, and of this server's own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import DOCS, ROOT


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """As ``make docs`` does it, and beside the tree."""
    line = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html"]
    line += ["-d", str(target / "doctrees"), str(source), str(target / "html")]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, timeout=100, check=False)


@dataclass
class Page:
    """What a page holds, as far as it matters here."""

    title: str = ""
    headings: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    #: Ids of sections, which people link to.
    sections: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    #: What a browser fetches without being asked.
    loaded: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        page = self.page
        if "id" in given:
            page.ids.append(given["id"])
        if tag == "section":
            page.sections.append(given["id"])
        if tag == "a" and "href" in given:
            page.links.append(given["href"])
        if tag == "link":
            (page.loaded if given.get("rel") == "stylesheet" else page.links).append(given["href"])
        page.loaded += [given[name] for name in ("src", "srcset", "data", "poster") if name in given]
        if tag in ("h1", "title"):
            self._within = tag
            page.headings += [""] if tag == "h1" else []

    def handle_endtag(self, tag: str) -> None:
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "h1":
            self.page.headings[-1] += data
        elif self._within == "title":
            self.page.title += data


def read(file: Path) -> Page:
    reader = _Reader()
    reader.feed(file.read_text(encoding="utf-8"))
    return reader.page


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("html")
    done = build(DOCS, folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


@pytest.fixture(scope="module")
def pages(html: Path) -> dict[str, Page]:
    return {file.relative_to(html).as_posix(): read(file) for file in sorted(html.rglob("*.html"))}


def _within(pages: dict[str, Page]) -> Iterator[tuple[str, str]]:
    """Page, and link that leads to these pages."""
    for name, page in pages.items():
        yield from ((name, link) for link in page.links if not urlsplit(link).scheme)


def test_every_page_is_made(pages: dict[str, Page]) -> None:
    assert {f"{page.stem}.html" for page in DOCS.glob("*.rst")} <= set(pages)


def test_links_lead_to_pages_and_places_that_are_there(html: Path, pages: dict[str, Page]) -> None:
    seen = 0
    for name, link in _within(pages):
        target, anchor = unquote(urlsplit(link).path), unquote(urlsplit(link).fragment)
        found = (html / name).parent / target if target else html / name
        assert found.is_file(), f"{name} links to {link}"
        if anchor:
            assert anchor in pages[found.relative_to(html).as_posix()].ids, f"{name} links to {link}"
        seen += 1
    assert seen > 500


def test_no_link_to_a_source_is_left(pages: dict[str, Page]) -> None:
    for name, link in _within(pages):
        assert not urlsplit(link).path.endswith(".rst"), f"{name} links to {link}"


def test_nothing_is_loaded_from_elsewhere(html: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        for loaded in page.loaded:
            parts = urlsplit(loaded)
            assert not parts.scheme + parts.netloc, f"{name} loads {loaded}"
            assert (html / parts.path).is_file(), f"{name} loads {loaded}"
    for sheet in html.rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
        for loaded in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')]+)", text):
            assert "//" not in loaded, f"{sheet.name} loads {loaded}"


def test_titles_tell_pages_apart(pages: dict[str, Page]) -> None:
    own = {name: pages[f"{name}.html"] for name in (page.stem for page in DOCS.glob("*.rst"))}
    for name, page in own.items():
        # The first one is the product's name above the contents.
        assert len(page.headings) == 2, f"{name} has the titles {page.headings[1:]}"
    titles = [page.title for page in own.values()]
    assert len(set(titles)) == len(titles)


def test_every_section_has_a_name_of_its_own(pages: dict[str, Page]) -> None:
    """Two titles of one name on a page would get ids like id1, which move when something is added."""
    for name, page in pages.items():
        assert len(set(page.ids)) == len(page.ids), name
        numbered = [one for one in page.sections if re.fullmatch(r"id\d+", one)]
        assert not numbered, f"{name}: {numbered}"


def test_every_page_is_named_on_the_index_and_in_its_contents() -> None:
    """The list is for people who read the file as it is; the contents make the sidebar."""
    text = (DOCS / "index.rst").read_text(encoding="utf-8")
    contents = re.findall(r"^   ([a-z][\w-]+)$", text, re.MULTILINE)
    listed = re.findall(r"^\* `([\w-]+)\.rst <", text, re.MULTILINE)
    assert sorted(contents) == sorted({page.stem for page in DOCS.glob("*.rst")} - {"index"})
    assert contents == ["quick-start", *listed]


def test_every_page_is_reached_from_the_index(pages: dict[str, Page]) -> None:
    reached, waiting = set(), ["index.html"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [path for link in pages[name].links if (path := urlsplit(link).path) in pages]
    assert reached == set(pages)


def test_no_row_of_a_table_is_the_rest_of_the_one_above(html: Path) -> None:
    """In a simple table, what stands in the first column begins a row."""
    seen = 0
    for file in html.glob("*.html"):
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", file.read_text(encoding="utf-8"), re.DOTALL):
            cells = [
                re.sub("<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
            ]
            assert any(cells[1:]) or len(cells) < 2, f"{file.name}: {cells[0]!r} is alone in its row"
            seen += 1
    assert seen > 100


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Other pages under the same rules."""
    source = tmp_path / "docs"
    source.mkdir()
    shutil.copy(DOCS / "conf.py", source)
    (source / "page.rst").write_text("Page\n====\n\nPart\n----\n\nText.\n", encoding="utf-8")
    return source


def _index(source: Path, text: str) -> None:
    (source / "index.rst").write_text(f"Index\n=====\n\n{text}\n\n.. toctree::\n\n   page\n", encoding="utf-8")


def test_links_by_file_become_links_of_the_html(other: Path, tmp_path: Path) -> None:
    _index(other, "See `page.rst <page.rst>`_, `part <page.rst#part>`_, `out <https://example.org/x.rst>`_")
    done = build(other, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    links = read(tmp_path / "html" / "index.html").links
    assert {"page.html", "page.html#part", "https://example.org/x.rst"} <= set(links)
    text = re.sub("<[^>]+>", "", (tmp_path / "html" / "index.html").read_text(encoding="utf-8"))
    assert "See Page, part, out" in text


def test_a_link_in_an_included_file_is_one_from_that_files_folder(other: Path, tmp_path: Path) -> None:
    (tmp_path / "OUTER.rst").write_text("See `the page <docs/page.rst>`_.\n", encoding="utf-8")
    _index(other, ".. include:: ../OUTER.rst")
    done = build(other, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "page.html" in read(tmp_path / "html" / "index.html").links


@pytest.mark.parametrize("link", ["gone.rst", "page.rst#gone", "../page.rst", "https.rst#part"])
def test_a_link_that_leads_nowhere_is_an_error(other: Path, tmp_path: Path, link: str) -> None:
    _index(other, f"`there <{link}>`_")
    done = build(other, tmp_path)
    assert done.returncode != 0
    assert re.search(rf"index\.rst:4: WARNING: .*{re.escape(link)}", done.stderr)


def test_a_page_that_the_index_does_not_name_is_an_error(other: Path, tmp_path: Path) -> None:
    _index(other, "Text.")
    (other / "lost.rst").write_text("Lost\n====\n", encoding="utf-8")
    done = build(other, tmp_path)
    assert done.returncode != 0
    assert "lost.rst: WARNING: document isn't included in any toctree" in done.stderr
