"""Memory of this process."""

import re
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""See proc(5): sets the peak resident size to the present one."""


def resident_bytes() -> int | None:
    """Resident size of this process; None where the system does not tell, as on macOS."""
    try:
        found = re.search(r"^VmRSS:\s+(\d+) kB$", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def forget_peak() -> None:
    """Let the process's peak resident size start anew from the present one, where the system can do that."""
    with suppress(OSError):
        _CLEAR_REFS.write_text(_RESET_PEAK, encoding="ascii")
