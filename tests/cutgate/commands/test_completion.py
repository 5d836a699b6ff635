"""Shell completion: the script of a shell, and what it is answered."""

import json

import pytest
from click.shell_completion import ShellComplete

from cutgate.commands.cli import main
from tests.cutgate.conftest import run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "balance completion cut doctor env keys list models status terminate up watch"),
        ("cut --hair ", "auto on off"),
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
