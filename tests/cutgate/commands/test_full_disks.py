"""A full disk, the service's or the caller's own: it is told at once, once, and with what to do."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from cutgate.batches.journal import JOURNAL_NAME
from cutgate.jobs.blobs.file import FileBlobStore
from tests.cutgate.conftest import Service, served, working
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


def test_what_a_service_whose_disk_is_full_says_is_told_once_while_it_is_asked_again(
    disk: SmallDisk, photos: list[Path], tmp_path: Path
) -> None:
    store = FileBlobStore(disk.root / "blobs")
    with served(store, least_free_bytes=2**16) as service, working(service, b"done"):
        disk.fill(leave_bytes=0)
        with service.start("cut", *photos, "-o", tmp_path / "out") as process:
            assert process.stderr is not None
            first = process.stderr.readline()
            disk.empty()
            printed, said = process.communicate(timeout=60)
    assert re.fullmatch(rf"{AGAIN}the disk of the pictures is full.*\n", first), first
    assert (process.returncode, len(printed.splitlines()), said) == (0, 3, "3 saved.\n")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_refusal_that_passes_is_told_to_people_and_not_to_programs(
    worked_service: Service, photos: list[Path], tmp_path: Path, as_json: bool
) -> None:
    with flaky(worked_service.url, [Fault.UNAVAILABLE, Fault.NONE]) as proxy:
        service = replace(worked_service, url=proxy.url)
        options = ["--json"] if as_json else []
        result = service.run("cut", photos[0], "-o", tmp_path / "out.png", *options)
    assert result.exit_code == 0, result.output
    refused = rf"{AGAIN}no usable answer from {proxy.url}/?: HTTP 503"
    lines = rf"{refused} with a body that is not PICPIK's\n({refused} for the result\n)?"
    assert re.fullmatch("" if as_json else lines, result.stderr), result.stderr


def test_the_result_is_named_where_the_callers_own_disk_is_full(
    worked_service: Service, disk: SmallDisk, photos: list[Path]
) -> None:
    disk.fill(leave_bytes=0)
    target = disk.root / "cutout.png"
    result = worked_service.run("cut", photos[0], "-o", target)
    assert (result.exit_code, result.stderr) == (1, f"Error: {photos[0]}: {target} {FULL}; {ADVICE}\n")
    result = worked_service.run("cut", photos[0], "-o", target, "--json")
    error = json.loads(result.stdout.splitlines()[0])["error"]
    assert error == {"code": "OutputFull", "message": f"{target} {FULL}", "advice": ADVICE}
    assert not target.exists()


def test_a_folder_whose_journal_has_no_room_is_told(
    worked_service: Service, disk: SmallDisk, photos: list[Path]
) -> None:
    out = disk.root / "out"
    assert worked_service.run("cut", *photos, "-o", out).exit_code == 0
    with suppress(OSError):  # as far as there is room
        disk.fill(leave_bytes=0)
    result = worked_service.run("cut", *photos, "-o", out, "--json")
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"], error["advice"]) == (1, "OutputFull", ADVICE)
    assert error["message"] == f"{out / JOURNAL_NAME} {FULL}"


def test_a_folder_on_a_full_disk_is_gone_on_with_once_there_is_room(
    worked_service: Service, disk: SmallDisk, photos: list[Path]
) -> None:
    out = disk.root / "out"
    disk.fill(leave_bytes=0)
    result = worked_service.run("cut", *photos, "-o", out)
    said = {f"Error: {path}: {out / path.stem}.png {FULL}; {ADVICE}" for path in photos}
    assert (result.exit_code, set(result.stderr.splitlines())) == (1, {*said, "0 saved, 3 failed."})
    disk.empty()
    result = worked_service.run("cut", *photos, "-o", out)
    assert (result.exit_code, result.stderr) == (0, "3 saved.\n"), result.output
    assert {path.name for path in out.iterdir()} == {"a.png", "b.png", "c.png", JOURNAL_NAME}
