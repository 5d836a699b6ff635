"""Cut photos out in this process; or in another one, with the worker of another commit.

python -m benchmarks.quality.cut PAIRS OUT MAPS
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import benchmarks
from benchmarks import Absent
from benchmarks.job import do_job
from benchmarks.quality.maps import keep_maps
from benchmarks.quality.pairs import PairSet, read_pairs
from cutgate.files import write_whole
from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.settings import NetworkSettings


def in_process(maps: Path) -> Callable[[bytes], bytes]:
    """The worker's pipeline with the worker's network and the protocol's defaults.

    Args:
        maps: where the network's maps are kept.
    """
    settings = NetworkSettings()
    spec, segmenter = CutoutSpec(model=settings.model), keep_maps(load_segmenter(settings), maps)
    return lambda photo: do_job(photo, spec, segmenter)


class Before:
    """The worker of another commit, beside these benchmarks."""

    def __init__(self, reference: str, root: Path) -> None:
        """Check the commit out under `root`, unless it is there.

        Raises:
            Absent: git does not know it, or its packages have other names.
        """
        self.commit = _git("rev-parse", "--short=8", f"{reference}^{{commit}}").decode().strip()
        self._tree = root.absolute() / f"tree-{self.commit}"
        if not self._tree.is_dir():
            self._check_out()
        if not (self._tree / "cutgate").is_dir():
            raise Absent(f"{reference} has no package `cutgate`: this commit's worker would stand for its own")

    def cut_out(self, pairs: PairSet, out: Path, maps: Path) -> None:
        """Write `<name>.png` of each pair."""
        self.run(__name__, *(str(path.absolute()) for path in (pairs.folder, out, maps)))

    def run(self, module: str, *arguments: str) -> None:
        """Run a module of these benchmarks on that commit's worker; paths have to be absolute."""
        # Python looks for modules in the working directory first, so it finds that commit's packages.
        environment = os.environ | {"PYTHONPATH": str(self._tree)}
        subprocess.run([sys.executable, "-m", module, *arguments], cwd=self._tree, env=environment, check=True)

    def _check_out(self) -> None:
        self._tree.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._tree.parent) as scratch:
            whole, archive = Path(scratch, "tree"), Path(scratch, "tree.tar")
            _git("archive", "--output", str(archive), self.commit)
            whole.mkdir()
            # Not `tarfile`: newer Pythons want to be told how far to trust an archive, older ones cannot be told.
            subprocess.run(["tar", "--extract", "--file", archive, "--directory", whole], check=True)
            shutil.rmtree(whole / "benchmarks", ignore_errors=True)
            (whole / "benchmarks").symlink_to(Path(benchmarks.__file__).parent.absolute())
            whole.rename(self._tree)


def cut_out(pairs: PairSet, out: Path, method: Callable[[bytes], bytes], named: str) -> None:
    """Write `<name>.png` of each pair, and say how far that is."""
    for number, pair in enumerate(pairs.pairs, 1):
        print(f"{named} on {pairs.name}: {number} of {len(pairs.pairs)}", file=sys.stderr, flush=True)
        write_whole(out / f"{pair.name}.png", method(pair.photo.read_bytes()))


def _git(*arguments: str) -> bytes:
    repository = Path(benchmarks.__file__).parent.parent
    try:
        return subprocess.run(["git", *arguments], cwd=repository, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"").decode().strip() or str(error)
        raise Absent(f"no commit to compare with: {said}") from None


if __name__ == "__main__":
    folder, results, kept = map(Path, sys.argv[1:])
    cut_out(read_pairs(folder), results, in_process(kept), "before")
