"""docs/benchmarks.md has a place for everything that the benchmarks write."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.pages import write_part
from benchmarks.quality.__main__ import PART
from benchmarks.speed.__main__ import TITLES, main, part_of

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


@pytest.mark.parametrize("part", [PART, *map(part_of, TITLES)])
def test_the_page_has_the_part(part: str, tmp_path: Path) -> None:
    page = tmp_path / PAGE.name
    shutil.copy(PAGE, page)
    write_part(page, part, "| a |")
    assert "| a |" in page.read_text(encoding="utf-8")


def test_a_run_whose_end_has_no_place_does_not_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    assert main(["--only", "job", "--write", str(page)]) == 2
    page.touch()
    assert main(["--only", "job", "--write", str(page)]) == 2
    said = capsys.readouterr().err
    assert "No such file" in said
    assert "has no lines `<!-- speed, job" in said
