"""What a command shows on a terminal."""

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress

from tests.gateway.installation import Installation

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def shown_on_a_terminal(installation: Installation, *arguments: str, width: int = 120) -> list[str]:
    """The lines of a command of the gateway, without blanks at their ends and without styles."""
    command = [sys.executable, "-m", "cutgate.gateway", *arguments]
    environment = {**installation.environment, "COLUMNS": str(width), "TERM": "xterm"}
    ours, its = pty.openpty()
    process = subprocess.Popen(command, env=environment, stdin=its, stdout=its, stderr=its)
    os.close(its)
    shown = b""
    with process, os.fdopen(ours, "rb", buffering=0) as screen, suppress(OSError):  # nobody writes any more
        while some := screen.read(65_536):
            shown += some
    assert process.returncode == 0, shown
    return [line.rstrip() for line in _STYLE.sub("", shown.decode()).splitlines() if line.strip()]
