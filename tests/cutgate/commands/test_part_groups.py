"""`cutgate keys`, `models` and `doctor`: what other parts' commands do under this one's name."""

import json
from pathlib import Path

import click
import pytest

from cutgate.gateway.commands.keys import keys
from cutgate.worker.commands.models import models
from tests.cutgate.conftest import run
from tests.pictures.tiny_network import tiny_environment
from tests.servers.stack import LiveStack

pytestmark = pytest.mark.usefixtures("bare_environment")


def test_keys_need_a_running_stack(tmp_path: Path) -> None:
    result = run("keys", "list", "--data", tmp_path / "data")
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: no stack runs in {tmp_path / 'data'}; start one with cutgate up --data {tmp_path / 'data'}\n",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "usage"),
    [
        (("keys", "--help"), 0, "Usage: main keys [OPTIONS] COMMAND "),
        (("keys",), 2, "Usage: main keys [OPTIONS] COMMAND "),
        (("keys", "add", "--help"), 0, "Usage: main keys add [OPTIONS]\n"),
        (("models", "fetch", "--help"), 0, "Usage: main models fetch [OPTIONS] "),
        (("models", "fetch", "--bogus"), 2, "Usage: main models fetch [OPTIONS] "),
        (("models", "lst"), 2, "Usage: main models [OPTIONS] COMMAND "),
    ],
)
def test_other_parts_commands_answer_by_this_ones_name(arguments: tuple[str, ...], code: int, usage: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.output.startswith(usage)) == (code, True), result.output


def test_json_may_be_asked_for_before_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in tiny_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    result = run("models", "--json", "fetch", "tiny")
    assert (result.exit_code, json.loads(result.stdout)[0]["model"]) == (0, "tiny"), result.output


def test_the_stack_of_a_folder(stack: LiveStack) -> None:
    result = run("keys", "list", "--data", stack.data, "--json")
    assert stack.public_key in {row["public_key"] for row in json.loads(result.stdout)}
    result = run("keys", "revoke", "nobody", "--data", stack.data, "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, "CommandFailed")
    result = run("balance", "--data", stack.data, "--json")
    balance = json.loads(result.stdout)
    assert (balance["metered"], balance["total"], balance["available"]) == (False, None, None)


@pytest.mark.parametrize("group", [keys, models])
def test_each_command_of_another_part_prints_json(group: click.Group) -> None:
    """`--json` before a command is handed on to it."""
    assert [name for name, command in group.commands.items() if not takes_json(command)] == []


def takes_json(command: click.Command) -> bool:
    return "as_json" in {param.name for param in command.params}


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


def test_doctor_shows_the_remedies_of_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"name": "weights", "ok": False, "detail": "they are not here", "remedy": "run models fetch"}
    monkeypatch.setattr("cutgate.commands.doctor.run_part", lambda *_, **__: {"checks": [found]})
    monkeypatch.setattr("cutgate.commands.doctor.running_environment", lambda *_: {})
    result = run("doctor", "--data", tmp_path / "data", "--port", "0")
    *_, failure, remedy = result.stdout.splitlines()
    assert (result.exit_code, failure) == (1, f"FAIL  {'worker weights':15}  they are not here")
    assert remedy.split() == ["run", "models", "fetch"]
