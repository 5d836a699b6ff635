"""How the C library keeps the memory that large pictures leave."""

import ctypes
import os
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
"""As in the `malloc.h` of glibc."""
_LARGE_BLOCK_BYTES: Final = 2**20


def give_back_large_blocks() -> None:
    """Let glibc return the memory of pictures to the system as soon as it is freed.

    By default the first large block that is freed raises the size from which blocks are mapped one by one, up to
    32 MB. Pictures then lie in the threads' heaps, which keep hundreds of megabytes. A fixed size ends that, fewer
    heaps alone do not. Processes that are forked later inherit it. Where the operator chose a size by
    `MALLOC_MMAP_THRESHOLD_`, or another C library is in use, nothing is changed.
    """
    if "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
