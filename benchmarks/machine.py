"""The machine that figures were measured on, and the command that measured them."""

import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from cutgate.worker.machine.container import cpu_quota, memory_limit_bytes

CPU_FACTS: Final = Path("/proc/cpuinfo")
FLAGS: Final = ("avx", "amx")
"""How the instruction sets begin that decide how fast a network runs."""

LIBRARIES: Final = (
    "onnxruntime onnxruntime-gpu openvino numpy scipy opencv-python-headless pillow isal rembg pymatting"
)


def conditions(command: Sequence[str]) -> str:
    """Markdown: when and where something was measured, and by which command."""
    model, flags = processor()
    lines = (
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `{shlex.join(command)}`.",
        f"Machine: {model}, {cpu_quota()} processors used, {memory_limit_bytes() / 2**30:.0f} GiB of memory, "
        f"{platform.system()} {platform.machine()}; has {', '.join(flags) or 'no AVX'}.",
        f"Python {platform.python_version()}, {', '.join(libraries())}.",
    )
    return "\n".join(lines)


def this_command(module: str) -> list[str]:
    """How a module was called, to be called again."""
    return ["python", "-m", module, *sys.argv[1:]]


def processor() -> tuple[str, tuple[str, ...]]:
    """The processor's name, and its instruction sets of `FLAGS`."""
    try:
        lines = CPU_FACTS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), ()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(lines))}
    has = facts.get("flags", "").split()
    return facts.get("model name", platform.machine()), tuple(
        sorted(flag for flag in has if flag.startswith(FLAGS))
    )


def libraries() -> list[str]:
    """Name and version of each library of `LIBRARIES` that is installed."""
    found = []
    for name in LIBRARIES.split():
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found
