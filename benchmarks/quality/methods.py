"""What is compared: how each method cuts a photo out, and the results that need not be made again."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import Absent
from benchmarks.quality.cut import Before, cut_out
from benchmarks.quality.pairs import Evaluator, PairSet
from benchmarks.rembg_peer import Rembg, isnet_weights, rembg_version
from cutgate import Client
from cutgate.files import write_whole
from cutgate.worker.settings import NetworkSettings

CutOut = Callable[[bytes], bytes]
"""An encoded photo to a PNG with straight alpha."""

PLAIN: Final = "rembg"
MATTING: Final = "rembg matting"
BEFORE: Final = "before"
CUTGATE: Final = "Cutgate"

MAPS: Final = "maps"
"""Folder of the network's maps."""

_MATTES: Final = {PLAIN: False, MATTING: True}
_FOLDERS: Final = {PLAIN: "plain", MATTING: "matting", CUTGATE: "cutgate"}


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

    Those of rembg and of another commit are made once for each set of pairs, weights and version: they do not
    change, and rembg's matting is by far the slowest part. Cutgate's are made anew every time.

    Attributes:
        methods: by name, in the order of the tables.
    """

    def __init__(self, root: Path, evaluator: Evaluator, cutgate: CutOut, before: Before | None = None) -> None:
        self._root = root
        self._evaluator = evaluator
        self._cutgate = cutgate
        self._before = before
        self._weights = isnet_weights()
        self._rembg: Rembg | None = None
        self.methods = (PLAIN, MATTING, *([BEFORE] if before else []), CUTGATE)

    def folder(self, method: str, pairs: PairSet) -> Path:
        """Where a method's cut-outs lie, one `<name>.png` for each pair."""
        place = self._root / f"{pairs.name}-{pairs.digest}"
        if method == CUTGATE:
            return place / _FOLDERS[method]
        if method == BEFORE:
            assert self._before is not None
            return place / f"before-{self._before.commit}"
        return place / f"rembg-{rembg_version()}-{self._weights.sha256[:8]}" / _FOLDERS[method]

    def scored(self, method: str, pairs: PairSet) -> list[dict[str, Any]]:
        """Make what is missing and score it; one row for each photo, of rembg for those that are sampled."""
        if method in _MATTES:
            pairs = pairs.sampled
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
        if method == CUTGATE:
            cut_out(pairs, folder, self._cutgate, method)
            return True
        missing = pairs.only(lambda pair: not (folder / f"{pair.name}.png").is_file())
        if not missing.pairs:
            return False
        if method == BEFORE:
            assert self._before is not None
            self._before.cut_out(pairs, folder, self._root / MAPS)
        else:
            cut_out(missing, folder, lambda photo: self._by_rembg(photo, matting=_MATTES[method]), method)
        return True

    def _by_rembg(self, photo: bytes, *, matting: bool) -> bytes:
        if self._rembg is None:
            self._rembg = Rembg(self._weights.path, NetworkSettings().thread_count())
        return self._rembg(photo, matting=matting)
