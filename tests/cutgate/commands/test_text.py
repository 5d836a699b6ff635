"""What the commands say to people: the same as `--json`, in lines that can be read and copied."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from cutgate.batches.journal import JOURNAL_NAME
from cutgate.commands.account import show_status
from cutgate.protocol.picpik import JobStatus
from tests.cutgate.conftest import Service, run
from tests.gateway.picture_files import png
from tests.pictures.tiny_network import tiny_environment

pytestmark = pytest.mark.usefixtures("bare_environment")


def said_on_a_terminal(service: Service, *arguments: str | Path) -> str:
    """What the command shows where standard error is a terminal."""
    ours, theirs = pty.openpty()
    terminal = {"TERM": "dumb", "COLUMNS": "120"}
    with service.start(*arguments, stderr=theirs, **terminal) as process:
        os.close(theirs)
        shown = bytearray()
        try:
            while some := os.read(ours, 4096):
                shown += some
        except OSError:  # the last process that had the terminal is gone
            pass
        process.wait(20)
    os.close(ours)
    return shown.decode()


def test_status_has_a_line_for_each_task_and_each_result(service: Service) -> None:
    with service.client() as client:
        first, second = client.remove_background(png()).uid, client.remove_background(png(9, 9)).uid
        service.gateway.finish_one()
        client.terminate(second)
    result = service.run("status", first, second)
    finished, url, ended = result.stdout.splitlines()
    assert (result.exit_code, finished) == (1, f"{first}  Finished")
    assert url.startswith("  http")
    assert ended == f"{second}  Error     Task terminated (code 1002)"


def test_the_state_has_its_colour_on_a_terminal() -> None:
    status = JobStatus(uid="uid", state="Running", result_urls=(), credits=0, error_code=0, error_message="")
    with CliRunner().isolation(color=True) as (shown, *_):
        show_status(status, as_json=False)
        assert shown.getvalue() == b"uid  \x1b[33mRunning \x1b[0m\n"


def test_a_summary_follows_several_pictures(worked_service: Service, photos: list[Path], tmp_path: Path) -> None:
    photos[1].write_text("no picture")
    command: list[str | Path] = ["cut", *photos, "-o", tmp_path / "out"]
    assert "2 saved, 1 failed." in said_on_a_terminal(worked_service, *command)
    photos[1].write_bytes(png(9, 9))
    assert "1 saved, 2 already there." in said_on_a_terminal(worked_service, *command)


def test_pictures_that_were_not_begun_are_counted(photos: list[Path], service: Service, tmp_path: Path) -> None:
    result = service.run("cut", *photos, "-o", tmp_path / "out", "--at-once", "1", private_key="no")
    assert result.exit_code == 1
    assert "2 pictures were not begun; the same command goes on with them.\n" in result.stderr


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


def test_doctor_says_what_to_do_about_what_the_worker_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"name": "weights", "ok": False, "detail": "they are not here", "remedy": "run models fetch"}
    monkeypatch.setattr("cutgate.commands.doctor.run_part", lambda *_, **__: {"checks": [found]})
    monkeypatch.setattr("cutgate.commands.doctor.running_environment", lambda *_: {})
    result = run("doctor", "--data", tmp_path / "data", "--port", "0")
    *_, failure, remedy = result.stdout.splitlines()
    assert (result.exit_code, failure) == (1, f"FAIL  {'worker weights':15}  they are not here")
    assert remedy.split() == ["run", "models", "fetch"]


@pytest.fixture
def tiny_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that is started here has a network that costs nothing."""
    for name, value in tiny_environment(tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.mark.long
@pytest.mark.usefixtures("tiny_network")
def test_up_says_where_it_is_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cutgate", "up", "--data", str(tmp_path / "data"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        first, page = process.stdout.readline(), process.stdout.readline()
        url = first.removeprefix("Cutgate is up at ").partition(";")[0]
        assert httpx.get(page.split()[1], trust_env=False).headers["Content-Type"].startswith("text/html")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert first.startswith("Cutgate is up at http://127.0.0.1:")
    assert first.endswith("; Ctrl-C stops it.\n")
    assert page.split() == ["page", f"{url}/playground"]
