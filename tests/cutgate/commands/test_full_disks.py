"""Services that refuse for a while, and full disks of callers: told at once, once, with what to do."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from cutgate.batches.journal import JOURNAL_NAME
from tests.cutgate.conftest import Service
from tests.servers.flaky import Fault, flaky
from tests.servers.small_disk import SmallDisk, small_disk

pytestmark = pytest.mark.usefixtures("bare_environment")

AGAIN = r"Trying again for 1[12]\d s at most: "
FULL = "cannot be written: No space left on device"
ADVICE = "make room, or choose another output"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.mark.parametrize("as_json", [False, True])
def test_a_refusal_that_passes_is_told_once_and_to_people_alone(
    worked_service: Service, photos: list[Path], tmp_path: Path, as_json: bool
) -> None:
    with flaky(worked_service.url, [Fault.UNAVAILABLE] * 3 + [Fault.NONE] * 99) as proxy:
        service, options = replace(worked_service, url=proxy.url), ["--json"] if as_json else []
        result = service.run("cut", *photos, "-o", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    refused = rf"{AGAIN}no usable answer from {proxy.url}/?: HTTP 503 with a body that is not PICPIK's"
    assert re.fullmatch("" if as_json else rf"{refused}\n3 saved.\n", result.stderr), result.stderr


def test_a_full_disk_of_the_callers_is_named(worked_service: Service, disk: SmallDisk, photos: list[Path]) -> None:
    disk.fill(leave_bytes=0)
    target = disk.root / "cutout.png"
    result = worked_service.run("cut", photos[0], "-o", target)
    assert (result.exit_code, result.stderr) == (1, f"Error: {photos[0]}: {target} {FULL}; {ADVICE}\n")
    result = worked_service.run("cut", photos[0], "-o", target, "--json")
    error = json.loads(result.stdout.splitlines()[0])["error"]
    assert error == {"code": "OutputFull", "message": f"{target} {FULL}", "advice": ADVICE}
    assert not target.exists()


def test_a_journal_without_room_is_told(worked_service: Service, disk: SmallDisk, photos: list[Path]) -> None:
    out = disk.root / "out"
    assert worked_service.run("cut", *photos, "-o", out).exit_code == 0
    with suppress(OSError):  # as far as there is room
        disk.fill(leave_bytes=0)
    result = worked_service.run("cut", *photos, "-o", out, "--json")
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"], error["advice"]) == (1, "OutputFull", ADVICE)
    assert error["message"] == f"{out / JOURNAL_NAME} {FULL}"


def test_a_folder_goes_on_once_there_is_room(worked_service: Service, disk: SmallDisk, photos: list[Path]) -> None:
    out = disk.root / "out"
    disk.fill(leave_bytes=0)
    result = worked_service.run("cut", *photos, "-o", out)
    said = {f"Error: {path}: {out / path.stem}.png {FULL}; {ADVICE}" for path in photos}
    assert (result.exit_code, set(result.stderr.splitlines())) == (1, {*said, "0 saved, 3 failed."})
    disk.empty()
    result = worked_service.run("cut", *photos, "-o", out)
    assert (result.exit_code, result.stderr) == (0, "3 saved.\n"), result.output
    assert {path.name for path in out.iterdir()} == {"a.png", "b.png", "c.png", JOURNAL_NAME}
