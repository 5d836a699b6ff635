"""The README is short and names both commands; no page asks a package index for Cutgate."""

import re

from tests.docs.test_blocks import FILES, PAGES
from tests.servers.stack import ROOT

README = PAGES["README.md"]
WORDS = 700


def test_it_names_both_commands_with_what_they_do_and_their_minutes() -> None:
    shown = re.findall(r"^make (\w+) +# about (\d+) minutes\b.*: (\w.*)$", README, re.MULTILINE)
    assert [command for command, _, _ in shown] == ["demo", "test"]
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    [minutes] = re.findall(r"^\| `make test` \|.*\| (\d+) \|$", PAGES["CONTRIBUTING.md"], re.MULTILINE)
    assert {command: number for command, number, _ in shown}["test"] == minutes


def test_it_is_short() -> None:
    assert len(README.split()) <= WORDS


def test_no_page_installs_a_package_that_no_index_has() -> None:
    told = re.compile(r"pip3? install [^\n`]*\bcutgate\b")
    assert not [path.name for path in FILES if told.search(PAGES[path.name])]
