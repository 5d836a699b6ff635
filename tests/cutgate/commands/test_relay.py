"""`cutgate keys` and `cutgate models`: other parts' commands, under this one's name."""

import subprocess
import sys

import click
import pytest

from cutgate.commands.cli import main
from cutgate.commands.relay import Relayed
from cutgate.gateway.commands.keys import keys
from cutgate.worker.commands.models import models
from tests.cutgate.conftest import run

pytestmark = pytest.mark.usefixtures("bare_environment")


def called(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with its name."""
    program = "import sys; sys.argv[0] = 'cutgate'; from cutgate.commands.cli import main; main()"
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("name", "group"), [("keys", keys), ("models", models)])
def test_it_names_the_other_parts_commands(name: str, group: click.Group) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f" {name} [OPTIONS] COMMAND [ARGUMENTS]...\n" in result.stdout
    assert result.stdout.endswith(f" {name} COMMAND --help` says more of one.\n")
    relayed = main.commands[name]
    assert isinstance(relayed, Relayed)
    assert relayed.commands.keys() == group.commands.keys()
    for command, text in relayed.commands.items():
        assert f"\n  {command} " in result.stdout
        assert (group.commands[command].help or "").startswith(text)


def test_without_a_command_it_says_what_there_is() -> None:
    done = called("keys")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: cutgate keys [OPTIONS] COMMAND [ARGUMENTS]...\n")


@pytest.mark.parametrize(
    ("arguments", "code", "usage"),
    [
        (("keys", "add", "--help"), 0, "Usage: cutgate keys add [OPTIONS]\n"),
        (("keys", "usage", "--help"), 0, "Usage: cutgate keys usage [OPTIONS]\n"),
        (("models", "fetch", "--help"), 0, "Usage: cutgate models fetch [OPTIONS] "),
        (("models", "fetch", "--bogus"), 2, "Usage: cutgate models fetch [OPTIONS] "),
        (("models", "lst"), 2, "Usage: cutgate models [OPTIONS] COMMAND "),
    ],
)
def test_a_command_answers_by_its_own_name(arguments: tuple[str, ...], code: int, usage: str) -> None:
    """No stack needs to run for its help."""
    done = called(*arguments)
    assert (done.returncode, (done.stdout + done.stderr).startswith(usage)) == (code, True), done
