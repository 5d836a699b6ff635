"""docs/benchmarks.md has a place for everything that the benchmarks write."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.pages import write_part
from benchmarks.quality.__main__ import PART
from benchmarks.speed.__main__ import TITLES

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


@pytest.mark.parametrize("part", [PART, *(f"speed, {section}" for section in TITLES)])
def test_the_page_has_the_part(part: str, tmp_path: Path) -> None:
    page = tmp_path / PAGE.name
    shutil.copy(PAGE, page)
    write_part(page, part, "| a |")
    assert "| a |" in page.read_text(encoding="utf-8")
