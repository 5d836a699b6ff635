"""`--json` on every command, errors too, and shell completion."""

import json
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from cutgate.commands.cli import main
from tests.cutgate.conftest import Service, run
from tests.gateway.picture_files import png

pytestmark = pytest.mark.usefixtures("bare_environment")

NO_TASK = "d5ari00q5cu0v880200g"
FAILURES = {
    "balance": (["--data", "none"], 1, "NotRunning"),
    "completion": (["tcsh"], 2, "BadParameter"),
    "cut": (["missing.png", "-o", "out.png"], 2, "BadParameter"),
    "doctor": (["--port", "x"], 2, "BadParameter"),
    "env": (["--data", "none"], 1, "NotRunning"),
    "keys": (["list", "--data", "none"], 1, "NotRunning"),
    "list": (["--data", "none"], 1, "NotRunning"),
    "models": (["no-such-command"], 2, "NoSuchCommand"),
    "refine": ([NO_TASK, "--data", "none", "-o", "out.png"], 2, "UsageError"),
    "status": (["--data", "none"], 2, "MissingParameter"),
    "terminate": ([NO_TASK, "--url", "nowhere", "--public-key", "a"], 2, "UsageError"),
    "up": (["--data", "none", "--host", "no.such.host"], 1, "PortInUse"),
    "watch": ([".", "-o", "."], 2, "UsageError"),
}


def test_every_command_has_it() -> None:
    assert main.commands.keys() == FAILURES.keys()
    assert all("as_json" in {param.name for param in command.params} for command in main.commands.values())


@pytest.mark.parametrize("name", FAILURES)
def test_errors_are_one_object(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, exit_code, code = FAILURES[name]
    result = run(name, *arguments, "--json")
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"], set(error)) == (exit_code, code, {"code", "message", "advice"})
    assert error["message"]
    assert result.stderr == ""


def test_pictures_are_one_line_each(worked_service: Service, photos: list[Path], tmp_path: Path) -> None:
    photos[1].write_text("no picture")

    def cut() -> tuple[int, dict[str, tuple[str, object]], dict[str, int]]:
        out = tmp_path / "out"
        result = worked_service.run("cut", *photos, "-o", out, "--json")
        *lines, summary = map(json.loads, result.stdout.splitlines())
        assert result.stderr == ""
        states = {
            Path(line["source"]).name: (line["state"], line["error"] and line["error"]["code"]) for line in lines
        }
        return result.exit_code, states, summary["summary"]

    code, states, summary = cut()
    assert states == {"a.png": ("saved", None), "b.png": ("failed", 230), "c.jpg": ("saved", None)}
    counts = {"saved": 2, "kept": 0, "no_subject": 0, "review": 0, "failed": 1, "untried": 0}
    assert (code, summary) == (1, counts)
    photos[1].write_bytes(png(9, 9))
    code, states, summary = cut()
    assert (code, summary) == (0, counts | {"saved": 1, "kept": 2, "failed": 0})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "balance completion cut doctor env keys list mcp models refine status terminate up watch"),
        ("cut --hair ", "auto on off"),
        ("cut --holes ", "keep fill"),
        ("completion ", "bash zsh fish"),
        ("keys ", "account add credits list reseal revoke rotate usage"),
        ("models f", "fetch"),
        ("keys add --da", "--data"),
    ],
)
def test_what_it_answers(words: str, expected: str) -> None:
    *arguments, incomplete = words.split(" ")
    items = ShellComplete(main, {}, "cutgate", "_CUTGATE_COMPLETE").get_completions(arguments, incomplete)
    assert [item.value for item in items] == expected.split()


def test_the_script_of_a_shell() -> None:
    plain, told = run("completion", "bash").stdout, json.loads(run("completion", "fish", "--json").stdout)
    assert "complete -o nosort -F _cutgate_completion cutgate" in plain
    assert (told["shell"], "complete" in told["script"]) == ("fish", True)
