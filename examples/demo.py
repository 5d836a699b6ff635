"""Cut out the photos of this folder through the real service: server, gateway and worker as processes.

python examples/demo.py          # writes out/, then stops the service
python examples/demo.py --keep   # the same, then leaves the service up until Ctrl-C
"""

from __future__ import annotations

import argparse
import io
import shlex
import signal
import sys
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cutgate import Client, CutgateError, JobStatus
from cutgate.files import write_whole
from cutgate.local.stack import Stack, run_stack
from cutgate.protocol.picpik import signed_body

ROOT: Final = Path(__file__).resolve().parent.parent
EXAMPLES: Final = ROOT / "examples"
OUT: Final = ROOT / "out"
DATA: Final = ROOT / ".cutgate"

TILE_HEIGHT_PX: Final = 400
GAP_PX: Final = 8
SQUARE_PX: Final = 12
OVERVIEW: Final = "overview"
"""Name of the picture of all sheets, here in `out/`, in `examples/` for the README; no photo to cut out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Where the time of one job went, in seconds."""

    name: str
    submit: float
    work: float
    download: float

    @property
    def total(self) -> float:
        """From the first byte sent to the last one received."""
        return self.submit + self.work + self.download


def photos() -> list[Path]:
    """The photos to cut out, by name."""
    found = (path for pattern in ("*.jpg", "*.png") for path in EXAMPLES.glob(pattern))
    return sorted(path for path in found if path.stem != OVERVIEW)


def run_job(client: Client, photo: Path, kind: str, progress: Progress) -> Timing:
    """Hand one photo in, wait, download to `out/<name>.<kind>.png`."""
    bar = progress.add_task(f"{photo.name} {kind}", total=3)

    def show(status: JobStatus) -> None:
        done = {"Queuing": 1, "Running": 2, "Finished": 3, "Error": 3}[status.state]
        progress.update(bar, completed=done, description=f"{photo.name} {kind}: {status.state}")

    started = time.perf_counter()
    job = client.remove_background(photo, only_mask=kind == "mask")
    submitted = time.perf_counter()
    job.wait(on_progress=show)
    finished = time.perf_counter()
    job.save(OUT / f"{photo.stem}.{kind}.png")
    saved = time.perf_counter()
    return Timing(
        name=f"{photo.name} {kind}",
        submit=submitted - started,
        work=finished - submitted,
        download=saved - finished,
    )


def over_checkerboard(cutout: Image.Image) -> Image.Image:
    """A cut-out on the pattern that shows where it is transparent."""
    rows, columns = np.indices((cutout.height, cutout.width)) // SQUARE_PX
    squares = np.where((rows + columns) % 2, 205, 245).astype(np.uint8)
    board = Image.fromarray(squares).convert("RGBA")
    return Image.alpha_composite(board, cutout.convert("RGBA")).convert("RGB")


def beside(tiles: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one height in a row, with white between them."""
    width = sum(tile.width for tile in tiles) + GAP_PX * (len(tiles) - 1)
    row = Image.new("RGB", (width, max(tile.height for tile in tiles)), "white")
    left = 0
    for tile in tiles:
        row.paste(tile, (left, 0))
        left += tile.width + GAP_PX
    return row


def below(rows: Sequence[Image.Image]) -> Image.Image:
    """Pictures of any width in a column, with white between and beside them."""
    height = sum(row.height for row in rows) + GAP_PX * (len(rows) - 1)
    column = Image.new("RGB", (max(row.width for row in rows), height), "white")
    top = 0
    for row in rows:
        column.paste(row, ((column.width - row.width) // 2, top))
        top += row.height + GAP_PX
    return column


def sheet(photo: Path) -> Image.Image:
    """Before, mask and cut-out side by side."""
    with Image.open(photo) as before, Image.open(OUT / f"{photo.stem}.mask.png") as mask:
        upright = ImageOps.exif_transpose(before).convert("RGB")
        size = (max(1, round(upright.width * TILE_HEIGHT_PX / upright.height)), TILE_HEIGHT_PX)
        tiles = [upright.resize(size), mask.convert("RGB").resize(size)]
    with Image.open(OUT / f"{photo.stem}.cutout.png") as cutout:
        tiles.append(over_checkerboard(cutout.resize(size)))
    return beside(tiles)


def save(picture: Image.Image, path: Path) -> None:
    """Write a PNG that appears whole or not at all."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    write_whole(path, content.getvalue())


def timing_table(timings: Sequence[Timing]) -> Table:
    """The timings as a table."""
    table = Table("Job", "Submit", "Queue and work", "Download", "Total", title="Seconds per job")
    for column in table.columns[1:]:
        column.justify = "right"
    for timing in timings:
        parts = (timing.submit, timing.work, timing.download, timing.total)
        table.add_row(timing.name, *(f"{seconds:.2f}" for seconds in parts))
    return table


def cut_out_all(client: Client, console: Console) -> None:
    """Make everything in `out/` and print the timings."""
    timings = []
    with Progress(console=console, transient=True) as progress:
        for photo in photos():
            timings += [run_job(client, photo, kind, progress) for kind in ("cutout", "mask")]
    sheets = {photo: sheet(photo) for photo in photos()}
    for photo, picture in sheets.items():
        save(picture, OUT / f"{photo.stem}.sheet.png")
    save(below(list(sheets.values())), OUT / f"{OVERVIEW}.png")
    console.print(timing_table(timings))
    print(f"Cut-outs, masks and sheets are in {OUT}; all at a glance: {OUT / f'{OVERVIEW}.png'}")


def curl_call(url: str, data: str) -> str:
    """A command to paste into a shell; `data` is a body, or `@` and the file that holds it."""
    return (
        f"curl -s {shlex.quote(f'{url}/')} -H 'Content-Type: application/json' --data-binary {shlex.quote(data)}"
    )


def signed_calls(stack: Stack, photo: Path) -> list[str]:
    """Two signed calls: one hands a photo in, its body from a file, the other asks for the same task.

    The photo is handed in here already: the pasted repeat is the same request, so it answers with the same task.
    """
    keys = (stack.account.public_key, stack.account.private_key)
    body = signed_body("RemoveBackground", {"RawImage": b64encode(photo.read_bytes()).decode("ascii")}, *keys)
    request = OUT / "request.json"
    write_whole(request, body)
    answer = httpx.post(stack.url, content=body, headers={"Content-Type": "application/json"}, trust_env=False)
    ask = signed_body("ListTasksDetails", {"TaskUIDList": [answer.json()["TaskUID"]]}, *keys)
    return [curl_call(stack.url, f"@{request}"), curl_call(stack.url, ask.decode())]


def stay_up(stack: Stack) -> None:
    """Print how to use the service, and wait for Ctrl-C."""
    print(f"\nThe service is up at {stack.url}; Ctrl-C stops it.")
    print(f"  public key   {stack.account.public_key}\n  private key  {stack.account.private_key}")
    print("\nHand a photo in, then ask for its result; both calls are signed:")
    for call in signed_calls(stack, photos()[0]):
        print(f"\n{call}", flush=True)
    while True:
        time.sleep(3600)


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description="Cut out the photos of examples/ through the real service.")
    parser.add_argument("--keep", action="store_true", help="leave the service up until Ctrl-C")
    keep = parser.parse_args().keep
    console = Console()
    if not photos():
        sys.exit(f"there are no photos in {EXAMPLES}")
    OUT.mkdir(exist_ok=True)
    started = time.perf_counter()
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started us with Ctrl-C switched off
        signal.signal(number, signal.default_int_handler)
    try:
        with ExitStack() as undo:
            with console.status("Starting server, gateway and worker"):
                stack = undo.enter_context(run_stack(DATA))
            with Client(stack.url, stack.account.public_key, stack.account.private_key) as client:
                cut_out_all(client, console)
            print(f"Done in {time.perf_counter() - started:.0f} s, with the start of the service.")
            if keep:
                stay_up(stack)
    except CutgateError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        print("Stopped.")


if __name__ == "__main__":
    main()
