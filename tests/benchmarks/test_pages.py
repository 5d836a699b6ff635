from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.machine import conditions
from benchmarks.pages import NoSuchPart, table, write_part

PAGE = """# Figures

<!-- quality: written by a program -->
old
<!-- end of quality -->

What is still wrong: words.

<!-- speed: written by a program -->
<!-- end of speed -->
"""


def test_a_table_has_its_columns_in_line() -> None:
    assert table(["Photo", "SAD"], [["a", "1.5"], ["longer name", "120.0"]]) == (
        "| Photo       |   SAD |\n| ----------- | ----: |\n| a           |   1.5 |\n| longer name | 120.0 |"
    )


def test_a_long_cell_sticks_out() -> None:
    lines = table(["Photo", "SAD"], [["a", "x" * 100], ["b", "1.5"]]).splitlines()
    assert [len(line) for line in lines] == [15, 15, 112, 15]


def test_a_part_is_replaced_and_the_prose_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    write_part(page, "quality", "new − table")
    write_part(page, "quality", "newer − table")
    text = page.read_text(encoding="utf-8")
    before, after = PAGE.split("old")
    assert text == f"{before}\nnewer − table\n{after}"


@pytest.mark.parametrize(
    "page_text", ["", PAGE.replace("<!-- end of quality -->", ""), PAGE.replace("quality", "x")]
)
def test_a_page_without_both_markers_is_left_alone(page_text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(page_text, encoding="utf-8")
    with pytest.raises(NoSuchPart, match=r"page\.md has no lines `<!-- quality"):
        write_part(page, "quality", "new")
    assert page.read_text(encoding="utf-8") == page_text


def test_conditions_name_machine_libraries_and_command() -> None:
    text = conditions(["python", "-m", "benchmarks.speed", "--only", "two words"])
    assert "`python -m benchmarks.speed --only 'two words'`" in text
    assert "processors used" in text
    assert "onnxruntime " in text
