"""Settings of the C library for memory that large pictures leave."""

import ctypes
import os
from typing import Final

_OPTIONS: Final = {
    -8: 2,  # M_ARENA_MAX: heaps that threads share; what each of them keeps counts once for a heap.
    -3: 2**22,  # M_MMAP_THRESHOLD: larger blocks are mapped one by one.
    -1: 2**23,  # M_TRIM_THRESHOLD: so many bytes may lie free at the end of a heap.
}
"""Options of glibc's `mallopt`, by their numbers in its `malloc.h`."""


def give_back_large_blocks() -> None:
    """Let glibc return the memory of large pictures to the system when it is freed, and keep that of small ones.

    By default the first large block that is freed raises the size from which blocks are mapped one by one, up to
    32 MB. Pictures then lie in the threads' heaps, which keep hundreds of megabytes. A fixed size ends that, fewer
    heaps alone do not. Bodies that are received in memory stay below it: the system clears a mapped block page by
    page, which takes longer than what is done with it. Processes that are forked later inherit it. Where the
    operator chose a size by `MALLOC_MMAP_THRESHOLD_`, or another C library is in use, nothing is changed.
    """
    if "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _OPTIONS.items():
            mallopt(option, value)
