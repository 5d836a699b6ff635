"""The page of the log's events: every event of the code once, what it means, and what to do."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAID = re.compile(r"(log|_log|_LOG)(\.(debug|info|warning|error|exception|critical))?")
"""A logger's method, or one that was chosen before."""


def events_of_the_code() -> set[str]:
    """What is said first to a logger, in every module of the product."""
    folders = [ROOT / name for name in ("courier", "gateway", "jobs", "signing", "worker", "cutgate")]
    modules = {path.resolve() for folder in folders for path in folder.rglob("*.py")}
    return {event for path in modules for event in events_of(ast.parse(path.read_text(encoding="utf-8")))}


def events_of(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and SAID.fullmatch(ast.unparse(node.func)):
            assert isinstance(node.args[0], ast.Constant), f"an event without a name: {ast.unparse(node)}"
            yield str(node.args[0].value)


def entries() -> Iterator[tuple[list[str], str]]:
    """The events of each entry of the page, and what it says of them."""
    _, _, page = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8").partition("## Events\n")
    page, _, _ = page.partition("\n## ")
    for entry in re.findall(r"^- (.*?)(?=^- |^$|\Z)", page, re.MULTILINE | re.DOTALL):
        names, _, text = re.sub(r"\([^)]*\)", "", " ".join(entry.split())).partition(":")
        yield re.findall(r"`(\w+)`", names), text


def test_every_event_is_on_the_page_once() -> None:
    told = Counter(event for events, _ in entries() for event in events)
    assert set(told) == events_of_the_code()
    assert set(told.values()) == {1}


def test_every_entry_says_what_it_means_and_what_to_do() -> None:
    assert [events for events, text in entries() if len(text.split(". ")) < 2] == []
