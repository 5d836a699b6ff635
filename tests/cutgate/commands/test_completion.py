"""Shell completion, in a real bash."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
eval "$(cutgate completion bash)"
complete -p cutgate
compopt() { :; }  # works only while bash itself completes
ask() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _cutgate_completion cutgate
    echo "${COMPREPLY[@]}"
}
ask cutgate ""
ask cutgate cut --back
ask cutgate cut --hair ""
ask cutgate completion ""
ask cutgate keys ""
ask cutgate models f
ask cutgate keys --da
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With the command on the path, as an installation has it."""
    command = tmp_path / "cutgate"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m cutgate "$@"\n')
    command.chmod(0o755)
    return os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def test_bash_completes_commands_options_and_values(environment: dict[str, str]) -> None:
    done = subprocess.run(["bash", "-euc", ASK], env=environment, capture_output=True, text=True, check=True)
    registered, commands, options, values, shells, *relayed = done.stdout.splitlines()
    assert registered == "complete -o nosort -F _cutgate_completion cutgate"
    assert {"cut", "watch", "balance", "status", "terminate", "up"} <= set(commands.split())
    assert options.split() == ["--background-threshold", "--background", "--background-image"]
    assert values.split() == ["auto", "on", "off"]
    assert shells.split() == ["bash", "zsh", "fish"]
    keys = "account add credits list reseal revoke rotate usage"
    assert relayed == [keys, "fetch", "--data"]
