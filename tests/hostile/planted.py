"""`python -m tests.hostile.planted`: plants faults of the past in copies of the tree, and has campaigns find them.

Exits with 1 if a campaign does not find its fault.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import click

from tests.hostile.plan import PLAN
from tests.mutants.suite import LEFT_OUT

ROOT: Final = Path(__file__).parents[2]


class Planted(NamedTuple):
    """A fault: texts of files in place of others, and the campaign that is to find it."""

    name: str
    campaign: str
    inputs: int
    changes: tuple[tuple[str, str, str], ...]
    """File, text, and what stands there instead."""


_PEERS: Final = "gateway/serving/peers.py"
_BRIDGE: Final = "gateway/serving/bridge.py"
_REQUESTS: Final = "gateway/picpik/requests.py"
_LAST: Final = "        except ServiceUnavailable as error:\n            spool.fault = error\n"
_UNQUOTED: Final = '__import__("urllib.parse").parse.unquote_to_bytes({}.replace(b"+", b" "))'
FAULTS: Final = (
    Planted(
        "connections with half a body shut everybody out",
        "floods",
        100_000,
        (
            (_PEERS, "Phase.HEAD if others is own else Phase.ANSWER", "Phase.HEAD"),
            (_PEERS, "min(_KEPT_PLACES, settings.connections // 8)", "0"),
        ),
    ),
    Planted(
        "heads of two addresses hold all places for bodies",
        "floods",
        100_000,
        (
            (
                _BRIDGE,
                "        self._probes = Thread",
                "        self._places = asyncio.Semaphore(16)\n        self._probes = Thread",
            ),
            (_BRIDGE, "Phase.BODY)\n", "Phase.BODY)\n        await self._places.acquire()\n"),
            (_BRIDGE, _LAST, _LAST + "        finally:\n            self._places.release()\n"),
        ),
    ),
    Planted(
        "a form's names are unquoted whole",
        "large fields",
        1_000,
        (
            ("signing/forms.py", "MAX_NAME_BYTES: Final = 1024", "MAX_NAME_BYTES: Final = 2**40"),
            (
                "signing/forms.py",
                "decoder.decode(start, name_end),",
                _UNQUOTED.format("bytes(raw[start:name_end])") + ",",
            ),
        ),
    ),
    Planted(
        "a decoder is not confined",
        "decoders taken over",
        1_000,
        (("worker/pictures/decoder.py", "        if is_confined:\n            confine()\n", ""),),
    ),
    Planted(
        "an ignored field hides the id of a request",
        "bent signatures",
        5_000,
        ((_REQUESTS, "        _require_no_hidden_field(name, params.get(name), empty)\n", "        pass\n"),),
    ),
    Planted(
        "bare percent signs cost a search each",
        "large fields",
        1_000,
        (
            (
                "signing/forms.py",
                "        decoded = _as_quoted",
                "        return " + _UNQUOTED.format("piece") + "\n        decoded = _as_quoted",
            ),
        ),
    ),
    Planted(
        "a picture by URL counts as one megapixel",
        "pictures by URL",
        1_000,
        (("jobs/ledger/lua/errands/fetched.lua", "args.megapixels > 1", "false"),),
    ),
    Planted(
        "any number of scans is decoded",
        "bombs",
        1_000,
        (("jobs/limits.py", "MAX_DECODED_PIXELS: Final = 600_000_000", "MAX_DECODED_PIXELS: Final = 10**15"),),
    ),
    Planted(
        "an answer repeats any host",
        "broken HTTP",
        100_000,
        (
            (
                "gateway/openapi/views.py",
                "self.public_url or f\"http://localhost:{own['SERVER_PORT']}\"",
                'self.public_url or f"http://{request.host}"',
            ),
        ),
    ),
)


def plant(fault: Planted, tree: Path) -> None:
    """Plant a fault in a tree.

    Raises:
        ValueError: a text that it is to replace is not there, or not once.
    """
    for path, before, after in fault.changes:
        text = (tree / path).read_text("utf-8")
        if text.count(before) != 1:
            raise ValueError(f"{path} has {before!r} {text.count(before)} times")
        (tree / path).write_text(text.replace(before, after), "utf-8")


def found(fault: Planted, tree: Path, seed: int) -> str:
    """What a campaign says of a tree; empty where it finds nothing."""
    command = [sys.executable, "-m", "tests.hostile", "--inputs", str(fault.inputs), "--seed", str(seed)]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    done = subprocess.run(
        [*command, "--only", fault.campaign],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    begin = tuple(f"{campaign.name}: " for campaign, _ in PLAN if fault.campaign in campaign.name)
    return next((line for line in done.stderr.splitlines() if line.startswith(begin)), "")


@click.command()
@click.option("--only", default="", help="Part of a fault's name.")
@click.option("--seed", default=1, show_default=True, help="Of the campaigns.")
def main(only: str, seed: int) -> None:
    """Plant each fault in turn, and print a table of what was found."""
    click.echo("| Fault | Campaign | Found |\n| --- | --- | --- |")
    chosen, count = [fault for fault in FAULTS if only in fault.name], 0
    for fault in chosen:
        with tempfile.TemporaryDirectory(prefix="planted-") as folder:
            tree = Path(folder) / "tree"
            shutil.copytree(ROOT, tree, symlinks=True, ignore=LEFT_OUT)
            plant(fault, tree)
            told = found(fault, tree, seed)
        count += bool(told)
        click.echo(f"| {fault.name} | {fault.campaign} | {told[:120] or 'no'} |")
    click.echo(f"\n{count} of {len(chosen)} found")
    sys.exit(count < len(chosen))


if __name__ == "__main__":
    main()
