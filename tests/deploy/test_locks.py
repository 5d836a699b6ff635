"""Tests of requirements/*.txt: they pin what pyproject.toml asks for, as `make lock` writes them."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = {
    path: re.findall(r"--extra (\w+)", extras)
    for extras, path in re.findall(
        r"\$\(LOCK\)((?: --extra \w+)+).* -o (\S+)", (ROOT / "Makefile").read_text(encoding="utf-8")
    )
}
"""Each lock's file, with the extras that `make lock` puts into it."""
ENTRY = re.compile(r"^([\w.-]+)(?:\[\S+\])?==([^\s;]+)(.*(?:\n[ \t].*)*)", re.MULTILINE)
DIRECT = f"{PROJECT['name']} (pyproject.toml)"


def entries(path: str) -> Iterator[tuple[str, str, str]]:
    """Name and version of every pin, and the lines below it."""
    for name, version, rest in ENTRY.findall((ROOT / path).read_text(encoding="utf-8")):
        yield canonicalize_name(name), version, rest


def wanted(extras: list[str]) -> dict[str, list[Requirement]]:
    """What a lock with these extras has to hold, by name."""
    optional = PROJECT["optional-dependencies"]
    found: dict[str, list[Requirement]] = {}
    for text in [*PROJECT["dependencies"], *(text for extra in extras for text in optional[extra])]:
        found.setdefault(canonicalize_name(Requirement(text).name), []).append(Requirement(text))
    return found


def test_every_file_is_one_that_is_made() -> None:
    assert {f"requirements/{path.name}" for path in (ROOT / "requirements").iterdir()} == set(LOCKS)


@pytest.mark.parametrize("path", LOCKS)
def test_a_lock_pins_what_is_asked_for_and_nothing_that_no_longer_is(path: str) -> None:
    asked = wanted(LOCKS[path])
    pinned = {name: version for name, version, rest in entries(path) if DIRECT in rest}
    assert set(pinned) == set(asked), "run make lock"
    assert not [
        f"{name} {pinned[name]} is not {requirement.specifier}"
        for name, requirements in asked.items()
        for requirement in requirements
        if not requirement.specifier.contains(pinned[name], prereleases=True)
    ]


@pytest.mark.parametrize("path", LOCKS)
def test_every_pin_has_its_hashes_and_none_says_where_it_was_found(path: str) -> None:
    pins = list(entries(path))
    assert pins
    assert not [name for name, _, rest in pins if "--hash=sha256:" not in rest]
    assert "://" not in (ROOT / path).read_text(encoding="utf-8")


def test_locks_agree_on_versions() -> None:
    versions: dict[str, set[str]] = {}
    for path in LOCKS:
        for name, version, _ in entries(path):
            versions.setdefault(name, set()).add(version)
    conditional = {name for path in LOCKS for name, _, rest in entries(path) if rest.startswith(" ;")}
    assert not {name: found for name, found in versions.items() if len(found) > 1 and name not in conditional}
