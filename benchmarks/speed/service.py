"""Pictures a second through the whole service, four clients at a time, beside rembg's own server."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final, Literal

import httpx

from benchmarks import Absent
from benchmarks.bounds import Bound
from benchmarks.photos import photo
from benchmarks.rembg_peer import HOME_VARIABLE, MODEL, isnet_weights
from benchmarks.speed.engines import SERVICE_MATTING, SERVICE_PLAIN, Choice, require
from benchmarks.speed.rows import NONE, Row, figure
from cutgate import Client
from cutgate.errors import LocalError
from cutgate.local.stack import Stack, StackOptions, claim_port, run_stack

SERVICE: Final = "service"
"""The section's name."""

CLIENTS: Final = 4
MEGAPIXELS: Final = 1
JOBS_EACH: Final = {False: 2, True: 1}
"""Of each client in a round, without and with matting."""

ANSWER_SECONDS: Final = 300
START_SECONDS: Final = 300
STOP_SECONDS: Final = 15
LOOK_SECONDS: Final = 0.2
HOST: Final = "127.0.0.1"

_numbers = count()

Remove = Callable[[bytes, bool], object]
"""Sends a photo, with or without matting, and waits for its cut-out."""


def pictures_per_second(remove: Remove, *, matting: bool) -> float:
    """All clients at once, each with one picture after the other."""

    def client(_: int) -> None:
        for _ in range(JOBS_EACH[matting]):
            remove(another_photo(), matting)

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return CLIENTS * JOBS_EACH[matting] / (time.perf_counter() - started)


def measure(choice: Choice, rembg: str, rounds: int) -> dict[str, list[Row]]:
    """Both servers in turn, without and with matting."""
    require(choice)
    os.environ.update(choice.environment)
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="cutgate-speed-")))
        peer = undo.enter_context(rembg_server(rembg, folder / "rembg.log"))
        ours = cutgate_server(undo.enter_context(stack_in(folder / "cutgate")))
        rows = [
            _compared(choice, ours, peer, rounds, SERVICE_PLAIN.get(choice), matting=False),
            _compared(choice, ours, peer, rounds, SERVICE_MATTING.get(choice), matting=True),
        ]
        return {SERVICE: rows}


def _compared(
    choice: Choice, ours: Remove, peer: Remove, rounds: int, bound: Bound | None, *, matting: bool
) -> Row:
    name = f"{choice.name}, {'with' if matting else 'without'} matting"
    print(f"service: {name}", file=sys.stderr, flush=True)
    for remove in (ours, peer):  # the first picture loads networks and compiles code
        remove(another_photo(), matting)
    paces = [tuple(pictures_per_second(remove, matting=matting) for remove in (ours, peer)) for _ in range(rounds)]
    value = median(mine / theirs for mine, theirs in paces)
    best = " / ".join(f"{1 / max(pace):.2f}" for pace in zip(*paces, strict=True))
    return figure(name, value, bound, ".2f", details=(best, NONE))


def another_photo(megapixels: float = MEGAPIXELS) -> bytes:
    """The photo with a number behind its end: a service may answer a repeated request with what it has."""
    return photo(megapixels) + next(_numbers).to_bytes(8)


@contextmanager
def stack_in(folder: Path) -> Iterator[Stack]:
    """Cutgate as `cutgate up` starts it, with the settings of the environment, until the block ends."""
    try:
        with run_stack(StackOptions(data=folder, announced=False)) as stack:
            yield stack
    except LocalError as error:  # as one that can be told to another process
        raise Absent(str(error)) from None


def cutgate_server(stack: Stack) -> Remove:
    """Cutgate's gateway, through its client."""

    def remove(data: bytes, matting: bool) -> bytes:
        hair: Literal["on", "off"] = "on" if matting else "off"
        with Client(stack.url, stack.account.public_key, stack.account.private_key) as client:
            return client.remove_background(data, hair_optimization=hair).result()

    return remove


@contextmanager
def rembg_server(command: str, log: Path) -> Iterator[Remove]:
    """`rembg s` on Cutgate's weights, until the block ends."""
    weights, port = isnet_weights().path, claim_port(HOST, 0)
    arguments = [command, "s", "--host", HOST, "--port", str(port), "--no-ui", "--log_level", "warning"]
    environment = os.environ | {HOME_VARIABLE: str(weights.parent), "BROWSER": "true"}
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(arguments, env=environment, stdout=output, stderr=subprocess.STDOUT)
        except OSError as error:
            raise Absent(f"{command} cannot be run ({error.strerror})") from None
    url = f"http://{HOST}:{port}"
    query = {"extras": json.dumps({"model_path": str(weights)})}

    def remove(data: bytes, matting: bool) -> bytes:
        form = {"model": MODEL, "a": str(matting).lower()}
        answer = httpx.post(
            f"{url}/api/remove",
            params=query,
            data=form,
            files={"file": data},
            timeout=ANSWER_SECONDS,
            trust_env=False,
        )
        return answer.raise_for_status().content

    try:
        _wait_until_up(url, process, log)
        yield remove
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:  # it ends its pictures first
            process.kill()
            process.wait()


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/openapi.json", timeout=5, trust_env=False).raise_for_status()
        except httpx.HTTPError:
            time.sleep(LOOK_SECONDS)
        else:
            return
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if process.poll() is None:
        raise Absent(f"rembg's server does not answer within {START_SECONDS} s")
    raise Absent(
        'rembg\'s server does not start; install it with `pip install "rembg[cpu,cli]"` and name the command with '
        f"--rembg: {said[-1] if said else 'it said nothing'}"
    )
