"""Methods under comparison: how each cuts a photo out, and a cache of their results.

python -m benchmarks.quality.methods PAIRS OUT MAPS
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks import Absent
from benchmarks.job import do_job
from benchmarks.quality.evaluator import Evaluator
from benchmarks.quality.maps import keep_maps
from benchmarks.quality.pairs import PRODUCT, PairSet, read_pairs
from benchmarks.rembg_peer import Rembg, isnet_weights
from benchmarks.trees import Tree
from cutgate import Client
from cutgate.files import write_whole
from cutgate.jobs.spec import CutoutSpec, Refinement
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.settings import NetworkSettings

CutOut = Callable[[bytes], bytes]
"""An encoded photo to a PNG with straight alpha."""

PLAIN: Final = "rembg"
MATTING: Final = "rembg matting"
BEFORE: Final = "before"
MASK: Final = "plain mask"
"""The network's own mask as Cutgate has it, with the closer look and without thresholds; of products alone."""
CUTGATE: Final = "Cutgate"

MAPS: Final = "maps"
"""Folder of the network's maps."""

_MATTES: Final = {PLAIN: False, MATTING: True}
_FOLDERS: Final = {PLAIN: "plain", MATTING: "matting", CUTGATE: "cutgate", MASK: "mask"}


def in_process(maps: Path) -> Callable[..., bytes]:
    """The worker's pipeline with the worker's network, whose maps are kept, and the protocol's defaults.

    It is a `CutOut` that takes a `refinement`, too.
    """
    settings = NetworkSettings()
    segmenter = keep_maps(load_segmenter(settings), maps)

    def cut(photo: bytes, refinement: Refinement = Refinement.AUTO) -> bytes:
        return do_job(photo, CutoutSpec(model=settings.model, refinement=refinement), segmenter)

    return cut


def by_service(url: str) -> CutOut:
    """A running service, by the protocol's defaults; raises Absent where the environment has no key pair."""
    try:
        client = Client(url, os.environ["CUTGATE_PUBLIC_KEY"], os.environ["CUTGATE_PRIVATE_KEY"])
    except KeyError as missing:
        raise Absent(f"no key pair: {missing.args[0]} is not set") from None
    return lambda photo: client.remove_background(photo).result()


def cut_out(pairs: PairSet, out: Path, method: CutOut, named: str) -> None:
    """Write `<name>.png` of each pair, and say how far that is."""
    for number, pair in enumerate(pairs.pairs, 1):
        print(f"{named} on {pairs.name}: {number} of {len(pairs.pairs)}", file=sys.stderr, flush=True)
        write_whole(out / f"{pair.name}.png", method(pair.photo.read_bytes()))


class Results:
    """Folders of cut-outs and their scores under one root.

    Those of rembg and of another commit are made once for each set of pairs, weights and version: they do not
    change, and rembg's matting is by far the slowest part. Cutgate's are made anew every time.
    """

    def __init__(
        self,
        root: Path,
        evaluator: Evaluator,
        ours: Mapping[str, CutOut],
        before: Tree | None = None,
        *,
        rembg: bool = True,
    ) -> None:
        self._root = root
        self._evaluator = evaluator
        self._ours = ours
        self._before = before
        self._weights = isnet_weights() if rembg else None
        self._rembg: Rembg | None = None
        self.methods = (*(_MATTES if rembg else ()), *([BEFORE] if before else []), *ours)
        """In the order of the tables."""

    def folder(self, method: str, pairs: PairSet) -> Path:
        """Where a method's cut-outs lie, one `<name>.png` for each pair."""
        place = self._root / f"{pairs.name}-{pairs.digest}"
        if method in self._ours:
            return place / _FOLDERS[method]
        if method == BEFORE:
            assert self._before is not None
            return place / f"before-{self._before.commit}"
        assert self._weights is not None
        return place / f"rembg-{version('rembg')}-{self._weights.sha256[:8]}" / _FOLDERS[method]

    def scored(self, method: str, pairs: PairSet) -> list[dict[str, Any]]:
        """Make what is missing and score it.

        One row for each photo: of rembg for those that are sampled, of the plain mask for products.
        """
        if method in _MATTES:
            pairs = pairs.sampled
        elif method == MASK:
            pairs = pairs.only(lambda pair: pair.category == PRODUCT)
        folder = self.folder(method, pairs)
        folder.mkdir(parents=True, exist_ok=True)
        made = self._make(method, pairs, folder)
        kept = folder / f"scores-{self._evaluator.digest}.json"
        if made or not kept.is_file():
            print(f"scoring {method} on {pairs.name}", file=sys.stderr, flush=True)
            write_whole(kept, json.dumps(self._evaluator(pairs, folder), indent=1).encode())
        rows = json.loads(kept.read_bytes())
        assert isinstance(rows, list)
        return rows

    def _make(self, method: str, pairs: PairSet, folder: Path) -> bool:
        """Cut out every photo that has no result yet; whether there was one."""
        if method in self._ours:
            cut_out(pairs, folder, self._ours[method], method)
            return True
        missing = pairs.only(lambda pair: not (folder / f"{pair.name}.png").is_file())
        if not missing.pairs:
            return False
        if method == BEFORE:
            assert self._before is not None
            paths = (str(path.absolute()) for path in (pairs.folder, folder, self._root / MAPS))
            self._before.run("benchmarks.quality.methods", *paths)
        else:
            cut_out(missing, folder, lambda photo: self._by_rembg(photo, matting=_MATTES[method]), method)
        return True

    def _by_rembg(self, photo: bytes, *, matting: bool) -> bytes:
        if self._rembg is None:
            assert self._weights is not None
            self._rembg = Rembg(self._weights.path, NetworkSettings().thread_count())
        return self._rembg(photo, matting=matting)


if __name__ == "__main__":
    _folder, _results, _maps = map(Path, sys.argv[1:])
    _missing = read_pairs(_folder).only(lambda pair: not (_results / f"{pair.name}.png").is_file())
    cut_out(_missing, _results, in_process(_maps), BEFORE)
