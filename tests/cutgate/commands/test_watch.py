"""`cutgate watch` as a process: files that appear and move, a service that goes away, Ctrl-C and kills."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from cutgate.batches.journal import JOURNAL_NAME
from cutgate.commands.watch import FIRST_PAUSE_SECONDS, Arrivals
from tests.cutgate.conftest import Service, run
from tests.gateway.harness import ACCOUNT
from tests.gateway.picture_files import png
from tests.servers.flaky import Fault, flaky
from tests.waiting import PATIENCE_SECONDS, eventually


@contextmanager
def watching(service: Service, folder: Path, *options: str) -> Iterator[Popen[str]]:
    with service.start("watch", folder, "-o", folder / "out", *options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def watched(service: Service, folder: Path, **options: str) -> tuple[int | None, dict[str, Any]]:
    """What one look gives: the exit code, and the only line."""
    result = service.run("watch", folder, "-o", folder / "out", "--once", "--json", **options)
    line: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, line


def results(folder: Path) -> set[str]:
    out = folder / "out"
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} - {JOURNAL_NAME}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def test_files_that_are_there_appear_and_move_are_cut_out_once(worked_service: Service, folder: Path) -> None:
    (folder / "there.png").write_bytes(png())
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "moved.png").write_bytes(png())
    with watching(worked_service, folder, "--json") as process:
        eventually(lambda: results(folder) == {"there.png"})
        (folder / ".hidden.png").write_bytes(png())
        (folder / "download.png.part").write_bytes(png())
        (folder / "download.png.part").rename(folder / "download.png")
        elsewhere.rename(folder / "summer")
        eventually(lambda: len(results(folder)) == 3)
        time.sleep(1.5)  # what it wrote itself would be taken by now
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, said) == (130, "")
    assert results(folder) == {"there.png", "download.png", "summer/moved.png"}
    assert [json.loads(line)["state"] for line in printed.splitlines()] == ["saved"] * 3
    assert worked_service.gateway.store.booked(ACCOUNT) == 3


@pytest.mark.usefixtures("quick_watch")
@pytest.mark.parametrize("as_json", [True, False])
def test_pictures_wait_while_the_service_is_away(worked_service: Service, folder: Path, as_json: bool) -> None:
    (folder / "a.png").write_bytes(png())
    options = ["--json"] if as_json else []
    with flaky(worked_service.url, [Fault.REFUSED] + [Fault.NONE] * 99) as proxy:
        away = replace(worked_service, url=proxy.url)
        result = away.run("watch", folder, "-o", folder / "out", "--once", *options)
    assert (result.exit_code, results(folder)) == (0, {"a.png"})
    if as_json:
        waiting, saved = map(json.loads, result.stdout.splitlines())
        assert (waiting["waiting"]["pictures"], waiting["waiting"]["error"]["code"]) == (1, "TransportError")
        assert saved["state"] == "saved"
    else:
        assert result.stderr.startswith("1 pictures wait for 0 s: no usable answer from ")
        assert result.stdout == f"{(folder / 'out' / 'a.png').resolve()}\n"


@pytest.mark.usefixtures("quick_watch")
def test_a_watch_that_was_killed_is_gone_on_with(service: Service, folder: Path) -> None:
    (folder / "a.png").write_bytes(png())
    with watching(service, folder) as process:
        eventually(lambda: service.gateway.store.waiting(service.gateway.lane) == 1)
        process.kill()
    service.gateway.finish_one(b"done")
    code, line = watched(service, folder)
    assert (code, line["state"], service.gateway.store.booked(ACCOUNT)) == (0, "saved", 1)


def test_ctrl_c_waits_for_what_runs(service: Service, folder: Path) -> None:
    (folder / "a.png").write_bytes(png())
    with watching(service, folder, "--json") as process:
        eventually(lambda: service.gateway.store.waiting(service.gateway.lane) == 1)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        service.gateway.finish_one(b"done")
        printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, json.loads(printed)["state"], results(folder)) == (130, "saved", {"a.png"})


@pytest.mark.usefixtures("quick_watch")
def test_a_bad_picture_and_a_wrong_key(worked_service: Service, folder: Path) -> None:
    (folder / "bad.png").write_text("no picture")
    code, line = watched(worked_service, folder)
    assert (code, line["state"], line["error"]["code"]) == (1, "failed", 230)
    code, line = watched(worked_service, folder, private_key="wrong")
    assert (code, line["error"]["code"]) == (1, 171)


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


@pytest.mark.usefixtures("quick_watch")
def test_watch_names_a_picture_whose_result_has_anothers_name(worked_service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "out").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(png())
    (folder / "c.jpg").write_bytes(png())
    entry = {"target": "a.png", "name": "a.png", "fingerprint": "", "request_uuid": "", "state": "saved"}
    (folder / "out" / JOURNAL_NAME).write_text(f"{json.dumps(entry)}\n")
    (folder / "out" / "a.jpg.png").touch()
    entry |= {"target": "a.jpg.png", "name": "b"}
    with (folder / "out" / JOURNAL_NAME).open("a") as journal:
        journal.write(f"{json.dumps(entry)}\n")
    result = worked_service.run("watch", folder, "-o", folder / "out", "--once")
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith(f"Error: {(folder / 'a.jpg').resolve()}: ")
    assert "another one's result; choose another output" in result.stderr
    assert result.stdout == f"{(folder / 'out' / 'c.png').resolve()}\n"
