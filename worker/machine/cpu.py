"""Features of this machine's processor, read from Linux's list."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")
_FEATURES: Final = {
    "bf16": {"avx512_bf16", "amx_bf16"},  # multiplies bfloat16 numbers, at twice the pace of single precision
    "VNNI": {"avx512_vnni", "avx_vnni", "amx_int8"},  # adds up products of 8-bit integers in 32 bits, in one step
    "AMX": {"amx_bf16", "amx_int8"},  # multiplies matrices in tiles
}
"""What a network could use, and Linux's names of what has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """A processor's name and the features that matter to a network."""

    name: str
    x86: bool
    features: frozenset[str]
    """As Linux names them; empty where it tells none."""

    @property
    def has_bf16(self) -> bool:
        """Whether it multiplies bfloat16 numbers."""
        return "bf16" not in self.lacks()

    @property
    def weight_bits(self) -> int:
        """Bits of a quantised weight: without VNNI, x86 adds two products in 16 bits, and 8 would overflow."""
        return 7 if self.x86 and "VNNI" in self.lacks() else 8

    def lacks(self) -> tuple[str, ...]:
        """What a network could use and this processor has not."""
        return tuple(name for name, bringing in _FEATURES.items() if not self.features & bringing)


def this_processor(cpuinfo: Path = _CPUINFO) -> Processor:
    """The processor of this machine."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    facts = dict(re.findall(r"^(model name|flags|Features)\s*:\s*(.*)$", text, re.MULTILINE))
    machine = platform.machine()
    return Processor(
        name=facts.get("model name") or machine,
        x86=machine.lower() in {"x86_64", "amd64", "i686"},
        features=frozenset((facts.get("flags") or facts.get("Features") or "").split()),
    )
