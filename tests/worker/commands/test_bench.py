"""`doctor --bench`: every engine and precision timed, a recommendation, and none that is not exact."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from cutgate.jobs.spec import Precision
from cutgate.worker.__main__ import main
from cutgate.worker.commands import bench
from cutgate.worker.commands.bench import (
    MOST_LEVELS,
    SETUPS,
    Finding,
    Setup,
    Timing,
    default_setup,
    report,
    why_not_exact,
)
from cutgate.worker.machine.cpu import Processor, this_processor
from cutgate.worker.settings import EngineName, NetworkSettings
from tests.pictures.tiny_network import SIDE_PX, network, write_tiny_model

PROCESSOR = Processor(name="Some Processor", x86=True, features=frozenset({"avx512_vnni", "avx512_bf16"}))
TIMING = Timing(
    engine="onnxruntime 1.31.1",
    dtype="fp32",
    load_seconds=0.5,
    run_seconds=0.8,
    cpu_seconds=1.6,
    resident_bytes=1400 * 2**20,
    mask=np.zeros((1, 1), np.uint8),
)
PLAIN = Setup(engine=EngineName.ONNXRUNTIME, precision=Precision.EXACT)
OPENVINO = Setup(engine=EngineName.OPENVINO, precision=Precision.EXACT)
FAST = Setup(engine=EngineName.OPENVINO, precision=Precision.FAST)


def timed(setup: Setup, run_seconds: float, refused: str = "") -> Finding:
    return Finding(setup=setup, timing=replace(TIMING, run_seconds=run_seconds), refused=refused)


def test_the_default_is_one_of_the_setups(tiny_settings: NetworkSettings) -> None:
    assert len(SETUPS) == 8
    assert default_setup(tiny_settings, PROCESSOR) == OPENVINO
    assert default_setup(tiny_settings, replace(PROCESSOR, features=frozenset())) == PLAIN


def test_the_table() -> None:
    found = [
        timed(PLAIN, 0.8),
        timed(OPENVINO, 0.4, "not exact: far off"),
        Finding(setup=FAST, refused="no table"),
    ]
    lines = report(found, PLAIN, PROCESSOR)
    assert lines[0] == "processor: Some Processor; no AMX"
    assert " ".join(lines[2].split()) == "onnxruntime 1.31.1 exact fp32 800.0 1.00 1600.0 0.50 1400"
    assert lines[3].split()[4:6] == ["400.0", "0.50"]
    assert lines[3].endswith("1400  not exact: far off")
    assert lines[4].split(maxsplit=2) == ["openvino", "fast", "cannot be had: no table"]
    assert lines[5:] == [f"recommended: {PLAIN.variables()}, which is the default here"]


@pytest.mark.parametrize(
    ("findings", "advice"),
    [
        (
            [timed(PLAIN, 1.0), timed(OPENVINO, 0.98)],
            [f"recommended: {PLAIN.variables()}, which is the default here"],
        ),
        ([timed(OPENVINO, 0.5)], ["recommended: CUTGATE_ENGINE=openvino CUTGATE_PRECISION=exact"]),
        (
            [timed(PLAIN, 1.0), timed(OPENVINO, 0.5), timed(FAST, 0.3)],
            [
                "recommended: CUTGATE_ENGINE=openvino CUTGATE_PRECISION=exact",
                "60% of its time, where hard photos may differ: CUTGATE_ENGINE=openvino CUTGATE_PRECISION=fast",
            ],
        ),
        ([], ["nothing can be recommended: no engine runs this model"]),
    ],
)
def test_the_advice(findings: list[Finding], advice: list[str]) -> None:
    assert report(findings, PLAIN, PROCESSOR)[2 + len(findings) :] == advice


def test_what_counts_as_exact() -> None:
    reference = np.full((10, 10), 100, np.uint8)
    one = reference.copy()
    one[3, 3] += MOST_LEVELS
    assert why_not_exact(one, reference) == ""
    one[3, 3] += 1
    assert why_not_exact(one, reference) == "not exact: 0.1 levels of 255 off on average, 13 at most"
    assert why_not_exact(one[::-1], one) != ""
    assert why_not_exact(reference - 1, reference) == "not exact: 1.0 levels of 255 off on average, 1 at most"


STEEP = network(
    f"""
    steep (float[1, 3, {SIDE_PX}, {SIDE_PX}] input) => (float[1, 1, {SIDE_PX}, {SIDE_PX}] mask)
    <float[1, 3, 1, 1] weight = {{-900.0, -900.0, -900.0}}, float[1] bias = {{1350.0}}> {{
        odds = Conv (input, weight, bias)
        mask = Sigmoid (odds)
    }}
    """
)
"""A network whose map turns over within less than what bfloat16 tells apart."""


def test_the_command(tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what cannot be had, and recommends nothing that is too coarse."""
    write_tiny_model(tiny_settings.models_dir, "steep")
    onnx.save(STEEP, tiny_settings.models_dir / "steep.onnx")
    settings = {"MODEL": "steep", "MODELS_DIR": tiny_settings.models_dir, "CACHE_DIR": tiny_settings.cache_dir}
    for name, value in settings.items():
        monkeypatch.setenv(f"CUTGATE_{name}", str(value))
    # A process of its own for the first setup alone: each takes seconds to start.
    ways = iter([bench._apart])
    monkeypatch.setattr(bench, "_apart", lambda settings: next(ways, bench.measure)(settings))
    result = CliRunner().invoke(main, ["doctor", "--bench", "--rounds", "2"])
    assert result.exit_code == 0, result.output
    _, _, *rows, advice = result.stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["onnxruntime", "openvino", "onnxruntime", "openvino"]
    assert all("cannot be had: steep has no table of activation ranges" in row for row in rows[2:])
    for row in rows[:2]:
        assert 0 < float(row.split()[5]) < 100
        assert float(row.split()[8]) > 20
    if this_processor().has_bf16:
        assert " bf16 " in rows[1]
        assert "not exact: " in rows[1]
        assert advice == f"recommended: {PLAIN.variables()}"
