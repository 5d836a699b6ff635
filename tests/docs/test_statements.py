"""What pages say in figures and names is what other pages measured, and where the code has it."""

import re

import pytest

from tests.test_layers import ROOT, own_modules

QUESTION = re.compile(r"^- Where .+\? `(.+)`, `(\w+)`$", re.MULTILINE)


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def figures(pattern: str, text: str) -> tuple[str, ...]:
    """The figures that one place of a page gives; line breaks count as spaces."""
    found = re.search(pattern, re.sub(r"\s+", " ", text))
    assert found is not None, pattern
    return found.groups()


def test_the_readmes_figures_are_those_that_were_measured() -> None:
    readme = page("README.md")
    quality, speed = (page(f"benchmarks/results/{name}.md") for name in ("quality", "speed"))
    subjects, sad, low, high, photos, tuned = figures(
        r"composites with exact alpha, one for each of (\d+) subjects, .* is ([\d.]+) of that of .* interval"
        r" ([\d.]+) to ([\d.]+)\)\. On (\d+) photos that were also used for tuning it is ([\d.]+)\.",
        readme,
    )
    row = rf"matting, on one composite of each subject .*?\| all \| {subjects} \| ([\d.]+) \[([\d.]+), ([\d.]+)\]"
    assert figures(row, quality) == (sad, low, high)
    assert figures(rf"over rembg with alpha matting: .*?\| all \| {photos} \| ([\d.]+) \[", quality) == (tuned,)

    fp32, fp32_seconds, bf16, bf16_seconds = figures(
        r"takes ([\d.]+) times the network's own time in fp32 \(([\d.]+) s\) and ([\d.]+) times in bf16"
        r" \(([\d.]+) s\)",
        readme,
    )
    row = r"{} exact \({}\), 1 MP(?: portrait)?: \w+ auto \| ≤ \S+ \| ([\d.]+) \| [\w ]+ \| ([\d.]+) /"
    assert figures(row.format("onnxruntime", "fp32"), speed) == (fp32, fp32_seconds)
    assert figures(row.format("openvino", "bf16"), speed) == (bf16, bf16_seconds)


def test_each_question_of_the_architecture_is_answered_by_its_file() -> None:
    answers = QUESTION.findall(page("docs/architecture.md"))
    assert len(answers) >= 10
    wrong = [
        (path, name)
        for path, name in answers
        if not re.search(rf"\b{name}\b", page(path) if (ROOT / path).is_file() else "")
    ]
    assert wrong == []


def test_the_tree_of_the_architecture_names_every_folder() -> None:
    tree = page("docs/architecture.md").partition("## The tree")[2].split("```")[1]
    folders = {name for path in own_modules().values() for name in path.parent.relative_to(ROOT).parts[:2]}
    assert {name for name in folders if f"{name}/" not in tree} == set()
    every = {name for path in own_modules().values() for name in path.parent.relative_to(ROOT).parts}
    assert set(re.findall(r"\b([a-z0-9_]+)/", tree)) - every == {"lua"}


def test_the_ledgers_memory_is_what_a_finished_task_takes() -> None:
    """`test_a_finished_task_takes_a_kilobyte` holds the ledger to the kilobyte."""
    rate, mebibytes = figures(r"(\d+) tasks a second, kept for a day, take (\d+) MiB", page("docs/production.md"))
    assert int(mebibytes) == pytest.approx(int(rate) * 86_400 / 1_024, rel=0.01)
