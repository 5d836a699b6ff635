"""Pictures a second of a queue through one worker that does one picture at a time, and two."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import Absent
from benchmarks.photos import photo
from benchmarks.speed.rows import NONE, Row, figure
from cutgate import Client
from cutgate.errors import LocalError
from cutgate.local.stack import Stack, run_stack

AT_ONCE: Final = (1, 2)
QUEUES: Final[Mapping[float, int]] = {1: 16, 12: 8}
"""Pictures by megapixels."""


_numbers = count()


def another_photo(megapixels: float) -> bytes:
    """The photo with a number behind its end: a service may answer a repeated request with what it has."""
    return photo(megapixels) + next(_numbers).to_bytes(8)


@contextmanager
def stack_in(folder: Path) -> Iterator[Stack]:
    """Cutgate as `cutgate up` starts it, with the settings of the environment, until the block ends."""
    try:
        with run_stack(folder) as stack:
            yield stack
    except LocalError as error:  # as one that can be told to another process
        raise Absent(str(error)) from None


def measure(rounds: int) -> list[Row]:
    """Both workers in turn, each with a whole queue; the other one is idle meanwhile."""
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="cutgate-speed-")))
        stacks = []
        for number in AT_ONCE:
            os.environ["CUTGATE_ITEMS_AT_ONCE"] = str(number)
            stacks.append(undo.enter_context(stack_in(folder / str(number))))
        return [_compared(megapixels, stacks, rounds) for megapixels in QUEUES]


def _compared(megapixels: float, stacks: list[Stack], rounds: int) -> Row:
    print(f"queue: {megapixels} MP", file=sys.stderr, flush=True)
    for stack in stacks:
        seconds_each(stack, megapixels, 1)
    paces = [[seconds_each(stack, megapixels, QUEUES[megapixels]) for stack in stacks] for _ in range(rounds)]
    one, two = (min(each) for each in zip(*paces, strict=True))
    gain = median(alone / together for alone, together in paces)
    return figure(
        f"{megapixels} MP, two at once over one", gain, None, ".2f", details=(f"{two:.2f} / {one:.2f}", NONE)
    )


def seconds_each(stack: Stack, megapixels: float, pictures: int) -> float:
    """Hand a queue in at once and wait for all of it; seconds for each picture."""

    def cut_out(_: int) -> bytes:
        with Client(stack.url, stack.account.public_key, stack.account.private_key) as client:
            return client.remove_background(another_photo(megapixels)).result()

    started = time.perf_counter()
    with ThreadPoolExecutor(pictures) as pool:
        list(pool.map(cut_out, range(pictures)))
    return (time.perf_counter() - started) / pictures
