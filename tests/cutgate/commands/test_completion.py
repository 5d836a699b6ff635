"""Shell completion: what bash registers, and what it is answered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from cutgate.commands.cli import main

ASK = """
eval "$(cutgate completion bash)"
complete -p cutgate
compopt() { :; }  # works only while bash itself completes
COMP_WORDS=(cutgate cut --back); COMP_CWORD=2; COMPREPLY=()
_cutgate_completion cutgate
echo "${COMPREPLY[@]}"
"""


def test_bash_asks_the_command(tmp_path: Path) -> None:
    command = tmp_path / "cutgate"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m cutgate "$@"\n')
    command.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-euc", ASK], env=environment, capture_output=True, text=True, check=True)
    registered, options = done.stdout.splitlines()
    assert registered == "complete -o nosort -F _cutgate_completion cutgate"
    assert options.split() == ["--background-threshold", "--background", "--background-image"]


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
