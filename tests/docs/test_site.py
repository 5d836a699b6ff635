"""The site that `make docs` builds: whole, and on its own."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typing_extensions import override

ROOT = Path(__file__).parents[2]
LOADED = {("img", "src"), ("link", "href"), ("script", "src"), ("source", "srcset"), ("iframe", "src")}
"""What a browser fetches without being asked to."""

CODE = {"code", "pre", "script", "style"}


def build(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=project,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass
class Page(HTMLParser):
    path: Path
    links: list[tuple[str, str, str]] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._in_code = 0
        self.feed(self.path.read_text(encoding="utf-8"))

    @override
    def handle_data(self, data: str) -> None:
        if not self._in_code:
            self.prose.append(data)

    @override
    def handle_endtag(self, tag: str) -> None:
        self._in_code -= tag in CODE

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_code += tag in CODE
        for name, value in attrs:
            if name in {"href", "src", "srcset"}:
                self.links.append((tag, name, value or ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    # The page for addresses that do not exist is served at any depth, so its own links begin at the root.
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_page_is_there(site: Path, pages: dict[Path, Page]) -> None:
    sources = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert {path.stem for path in pages} == sources
    index = {link for _, _, link in pages[site / "index.html"].links}
    assert {f"{name}.html" for name in sources} <= index


def test_no_markdown_is_left_unread(pages: dict[Path, Page]) -> None:
    left = re.compile(r"```|\*\*|not-run=|\| ?-{3}|\]\(")
    assert not [f"{path.name}: {text}" for path, page in pages.items() for text in page.prose if left.search(text)]


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    loaded = {link for page in pages.values() for tag, name, link in page.links if (tag, name) in LOADED}
    assert loaded
    assert not [link for link in loaded if re.match(r"[a-z]+:|//", link)]
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)]*", styles)
    # The theme's script fetches what draws these diagrams when a page has one.
    assert not [path for path in pages if 'class="mermaid"' in path.read_text(encoding="utf-8")]


def test_the_build_notices_what_leads_nowhere(tmp_path: Path) -> None:
    for folder in ("docs/stylesheets", "docs/manual"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = "nav:\n  - Page: index.md\n"
    (tmp_path / "mkdocs.yml").write_text(re.sub(r"nav:\n(  .*\n)+", nav, settings, count=1), encoding="utf-8")
    links = "[page](gone.md) [anchor](index.md#lost) ![picture](away.png)"
    (tmp_path / "docs" / "index.md").write_text(f"# Page\n\n{links}\n", encoding="utf-8")
    (tmp_path / "docs" / "unnamed.md").touch()
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    for complaint in ("'gone.md'", "'index.md#lost'", "'away.png'", "unnamed.md"):
        assert complaint in done.stderr
