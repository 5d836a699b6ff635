"""Tests of a tenth of `make hostile`, and that it finds the harm that it looks for."""

import io
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.hostile.judgement import SMALL_GROWTH_BYTES, Findings
from tests.hostile.pictures import bombs
from tests.hostile.pictures.seeds import seeds, with_check_sums
from tests.hostile.plan import INPUTS, PLAN, run
from tests.hostile.planted import FAULTS, ROOT, Planted, plant
from tests.hostile.trials import Trial, judged

SEED = int(os.environ["CUTGATE_TEST_SEED"])


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_tenth_of_the_plan_does_no_harm() -> None:
    faults = [
        f"{ended.campaign.name}: {fault}"
        for ended in run(INPUTS // 10, SEED)
        for fault in ended.findings.told()
        if not fault.startswith("/healthz took")  # also where the machine is busy with other tests
    ]
    assert not faults, f"python -m tests.hostile --inputs {INPUTS // 10} --seed {SEED}"


def make_number(_chance: Any, number: int) -> bytes:
    return number.to_bytes(1)


def misbehave(value: bytes) -> None:
    """Do each harm once."""
    if value == b"\1":
        raise KeyError("not handled")
    if value == b"\2":
        os.abort()
    if value == b"\3":
        bytearray(SMALL_GROWTH_BYTES + 2**20)
    if value == b"\4":
        raise ValueError("told")


@pytest.mark.long
def test_what_raises_dies_or_takes_memory_is_found_and_the_rest_goes_on() -> None:
    trial = Trial(name="harm", make=make_number, enter=misbehave, refusals=(ValueError,))
    findings = Findings()
    findings.add_all(outcome for _, outcome in judged([(trial, number) for number in range(8)], seed=1))
    assert findings.inputs == 8
    assert findings.refused == 1
    assert set(findings.faults) == {
        "KeyError in test_hostile.py, misbehave",
        "the process died: SIGABRT",
        "an input took more than 512 MiB",
    }
    assert sorted(findings.numbers) == [1, 2, 3]


SMALL_PX = (64, 48)


@pytest.mark.parametrize(
    "make",
    [
        partial(bombs.jpeg_scans, SMALL_PX, "RGB", 5),
        partial(bombs.tiff_tile, SMALL_PX, (64, 64)),
        partial(bombs.tiff_strips, SMALL_PX, 48, 1),
        partial(bombs.tiff_tags, 3, 10, 0),
        partial(bombs.png, SMALL_PX, colour=6, bits=16, interlaced=True),
        partial(bombs.png_text, b"zTXt", 2, 1_000),
        partial(bombs.png_frames, 1, SMALL_PX),
        partial(bombs.gif, SMALL_PX, (1, 1), 2),
        partial(bombs.webp_canvas, SMALL_PX, 2),
        partial(bombs.iso_boxes, "avif", 3, b"skip"),
    ],
    ids=lambda make: make.func.__name__,
)
def test_bombs_are_pictures_in_small(make: Any) -> None:
    """They are refused for what they cost, not for a mistake in how they were made."""
    with Image.open(io.BytesIO(make())) as picture:
        picture.load()


def test_seeds_are_sound_and_keep_their_check_sums() -> None:
    for data in seeds().values():
        assert with_check_sums(data) == data
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_faults_can_still_be_planted(fault: Planted, tmp_path: Path) -> None:
    for path, _, _ in fault.changes:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    plant(fault, tmp_path)
    assert any(fault.campaign in campaign.name for campaign, _ in PLAN)
