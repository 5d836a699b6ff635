from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cutgate.jobs.spec import Precision
from cutgate.worker.__main__ import main
from cutgate.worker.commands.bench import CHOICES, DEFAULT, Choice, Finding, Timing, report
from cutgate.worker.machine.cpu import Processor
from cutgate.worker.settings import EngineName, NetworkSettings
from tests.pictures.tiny_network import write_tiny_model

PROCESSOR = Processor(name="Some Processor", x86=True, features=frozenset({"avx512_vnni", "avx512_bf16"}))
TIMING = Timing(
    engine="onnxruntime 1.31.1",
    provider="CPUExecutionProvider",
    dtype="fp32",
    load_seconds=0.5,
    run_seconds=0.8,
    cpu_seconds=1.6,
    resident_bytes=1400 * 2**20,
)
OPENVINO = Choice(engine=EngineName.OPENVINO, precision=Precision.EXACT)
FAST = Choice(engine=EngineName.OPENVINO, precision=Precision.FAST)


def timed(choice: Choice, run_seconds: float) -> Finding:
    return Finding(choice=choice, timing=replace(TIMING, run_seconds=run_seconds))


def test_every_engine_and_precision_is_a_choice() -> None:
    assert len(CHOICES) == 4
    assert DEFAULT in CHOICES


def test_the_table() -> None:
    lines = report([timed(DEFAULT, 0.8), timed(OPENVINO, 0.4), Finding(choice=FAST, reason="no table")], PROCESSOR)
    assert lines[0] == "processor: Some Processor; no AMX"
    assert " ".join(lines[2].split()) == "onnxruntime 1.31.1 exact fp32 800.0 1.00 1600.0 0.50 1400"
    assert lines[3].split()[4:6] == ["400.0", "0.50"]
    assert lines[4].split(maxsplit=2) == ["openvino", "fast", "cannot be had: no table"]
    assert lines[5:] == ["recommended: CUTGATE_ENGINE=openvino CUTGATE_PRECISION=exact"]


@pytest.mark.parametrize(
    ("seconds", "advice"),
    [
        ({DEFAULT: 1.0, OPENVINO: 0.98}, ["recommended: CUTGATE_ENGINE=onnxruntime CUTGATE_PRECISION=exact"]),
        ({OPENVINO: 0.5}, ["recommended: CUTGATE_ENGINE=openvino CUTGATE_PRECISION=exact"]),
        (
            {DEFAULT: 1.0, OPENVINO: 0.5, FAST: 0.3},
            [
                "recommended: CUTGATE_ENGINE=openvino CUTGATE_PRECISION=exact",
                "60% of its time, where hard photos may differ: CUTGATE_ENGINE=openvino CUTGATE_PRECISION=fast",
            ],
        ),
        ({}, ["nothing can be recommended: no engine runs this model"]),
    ],
)
def test_the_advice(seconds: dict[Choice, float], advice: list[str]) -> None:
    findings = [timed(choice, needed) for choice, needed in seconds.items()]
    assert report(findings, PROCESSOR)[2 + len(findings) :] == advice


def test_the_command_measures_and_names_what_cannot_be_had(
    tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_tiny_model(tiny_settings.models_dir, "other")
    for name, value in {"MODEL": "other", "MODELS_DIR": tiny_settings.models_dir, "CACHE_DIR": tmp_path}.items():
        monkeypatch.setenv(f"CUTGATE_{name}", str(value))
    result = CliRunner().invoke(main, ["doctor", "--bench", "--rounds", "2"])
    assert result.exit_code == 0, result.output
    rows = result.stdout.splitlines()[2:6]
    assert [row.split()[0] for row in rows] == ["onnxruntime", "openvino", "onnxruntime", "openvino"]
    assert all("cannot be had: other has no table of activation ranges" in row for row in rows[2:])
    for row in rows[:2]:
        assert 0 < float(row.split()[5]) < 100
        assert float(row.split()[-1]) > 20
    assert "recommended: CUTGATE_ENGINE=" in result.stdout
