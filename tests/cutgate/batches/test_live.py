"""The command on a whole service: nothing is done twice, whatever is killed.

The service is one of its own, with a network that costs nothing: what counts here are tasks, not pictures.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cutgate.batches.journal import JOURNAL_NAME
from tests.gateway.picture_files import png
from tests.pictures.tiny_network import tiny_environment
from tests.servers.stack import LiveStack, cutgate_up
from tests.waiting import eventually

pytestmark = pytest.mark.long

PNG = b"\x89PNG\r\n\x1a\n"
PICTURES = 16
KEPT = "Already there: "


@pytest.fixture(scope="module")
def quick_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    folder = tmp_path_factory.mktemp("stack")
    with cutgate_up(folder / "data", **tiny_environment(folder)) as live:
        yield live


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for number in range(PICTURES):
        (folder / f"{number}.png").write_bytes(png(32 + number, 32))
    return folder


def results(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {JOURNAL_NAME} if folder.exists() else set()


def has_results(folder: Path, count: int) -> bool:
    return len(results(folder)) >= count


def test_a_folder_whose_call_is_killed_again_and_again_has_each_result_once(
    quick_stack: LiveStack, album: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "cutgate", "cut", str(album), "-o", str(out)]
    command += ["--hair", "off", "--at-once", "3"]
    environment = os.environ | {
        "CUTGATE_URL": quick_stack.url,
        "CUTGATE_PUBLIC_KEY": quick_stack.public_key,
        "CUTGATE_PRIVATE_KEY": quick_stack.private_key,
    }
    with quick_stack.client() as client:
        before = client.balance().used
        for enough in (1, 4):
            with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
                eventually(partial(has_results, out, enough), seconds=30)
                process.kill()
        assert len(results(out)) < PICTURES
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert (client.balance().used - before, client.jobs()) == (PICTURES, [])
    assert results(out) == {f"{number}.png" for number in range(PICTURES)}
    kept = {line.removeprefix(KEPT) for line in done.stderr.splitlines() if line.startswith(KEPT)}
    assert kept
    assert kept | set(done.stdout.split()) == {str(out / name) for name in results(out)}
    assert all((out / name).read_bytes().startswith(PNG) for name in results(out))
