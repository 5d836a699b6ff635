"""Features of this machine's processor, read from Linux's list."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")
_BF16: Final = frozenset({"avx512_bf16", "amx_bf16"})
_VNNI: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
_AMX: Final = frozenset({"amx_bf16", "amx_int8"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """A processor's name and the features that matter to a network."""

    name: str
    x86: bool
    features: frozenset[str]
    """As Linux names them; empty where it tells none."""

    @property
    def has_bf16(self) -> bool:
        """Whether it multiplies bfloat16 numbers, at twice the pace of single precision."""
        return bool(self.features & _BF16)

    @property
    def has_vnni(self) -> bool:
        """Whether it adds up products of 8-bit integers in 32 bits, in one step."""
        return bool(self.features & _VNNI)

    @property
    def has_amx(self) -> bool:
        """Whether it multiplies matrices in tiles."""
        return bool(self.features & _AMX)

    @property
    def weight_bits(self) -> int:
        """Bits of a quantised weight: without VNNI, x86 adds two products in 16 bits, and 8 would overflow."""
        return 7 if self.x86 and not self.has_vnni else 8

    def lacks(self) -> tuple[str, ...]:
        """What a network could use and this processor has not."""
        found = {"bf16": self.has_bf16, "VNNI": self.has_vnni, "AMX": self.has_amx}
        return tuple(name for name, there in found.items() if not there)


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
