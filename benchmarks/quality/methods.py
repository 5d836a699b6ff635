"""What is compared: how each method cuts a photo out, and the results of rembg, which are kept."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import Absent
from benchmarks.job import do_job
from benchmarks.quality.pairs import Evaluator, PairSet
from benchmarks.rembg_peer import Rembg, isnet_weights, rembg_version
from cutgate import Client
from cutgate.files import write_whole
from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.settings import NetworkSettings

CutOut = Callable[[bytes], bytes]
"""An encoded photo to a PNG with straight alpha."""

PLAIN: Final = "rembg"
MATTING: Final = "rembg matting"
CUTGATE: Final = "Cutgate"
METHODS: Final = (PLAIN, MATTING, CUTGATE)
"""By name, in the order of the tables."""

_FOLDERS: Final = {PLAIN: "plain", MATTING: "matting", CUTGATE: "cutgate"}


def in_process() -> CutOut:
    """The worker's pipeline with the worker's network and the protocol's defaults."""
    settings = NetworkSettings()
    spec, segmenter = CutoutSpec(model=settings.model), load_segmenter(settings)
    return lambda photo: do_job(photo, spec, segmenter)


def by_service(url: str, environment: Mapping[str, str]) -> CutOut:
    """A running service, by the protocol's defaults.

    Args:
        url: of the service.
        environment: holds the key pair.

    Raises:
        Absent: the environment has no key pair.
    """
    try:
        client = Client(url, environment["CUTGATE_PUBLIC_KEY"], environment["CUTGATE_PRIVATE_KEY"])
    except KeyError as missing:
        raise Absent(f"no key pair: {missing.args[0]} is not set") from None
    return lambda photo: client.remove_background(photo).result()


class Results:
    """Folders of cut-outs and their scores under one root.

    Those of rembg are made once for each set of pairs, weights and version: neither changes, and its matting is
    by far the slowest part. Cutgate's are made anew every time.
    """

    def __init__(self, root: Path, evaluator: Evaluator, cutgate: CutOut) -> None:
        self._root = root
        self._evaluator = evaluator
        self._cutgate = cutgate
        self._weights = isnet_weights()
        self._rembg: Rembg | None = None

    def folder(self, method: str, pairs: PairSet) -> Path:
        """Where a method's cut-outs lie, one `<name>.png` for each pair."""
        place = self._root / f"{pairs.name}-{pairs.digest}"
        if method == CUTGATE:
            return place / _FOLDERS[method]
        return place / f"rembg-{rembg_version()}-{self._weights.sha256[:8]}" / _FOLDERS[method]

    def scored(self, method: str, pairs: PairSet) -> list[dict[str, Any]]:
        """Make what is missing and score it; one row for each photo."""
        folder = self.folder(method, pairs)
        folder.mkdir(parents=True, exist_ok=True)
        made = self._make(method, pairs, folder)
        kept = folder / f"scores-{self._evaluator.digest}.json"
        if made or not kept.is_file():
            print(f"scoring {method} on {pairs.name}", file=sys.stderr, flush=True)
            rows = self._evaluator(pairs, folder)
            write_whole(kept, json.dumps(rows, indent=1).encode())
        rows = json.loads(kept.read_bytes())
        assert isinstance(rows, list)
        return rows

    def _make(self, method: str, pairs: PairSet, folder: Path) -> int:
        """Cut out every photo that has no result yet; how many those were."""
        made = 0
        for number, pair in enumerate(pairs.pairs, 1):
            result = folder / f"{pair.name}.png"
            if method == CUTGATE or not result.is_file():
                print(f"{method} on {pairs.name}: {number} of {len(pairs.pairs)}", file=sys.stderr, flush=True)
                write_whole(result, self._cut_out(method, pair.photo.read_bytes()))
                made += 1
        return made

    def _cut_out(self, method: str, photo: bytes) -> bytes:
        if method == CUTGATE:
            return self._cutgate(photo)
        if self._rembg is None:
            self._rembg = Rembg(self._weights.path, NetworkSettings().thread_count())
        return self._rembg(photo, matting=method == MATTING)
