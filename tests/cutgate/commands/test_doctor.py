"""`cutgate doctor`: its own checks, the worker's, and the engines' times."""

import json
from pathlib import Path

import pytest

from tests.cutgate.conftest import run

pytestmark = pytest.mark.usefixtures("bare_environment")


def test_doctor_says_what_is_wrong_in_both_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutgate.local.redis_server.find_binaries", lambda: iter(()))
    result = run("doctor", "--data", tmp_path / "data", "--port", "0", "--json")
    found = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert (result.exit_code, json.loads(result.stdout)["ok"]) == (1, False)
    assert found["python"]["ok"]
    assert found["data"]["ok"]
    assert "no Redis-protocol server found" in found["server"]["detail"]
    shown = run("doctor", "--data", tmp_path / "data", "--port", "0")
    assert shown.exit_code == 1
    assert "FAIL  server" in shown.stdout


def test_doctor_leaves_out_what_only_a_running_stack_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [{"name": name, "ok": name == "weights", "detail": "", "remedy": ""} for name in ("redis", "weights")]
    monkeypatch.setattr("cutgate.commands.doctor.run_part", lambda *_, **__: {"checks": found})
    result = run("doctor", "--data", tmp_path / "data", "--port", "0", "--json")
    names = [check["name"] for check in json.loads(result.stdout)["checks"]]
    assert (result.exit_code, names) == (0, ["python", "parts", "server", "data", "port", "worker weights"])
    assert not (tmp_path / "data").exists()


def test_doctor_times_the_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_THREADS", "none")  # timing anything would take long
    result = run("doctor", "--bench", "--data", tmp_path / "data")
    assert (result.exit_code, "CUTGATE_THREADS" in result.stderr) == (1, True)


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
