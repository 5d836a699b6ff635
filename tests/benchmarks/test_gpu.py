"""Pictures a second by engine and processors: the table, its last line, and a run on this machine's processors."""

import os
from pathlib import Path

import pytest

from benchmarks.gpu.__main__ import PART, as_text, limit, main
from benchmarks.gpu.paces import Pace, apart
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.settings import EngineName, NetworkSettings
from tests.pictures.tiny_network import tiny_environment

PACES = {1: Pace(2.5, 28.0), 2: Pace(5.0, 30.0), 4: Pace(27.0, 29.0)}


@pytest.mark.parametrize(
    ("paces", "processors"),
    [
        (PACES, "4"),
        ({**PACES, 2: Pace(27.1, 30.0)}, "2"),
        ({**PACES, 4: Pace(26.9, 29.0)}, "more than 4"),
        ({1: Pace(0.9, 1.0)}, "1"),
    ],
)
def test_from_how_many_processors_the_network_is_the_limit(paces: dict[int, Pace], processors: str) -> None:
    assert limit(paces) == processors


def test_the_table() -> None:
    lines = as_text({"CUDA": PACES}, ["TensorRT fp16 cannot be run: no library"], [1, 2, 4]).splitlines()
    assert lines[0] == "| Pictures a second | 1 CPU | 2 CPUs | 4 CPUs | network alone |"
    assert lines[2] == "| CUDA              |  2.50 |   5.00 |  27.00 |         30.00 |"
    assert lines[-3:] == [
        "TensorRT fp16 cannot be run: no library",
        "",
        "Processors until the network is the limit: 4 (CUDA).",
    ]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in tiny_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def test_a_page_without_a_place_is_named_before_anything_runs(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--device", "cpu", "--write", str(tiny / "missing.md")]) == 2
    assert "missing.md" in capsys.readouterr().err


def test_the_processors_are_given_back(tiny: Path) -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(ModelUnavailable, match="tensorrt runs on gpu"):
        apart(NetworkSettings(engine=EngineName.TENSORRT), 1, 0.1, 1)
    assert os.sched_getaffinity(0) == before


@pytest.mark.long
@pytest.mark.needs("no gpu")
@pytest.mark.usefixtures("tiny")
def test_without_a_gpu_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[-1] == "Without a GPU, --device cpu measures the engines for processors."
    for line, name in zip(told[-4:-1], ("CUDA", "CUDA graph", "TensorRT fp16"), strict=True):
        assert line.startswith(f"{name} cannot be run: this onnxruntime has no CUDA: ")


@pytest.mark.long
def test_a_run_on_processors(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tiny / "page.md"
    page.write_text(f"<!-- {PART}: written by a program -->\n<!-- end of {PART} -->\n", encoding="utf-8")
    quick = ["--pictures", "1", "--megapixels", "0.05"]
    assert main(["--device", "cpu", *quick, "--write", str(page)]) == 0
    table = capsys.readouterr().out
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert [row.split()[1] for row in rows] == ["onnxruntime", "openvino"]
    for row in rows:
        assert all(float(cell) > 0 for cell in row.split("|")[2:-1])
    assert table.strip().splitlines()[-1].startswith("Processors until the network is the limit: ")
    assert table.strip() in page.read_text(encoding="utf-8")
