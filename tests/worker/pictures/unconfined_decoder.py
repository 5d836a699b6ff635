"""A server of decoders on a kernel that confines nothing.

Run as `python -m tests.worker.pictures.unconfined_decoder SOCKET SANDBOX`.
"""

import socket
import sys

from cutgate.worker.pictures import decoder, sandbox
from cutgate.worker.pictures.sandbox import Sandbox

if __name__ == "__main__":
    sandbox._SET_SECCOMP = 0xBAD
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        decoder.serve(channel, Sandbox(sys.argv[2]))
