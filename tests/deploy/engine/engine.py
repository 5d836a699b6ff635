"""The Docker Engine that the Compose file runs on: the one that answers here."""

import re
import shlex
import shutil
import subprocess
from typing import Final

LEAST_ENGINE: Final = (25, 0)
LEAST_COMPOSE: Final = (2, 24)
ADDRESS: Final = "127.0.0.1"
"""Where this process reaches published ports."""
WANTED: Final = (
    "a Docker Engine from 25 with Compose from 2.24 must answer (Debian 13: `apt-get install docker.io "
    "docker-compose docker-buildx`; Ubuntu 24.04: `apt-get install docker.io docker-compose-v2 docker-buildx`)"
)


def attempt(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `docker WORDS`, which may fail."""
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)


def docker(*words: str) -> str:
    """What `docker WORDS` prints."""
    done = attempt(*words)
    assert done.returncode == 0, f"docker {shlex.join(words)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def is_enough() -> bool:
    """Whether an engine answers here, and it and its Compose are new enough."""
    if shutil.which("docker") is None:
        return False
    answers = attempt("version", "--format", "{{.Server.Version}}"), attempt("compose", "version", "--short")
    if any(answer.returncode for answer in answers):
        return False
    server, compose = (tuple(map(int, re.findall(r"\d+", answer.stdout)[:2])) for answer in answers)
    return server >= LEAST_ENGINE and compose >= LEAST_COMPOSE
