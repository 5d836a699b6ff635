"""`cutgate up` with the real server and stand-ins for gateway and worker: start, restart, stop, faults."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cutgate.errors import PortInUse
from cutgate.local.data_folder import DataDir
from cutgate.local.stack import address, claim_port, own_metrics_port
from tests.cutgate.processes import lives
from tests.cutgate.stand_ins import write_stand_ins
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]
STOP_SECONDS = 10


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
                process.communicate(timeout=STOP_SECONDS)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    write_stand_ins(tmp_path / "parts")
    (tmp_path / "state").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUTGATE_", "REDIS_"))}
    more = {"PYTHONPATH": f"{tmp_path / 'parts'}:{ROOT}", "STATE": str(tmp_path / "state")}
    return Place(tmp_path / "data", tmp_path / "state", kept | more)


def test_up_prints_one_line_when_ready_and_leaves_nobody_behind(place: Place) -> None:
    with place.up("--workers", "2", CUTGATE_PUBLIC_URL="https://elsewhere.example") as (process, facts):
        assert set(facts) == {"url", "public_key", "private_key"}
        assert httpx.get(f"{facts['url']}/readyz", trust_env=False).is_success
        eventually(lambda: len(place.parts("worker")) == 2)
        stack = json.loads((place.data / "stack.json").read_text())
        assert (stack["url"], stack["pid"]) == (facts["url"], process.pid)
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        printed, said = process.communicate(timeout=STOP_SECONDS)
        assert time.monotonic() - started < STOP_SECONDS
    assert (process.returncode, printed) == (0, "")
    assert "worker-2 | worker is ready with unix://" in said
    assert "redis    | " in (place.data / "cutgate.log").read_text()
    assert "private-key-text" not in said + (place.data / "cutgate.log").read_text()
    assert not place.parts("worker") | place.parts("courier") | place.parts("gateway")
    assert not (place.data / "stack.json").exists()


def test_threads_are_shared_among_workers_unless_set(place: Place) -> None:
    with place.up("--workers", "64"):
        threads = {file.read_text() for file in place.state.glob("worker-*")}
    assert threads == {str(max(1, len(os.sched_getaffinity(0)) // 64))}
    for file in place.state.iterdir():
        file.unlink()
    with place.up(CUTGATE_THREADS="7"):
        assert [file.read_text() for file in place.state.glob("worker-*")] == ["7"]


def test_a_second_start_shows_the_same_account(place: Place) -> None:
    with place.up() as (_, first):
        pass
    with place.up() as (_, second):
        pass
    assert (place.state / "keys").read_text() == "made\n"
    assert first["private_key"] == second["private_key"] == "private-key-text"


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
        printed, said = process.communicate(timeout=STOP_SECONDS)
    assert (process.returncode, printed) == (130, "")
    assert "Traceback" not in said
    eventually(lambda: not place.parts("gateway"))


def test_one_folder_has_one_stack(place: Place) -> None:
    with place.up() as (process, _):
        said = place.refusal()
    fault = f"{place.data} is in use by process {process.pid}"
    assert said.splitlines()[-1] == f"Error: {fault}; stop it or choose another folder with --data"


def test_a_port_in_use_is_said_before_anything_starts(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = place.refusal(port)
    fault = f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert said == f"Error: {fault}; try another port, or --port 0 for a free one\n"


def test_a_server_of_the_environment_is_used_and_none_is_started(place: Place) -> None:
    with place.up(REDIS_URL="redis://named.example:6379/3"):
        log = (place.data / "cutgate.log").read_text()
    assert "worker is ready with redis://named.example:6379/3" in log
    assert "redis    | " not in log


def test_an_older_server_is_refused(place: Place) -> None:
    place.data.mkdir()
    (place.data / "server.json").write_text('{"family": "valkey", "major": 99, "minor": 0}')
    assert "written by valkey 99.0, which" in place.refusal()


def test_keys_are_managed_in_the_running_stack(place: Place) -> None:
    with place.up():
        code, printed, _ = place.run("keys", "add", "--name", "a", "--json", "--data", str(place.data))
    assert (code, json.loads(printed)["public_key"]) == (0, "public")


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
