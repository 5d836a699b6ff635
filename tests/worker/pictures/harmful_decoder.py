"""A server of decoders that do harm where a test asks for it, by the width of the picture.

Run as `python -m tests.worker.pictures.harmful_decoder SOCKET`.
"""

import ctypes
import os
import signal
import socket
import sys
from typing import Any

from cutgate.worker.pictures import decoder
from cutgate.worker.pictures.images import SourceImage, read_image

HANGS_PX, CRASHES_PX, SERVER_DIES_PX, LIES_PX, WRITES_PX = 41, 42, 43, 44, 45


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
    return source


if __name__ == "__main__":
    decoder.read_image = read_with_harm  # type: ignore[attr-defined]
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        decoder.serve(channel)
