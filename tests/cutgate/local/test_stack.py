"""`cutgate up` with the real server and stand-ins for gateway and worker: start, restart, stop, faults."""

import io
import json
import logging
import os
import pty
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from redis import Redis

from cutgate.errors import PortInUse
from cutgate.gateway.settings import GatewaySettings
from cutgate.local.data_folder import LEAST_FREE_BYTES, DataDir
from cutgate.local.parts import running_environment
from cutgate.local.stack import address, claim_port, open_log, own_metrics_port
from tests.cutgate.conftest import run
from tests.cutgate.local.test_supervisor import lives
from tests.cutgate.stand_ins import write_stand_ins
from tests.gateway.harness import there
from tests.servers.small_disk import small_disk
from tests.waiting import PATIENCE_SECONDS, eventually

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Place:
    data: Path
    state: Path
    environment: dict[str, str]

    def parts(self, name: str) -> set[int]:
        """The processes of a stand-in that live."""
        return {pid for file in self.state.glob(f"{name}-*") if lives(pid := int(file.name.rpartition("-")[2]))}

    def cutgate(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "cutgate", *arguments],
            cwd=ROOT,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **more: str) -> tuple[int, str, str]:
        """Run the command to its end: exit code, standard output, standard error."""
        with self.cutgate(*arguments, **more) as process:
            printed, said = process.communicate(timeout=60)
        return process.returncode, printed, said

    def refusal(self, port: int = 0, **more: str) -> str:
        """What `cutgate up` says when it does not come up."""
        code, _, said = self.run("up", "--data", str(self.data), "--port", str(port), **more)
        assert code == 1
        return said

    @contextmanager
    def up(self, *arguments: str, **more: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
        """A stack that is up, and the line that it printed."""
        command = ("up", "--data", str(self.data), "--port", "0", "--json", *arguments)
        with self.cutgate(*command, **more) as process:
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                assert line, process.communicate(timeout=60)[1]
                yield process, json.loads(line)
            finally:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=PATIENCE_SECONDS)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    write_stand_ins(tmp_path / "parts")
    (tmp_path / "state").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUTGATE_", "REDIS_"))}
    more = {"PYTHONPATH": f"{tmp_path / 'parts'}:{ROOT}", "STATE": str(tmp_path / "state")}
    return Place(tmp_path / "data", tmp_path / "state", kept | more)


def test_up_prints_one_line_when_ready_has_its_folder_alone_and_leaves_nobody_behind(place: Place) -> None:
    with place.up("--workers", "2", "--verbose", CUTGATE_PUBLIC_URL="https://elsewhere.example") as (
        process,
        facts,
    ):
        assert (set(facts), facts["api_key"]) == ({"url", "public_key", "private_key", "api_key"}, "api-key-text")
        assert httpx.get(f"{facts['url']}/readyz", trust_env=False).is_success
        eventually(lambda: len(place.parts("worker")) == 2)
        stack = json.loads((place.data / "stack.json").read_text())
        assert (stack["url"], stack["pid"]) == (facts["url"], process.pid)
        fault = f"cutgate already runs at {facts['url']}: {place.data} is in use by process {process.pid}"
        assert place.refusal() == f"Error: {fault}; stop it or choose another folder with --data\n"
        process.send_signal(signal.SIGTERM)
        printed, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, printed) == (0, "")
    assert "worker-2 | worker is ready with unix://" in said
    assert "worker-2 | " in (place.data / "cutgate.log").read_text()
    log = said + (place.data / "cutgate.log").read_text()
    assert [secret for secret in ("private-key-text", "api-key-text") if secret in log] == []
    assert not place.parts("worker") | place.parts("courier") | place.parts("gateway")
    assert not (place.data / "stack.json").exists()


def test_off_a_terminal_only_the_welcome_is_printed_and_no_secret(place: Place) -> None:
    with place.cutgate("up", "--data", str(place.data), "--port", "0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(5)]
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, printed, said) == (0, "Stopped.\n", "")
    url = lines[0].removeprefix("Cutgate is up at ").removesuffix("; Ctrl-C stops it.")
    assert url.startswith("http://127.0.0.1:")
    option = f"--data {place.data}"
    assert [line.split(maxsplit=1) for line in lines[1:]] == [
        ["page", f"{url}/playground"],
        ["try", f"cutgate cut photo.jpg {option}"],
        ["keys", f'eval "$(cutgate env {option})"'],
        ["log", str(place.data / "cutgate.log")],
    ]
    assert "worker-1 | worker is ready" in (place.data / "cutgate.log").read_text()


def test_on_a_terminal_the_link_signs_in_and_a_line_says_what_goes_on(place: Place) -> None:
    ours, theirs = pty.openpty()
    shown = bytearray()

    def shows(pattern: bytes) -> bool:
        while select.select([ours], [], [], 0)[0]:
            shown.extend(os.read(ours, 4096))
        return re.search(pattern, shown) is not None

    command = [sys.executable, "-m", "cutgate", "up", "--data", str(place.data), "--port", "0"]
    terminal = place.environment | {"TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(command, cwd=ROOT, env=terminal, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        eventually(
            lambda: shows(rb"page  http://\S+/playground#public_key=public&private_key=private-key-text\r\n")
        )
        eventually(lambda: shows(b"0 waiting, 0 running, 0 done"))
        environment = there(running_environment(DataDir(place.data), "gateway"))
        with Redis.from_url(environment["CUTGATE_REDIS_URL"]) as ledger:
            ledger.hincrby("{cutgate}:totals", "done", 41)
        eventually(lambda: shows(b"0 waiting, 0 running, 41 done"))
        [worker] = place.parts("worker")
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: shows(rb"worker-1 ended \(exit code -9\) and starts again in 0.5 s"))
        process.send_signal(signal.SIGINT)
        eventually(lambda: shows(rb"Stopped\.\r\n"))
        assert process.wait(PATIENCE_SECONDS) == 0
    os.close(ours)
    assert b" | " not in shown.partition(b"worker-1 ended")[0].replace(b"cutgate  | ", b"")
    assert "private-key-text" not in (place.data / "cutgate.log").read_text()


def test_the_keys_come_as_variables_of_each_shell(place: Place) -> None:
    with place.up() as (_, facts):
        printed = run("env", "--data", place.data).stdout
        expected = {
            "CUTGATE_URL": facts["url"],
            "CUTGATE_PUBLIC_KEY": "public",
            "CUTGATE_PRIVATE_KEY": "private-key-text",
            "CUTGATE_API_KEY": "api-key-text",
        }
        command = f"unset ${{!CUTGATE_@}}; eval {shlex.quote(printed)}; env"
        found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
        assert {f"{name}={value}" for name, value in expected.items()} <= set(found.splitlines())
        assert json.loads(run("env", "--data", place.data, "--json").stdout) == expected
        for shell, line in (
            ("fish", "set -gx CUTGATE_API_KEY api-key-text"),
            ("powershell", "$env:CUTGATE_API_KEY = 'api-key-text'"),
        ):
            assert run("env", "--data", place.data, "--shell", shell).stdout.splitlines()[-1] == line
    result = run("env", "--data", place.data)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: no stack runs in {place.data}; start one with cutgate up")


def test_a_second_start_has_the_same_account_and_its_own_threads(place: Place) -> None:
    with place.up("--workers", "2") as (_, first):
        threads = {file.read_text() for file in place.state.glob("worker-*")}
    assert threads == {str(max(1, len(os.sched_getaffinity(0)) // 2))}
    for file in place.state.glob("worker-*"):
        file.unlink()
    with place.up(CUTGATE_THREADS="7") as (_, second):
        assert [file.read_text() for file in place.state.glob("worker-*")] == ["7"]
    assert second == {**first, "url": second["url"]}
    assert (place.state / "keys").read_text() == "made\n" * 2


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_when_up_itself_is_killed_nobody_is_left_and_the_folder_is_free(place: Place) -> None:
    with place.up() as (process, _):
        process.kill()
        process.wait()
        assert DataDir(place.data).running() is None
        eventually(lambda: not place.parts("worker") | place.parts("courier") | place.parts("gateway"))
    with place.up() as (_, facts):
        assert is_ready(facts["url"])


def test_a_worker_that_dies_while_starting_is_shown_with_its_last_lines(place: Place) -> None:
    code, printed, said = place.run("up", "--data", str(place.data), "--port", "0", "--json", WORKER_DIES="1")
    error = json.loads(printed)["error"]
    assert (code, error["code"]) == (1, "StartFailed")
    assert error["message"].startswith(
        "worker-1 ended while starting (exit code 3); its last lines:\n  worker-1 | no weights here"
    )
    assert "Traceback" not in said
    eventually(lambda: not place.parts("gateway"))


def test_ctrl_c_during_the_start_leaves_nobody_behind(place: Place) -> None:
    with place.cutgate("up", "--data", str(place.data), "--port", "0", WORKER_HANGS="1") as process:
        eventually(lambda: place.parts("gateway"))
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, printed) == (130, "")
    assert "Traceback" not in said
    eventually(lambda: not place.parts("gateway"))


def test_a_port_in_use_is_said_before_anything_starts(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = place.refusal(port)
    fault = f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert said == f"Error: {fault}; try another port, or --port 0 for a free one\n"


def test_a_full_disk_stops_the_start(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk") as disk:
        folder = disk.root / "data"
        full = replace(place, data=folder)
        fault, _, advice = full.refusal().partition("; ")
        assert re.fullmatch(rf"Error: the disk of {folder} is full: \d MiB are left", fault)
        assert advice == "make room, or choose a folder on another one with --data\n"
        assert not (folder / "redis").exists()
        monkeypatch.setenv("CUTGATE_LEAST_FREE_BYTES", "0")
        DataDir(folder).require_room()
    assert GatewaySettings.model_fields["least_free_bytes"].default == LEAST_FREE_BYTES


def test_a_server_of_the_environment_is_used_and_none_is_started(place: Place) -> None:
    with place.up(REDIS_URL="redis://named.example:6379/3"):
        log = (place.data / "cutgate.log").read_text()
    assert "worker is ready with redis://named.example:6379/3" in log
    assert not list((place.data / "redis").iterdir())


def test_a_server_that_cannot_read_newer_files_says_so_itself(place: Place) -> None:
    files = place.data / "redis" / "appendonlydir"
    files.mkdir(parents=True)
    (files / "appendonly.aof.manifest").write_text("file appendonly.aof.1.base.rdb seq 1 type b\n")
    (files / "appendonly.aof.1.base.rdb").write_bytes(b"REDIS0999")
    said = place.refusal()
    assert said.startswith("Error: redis ended while starting (exit code 1); its last lines:\n")
    assert "Can't handle RDB format version" in said


def test_ports_and_addresses() -> None:
    port = claim_port("127.0.0.1", 0)
    assert claim_port("127.0.0.1", port) == port
    with pytest.raises(PortInUse, match="198"):
        claim_port("198.51.100.7", 0)
    assert address("127.0.0.1", 80) == "http://127.0.0.1:80"
    assert address("::1", 80) == "http://[::1]:80"
    assert address("0.0.0.0", 80) == address("::", 80) == "http://localhost:80"


def test_each_further_worker_has_the_next_port_for_its_metrics() -> None:
    name = "CUTGATE_WORKER_METRICS_PORT"
    assert [own_metrics_port({name: "9102"}, number) for number in (1, 2)] == [{name: "9102"}, {name: "9103"}]
    assert own_metrics_port({}, 2) == own_metrics_port({name: "off"}, 2) == {}


def test_a_log_that_cannot_be_written_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    shown = io.StringIO()
    with open_log(Path("/dev/full"), logging.StreamHandler(shown)) as logger:
        logger.info("on a full disk")
    assert capsys.readouterr().err == ""
    assert "on a full disk" in shown.getvalue()
