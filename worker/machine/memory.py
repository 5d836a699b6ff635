"""Memory of this process."""

from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""See proc(5): sets the peak resident size to the present one."""


def resident_bytes() -> int | None:
    """Resident size of this process; None where the system does not tell, as on macOS."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == "VmRSS":
            return int(value.split()[0]) * 1024
    return None


def forget_peak() -> None:
    """Let the process's peak resident size start anew from the present one, where the system can do that."""
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return
