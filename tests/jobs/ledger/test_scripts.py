"""The scripts' texts: each names the shared parts that it uses, no more and no fewer."""

import re
from pathlib import Path

from cutgate.jobs import ledger
from cutgate.jobs.ledger.client import named_parts, script_texts

LUA = Path(ledger.__file__).parent / "lua"
PARTS = {path.stem: path.read_text() for path in (LUA / "shared").iterdir() if path.stem != "start"}


def code_of(text: str) -> str:
    """A script without its comments and texts."""
    return re.sub(r"'[^']*'|--[^\n]*", "", text)


def defined_in(text: str) -> set[str]:
    """What a part gives to those that name it."""
    listed = re.findall(r"^local (?:function )?([a-z_, ]+)", code_of(text), re.MULTILINE)
    return {name.strip() for names in listed for name in names.split(",")}


def used_by(text: str) -> set[str]:
    """The parts of which a script or a part uses something."""
    names = set(re.findall(r"(?<![.\w])[a-z_]+", code_of(text))) - defined_in(text)
    return {part for part, definition in PARTS.items() if defined_in(definition) & names}


def wrongly_named(texts: dict[str, str]) -> dict[str, set[str]]:
    """By script, the parts that it lacks or names for nothing."""
    wrong = {name: used_by(text) ^ set(named_parts(text)) for name, text in texts.items()}
    return {name: parts for name, parts in wrong.items() if parts}


def test_each_names_exactly_the_parts_that_it_uses() -> None:
    scripts = {path.relative_to(LUA).as_posix(): path.read_text() for path in LUA.glob("*/*.lua")}
    assert len(scripts) == len(script_texts()) + len(PARTS) + 1, "two scripts of one name"
    assert wrongly_named(scripts) == {}
    claim = scripts["items/claim.lua"]
    assert wrongly_named(
        {"claim": claim.replace("-- needs: claims, hints, queue, ", "-- needs: claims, hints, pace, ")}
    ) == {"claim": {"pace", "queue"}}


def test_a_part_stands_once_and_behind_what_it_needs() -> None:
    text = script_texts()["reap"]
    places = [
        text.index(f"local function {name}(")
        for name in ("key", "next_turn", "enter_queue", "requeue", "fail_item")
    ]
    assert places == sorted(places)
    assert text.count("local function next_turn(") == 1
    assert "local function remembered(" not in text
