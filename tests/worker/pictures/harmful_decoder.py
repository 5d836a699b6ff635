"""A server of decoders that do harm where a test asks for it, by the width of the picture.

Run as `python -m tests.worker.pictures.harmful_decoder SOCKET`.
"""

import ctypes
import mmap
import os
import signal
import socket
import sys
import time
from io import FileIO
from typing import Any

from cutgate.worker.pictures import decoder
from cutgate.worker.pictures.images import SourceImage, read_image

HANGS_PX, CRASHES_PX, SERVER_DIES_PX, LIES_PX, WRITES_PX, KEEPS_PX = 41, 42, 43, 44, 45, 46


def read_with_harm(*arguments: Any, **options: Any) -> SourceImage:
    source = read_image(*arguments, **options)
    match source.rgb.shape[1]:
        case 41:
            # Native code that keeps the interpreter's lock, and that no signal handler of Python's would end.
            while True:
                ctypes.PyDLL(None).sleep(1_000)
        case 42:
            os.kill(os.getpid(), signal.SIGSEGV)
        case 43:
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        case 44:
            decoder._written = lambda *_: {"size": [10**6, 10**6], "alpha": False, "samples": False, "dpi": None}
        case 45:
            os.write(2, b"a line of the decoder's library\n")
        case 46:
            decoder._written = written_and_kept
    return source


def written_and_kept(source: SourceImage, file: FileIO, write: Any = decoder._written) -> Any:
    """Leave a process that can change the pixels after they were handed over."""
    answer = write(source, file)
    with mmap.mmap(file.fileno(), 0):
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
    return answer


if __name__ == "__main__":
    decoder.read_image = read_with_harm  # type: ignore[attr-defined]
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        decoder.serve(channel)
