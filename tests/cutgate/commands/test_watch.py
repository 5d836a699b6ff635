"""`cutgate watch` as a process: files that appear, grow and move, a service that goes away, Ctrl-C and kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cutgate.batches.journal import JOURNAL_NAME
from cutgate.batches.watching import FIRST_PAUSE_SECONDS, Arrivals
from tests.cutgate.conftest import Service, run
from tests.gateway.harness import ACCOUNT, PRIVATE_KEY, PUBLIC_KEY
from tests.gateway.picture_files import png
from tests.servers.flaky import Fault, flaky
from tests.waiting import eventually


@contextmanager
def watching(
    url: str, folder: Path, *options: str, private_key: str = PRIVATE_KEY
) -> Iterator[subprocess.Popen[str]]:
    command = ["watch", str(folder), "-o", str(folder / "out"), "--url", url, "--public-key", PUBLIC_KEY, "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "cutgate", *command, *options],
        env=os.environ | {"CUTGATE_PRIVATE_KEY": private_key},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def results(folder: Path) -> set[str]:
    out = folder / "out"
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} - {JOURNAL_NAME}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def test_files_that_are_there_appear_grow_and_move_are_cut_out_once(worked_service: Service, folder: Path) -> None:
    (folder / "there.png").write_bytes(png())
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "moved.png").write_bytes(png())
    with watching(worked_service.url, folder) as process:
        eventually(lambda: results(folder) == {"there.png"})
        whole, growing = png(40, 40), folder / "growing.png"
        with growing.open("wb") as file:  # slower than a look, quicker than a file settles
            for byte in range(0, len(whole), 10):
                file.write(whole[byte : byte + 10])
                file.flush()
                time.sleep(0.1)
        (folder / ".hidden.png").write_bytes(png())
        (folder / "download.png.part").write_bytes(png())
        (folder / "download.png.part").rename(folder / "download.png")
        elsewhere.rename(folder / "summer")
        eventually(lambda: len(results(folder)) == 4)
        time.sleep(1.5)  # what it wrote itself would be taken by now
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (0, "")
    assert results(folder) == {"there.png", "growing.png", "download.png", "summer/moved.png"}
    assert [json.loads(line)["state"] for line in printed.splitlines()] == ["saved"] * 4
    assert worked_service.gateway.store.booked(ACCOUNT) == 4


def test_pictures_wait_while_the_service_is_away(worked_service: Service, folder: Path) -> None:
    (folder / "a.png").write_bytes(png())
    with flaky(worked_service.url, [Fault.NONE]) as proxy:
        proxy.away.set()
        with watching(proxy.url, folder, "--once") as process:
            assert process.stdout is not None
            waiting = json.loads(process.stdout.readline())["waiting"]
            proxy.away.clear()
            printed, _ = process.communicate(timeout=30)
    assert (waiting["pictures"], waiting["error"]["code"]) == (1, "TransportError")
    assert (process.returncode, json.loads(printed)["state"], results(folder)) == (0, "saved", {"a.png"})


def test_a_watch_that_was_killed_is_gone_on_with(service: Service, folder: Path) -> None:
    (folder / "a.png").write_bytes(png())
    with watching(service.url, folder) as process:
        eventually(lambda: service.gateway.store.waiting(service.gateway.lane) == 1)
        process.kill()
    service.gateway.finish_one(b"done")
    with watching(service.url, folder, "--once") as process:
        printed, _ = process.communicate(timeout=20)
    assert (process.returncode, json.loads(printed)["state"]) == (0, "saved")
    assert service.gateway.store.booked(ACCOUNT) == 1


def test_ctrl_c_waits_for_what_runs(service: Service, folder: Path) -> None:
    (folder / "a.png").write_bytes(png())
    with watching(service.url, folder) as process:
        eventually(lambda: service.gateway.store.waiting(service.gateway.lane) == 1)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        service.gateway.finish_one(b"done")
        printed, _ = process.communicate(timeout=10)
    assert (process.returncode, json.loads(printed)["state"], results(folder)) == (0, "saved", {"a.png"})


def test_a_bad_picture_and_a_wrong_key(worked_service: Service, folder: Path) -> None:
    (folder / "bad.png").write_text("no picture")
    with watching(worked_service.url, folder, "--once") as process:
        printed, _ = process.communicate(timeout=20)
    line = json.loads(printed)
    assert (process.returncode, line["state"], line["error"]["code"]) == (1, "failed", 230)
    with watching(worked_service.url, folder, "--once", private_key="wrong") as process:
        printed, _ = process.communicate(timeout=20)
    assert (process.returncode, json.loads(printed)["error"]["code"]) == (1, 171)


def test_results_need_a_folder_of_their_own(folder: Path) -> None:
    result = run("watch", folder, "-o", folder)
    assert (result.exit_code, "a folder of their own" in result.stderr) == (2, True)


def test_a_file_settles_and_is_given_once(tmp_path: Path) -> None:
    path, arrivals = tmp_path / "a.png", Arrivals()
    path.write_bytes(b"1")
    arrivals.add([path, tmp_path / "gone.png", tmp_path])
    assert [*arrivals.whole(10)] == []
    path.write_bytes(b"12")
    assert [*arrivals.whole(11)] == []
    assert [*arrivals.whole(11.9)] == []
    assert [*arrivals.whole(12)] == [path]
    assert not arrivals


def test_pauses_grow_until_the_service_is_there_again(tmp_path: Path) -> None:
    path, arrivals = tmp_path / "a.png", Arrivals()
    path.touch()
    assert [arrivals.put_back([path], 0) for _ in range(5)] == [2, 4, 8, 16, 32]
    assert [*arrivals.whole(32)] == []
    assert [*arrivals.whole(33)] == [path]
    arrivals.reached()
    assert arrivals.put_back([path], 0) == FIRST_PAUSE_SECONDS
