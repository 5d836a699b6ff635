"""A server of decoders that do harm where a test asks for it, by the width of the picture.

Run as `python -m tests.worker.pictures.harmful_decoder SOCKET`.
"""

import ctypes
import fcntl
import mmap
import os
import platform
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

from cutgate.jobs.errors import SourceUndecodable
from cutgate.worker.pictures import decoder
from cutgate.worker.pictures.images import SourceImage, read_image
from cutgate.worker.pictures.sandbox import Sandbox

HANGS_PX, CRASHES_PX, SERVER_DIES_PX, LIES_PX, WRITES_PX, KEEPS_PX, ESCAPES_PX = 41, 42, 43, 44, 45, 46, 47


def read_with_harm(*arguments: Any, **options: Any) -> SourceImage:
    source = read_image(*arguments, **options)
    match source.rgb.shape[1]:
        case 41:
            # Native code that keeps the interpreter's lock, and that no clock ends.
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            while True:
                ctypes.PyDLL(None).sleep(1_000)
        case 42:
            os.kill(os.getpid(), signal.SIGSEGV)
        case 43:
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        case 44 | 46:
            decoder._written = WRITERS[source.rgb.shape[1]]
        case 45:
            os.write(2, b"a line of the decoder's library\n")
        case 47:
            raise SourceUndecodable(", ".join(name for name, escape in ESCAPES.items() if works(escape)) or NONE)
    return source


def works(escape: Callable[[], object]) -> bool:
    """Whether a way out of the process is open."""
    try:
        return bool(escape())
    except OSError:
        return False


def forks() -> bool:
    if os.fork() == 0:
        os._exit(0)
    return True


def signals_its_parent() -> bool:
    os.kill(os.getppid(), 0)
    return True


def starts_a_program() -> bool:
    return os.posix_spawn("/bin/true", ["true"], {}) > 0


LIBRARY = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, TGKILL = 0x4206, {"x86_64": 234, "aarch64": 131}.get(platform.machine(), 0)
NONE = "no way out"
ESCAPES: dict[str, Callable[[], object]] = {
    "reads a file": lambda: Path("/etc/passwd").read_bytes(),
    "writes a file": lambda: Path("/tmp/escaped").write_bytes(b"escaped"),
    "reads the environment of its parent": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "reads its own memory map": lambda: Path("/proc/self/maps").read_bytes(),
    "opens a TCP socket": socket.socket,
    "opens a Unix socket": lambda: socket.socket(socket.AF_UNIX),
    "forks": forks,
    "starts a program": starts_a_program,
    "signals its parent": signals_its_parent,
    "signals a thread of its parent": lambda: LIBRARY.syscall(TGKILL, os.getppid(), os.getppid(), 0) == 0,
    "attaches to its parent": lambda: LIBRARY.ptrace(PTRACE_SEIZE, os.getppid(), 0, 0) == 0,
    "limits its parent": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE),
    "has a signal sent to its parent": lambda: fcntl.fcntl(2, fcntl.F_SETOWN, os.getppid()) == 0,
    "stops its clock": lambda: signal.setitimer(signal.ITIMER_REAL, 0),
    "makes memory that can be run": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_EXEC | mmap.PROT_WRITE),
}


def lied(*_: object) -> dict[str, Any]:
    return {"size": [10**6, 10**6], "alpha": False, "samples": False, "dpi": None}


def written_and_kept(source: SourceImage, file: FileIO, write: Any = decoder._written) -> Any:
    """Leave a process that can change the pixels after they were handed over."""
    answer = write(source, file)
    with mmap.mmap(file.fileno(), 0):
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
    return answer


WRITERS: dict[int, Callable[..., dict[str, Any]]] = {LIES_PX: lied, KEEPS_PX: written_and_kept}


if __name__ == "__main__":
    decoder.read_image = read_with_harm  # type: ignore[attr-defined]
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        decoder.serve(channel, Sandbox(sys.argv[2]))
