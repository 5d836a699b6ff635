"""Photos whose alpha is known."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks import Absent

SHARED: Final = Path("../shared")
SHARED_SETS: Final = (SHARED / "data" / "eval", SHARED / "data" / "eval_small")

SMALL: Final = "small"
"""The kind of pairs whose subject takes up little of the picture."""

PRODUCT: Final = "product/hard edge"
"""The category of subjects whose edge is hard."""

NO_CASE: Final = "usual"
"""The group of pictures that were not made to be hard in one way."""

SOFT: Final = (2, 253)
"""Between these levels the true alpha counts as soft, as it does for the evaluator."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A photo, its true alpha and its true foreground colours where alpha is soft."""

    name: str
    photo: Path
    alpha: Path
    foreground: Path
    category: str
    kind: str
    subject: str
    """What it shows; several photos may show one subject."""
    fold: int | None = None
    """Of composites: no other fold shows the subject."""
    group: str = NO_CASE
    """Of composites: what makes them hard."""
    sampled: bool = True
    """Whether slow methods cut it out, too: of composites one of each subject, over all backdrops in turn."""


@dataclass(frozen=True, slots=True)
class PairSet:
    """A folder of pairs, scored together."""

    folder: Path
    pairs: tuple[Pair, ...]
    digest: str
    """Of what the manifest says of them: results of another set are not taken for this one's."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def small(self) -> bool:
        """Whether all subjects are small."""
        return all(pair.kind == SMALL for pair in self.pairs)

    @property
    def in_folds(self) -> bool:
        """Whether they are composites in folds, of which no rule has seen some."""
        return all(pair.fold is not None for pair in self.pairs)

    @property
    def sampled(self) -> "PairSet":
        """What slow methods cut out."""
        return self.only(lambda pair: pair.sampled)

    def only(self, wanted: Callable[[Pair], bool]) -> "PairSet":
        """Some of the pairs."""
        return replace(self, pairs=tuple(pair for pair in self.pairs if wanted(pair)))


def read_pairs(folder: Path) -> PairSet:
    """The pairs that a folder's `manifest.json` lists; raises Absent where there is none."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise Absent(f"no pairs: {manifest} is not there; say where they are with --pairs")
    entries = json.loads(manifest.read_bytes())["pairs"]
    pairs = tuple(_pair(folder, entry) for entry in entries)
    return PairSet(folder, pairs, hashlib.sha256(json.dumps(entries).encode()).hexdigest()[:8])


def _pair(folder: Path, entry: Mapping[str, Any]) -> Pair:
    photo, alpha, foreground = (folder / entry[role] for role in ("image", "alpha", "fg"))
    # Two photos made from one original show one subject.
    subject = entry.get("subject") or Path(entry.get("original", entry["name"])).stem
    kinds = entry["category"], entry["kind"]
    marks = {mark: entry[mark] for mark in ("fold", "group", "sampled") if mark in entry}
    return Pair(entry["name"], photo, alpha, foreground, *kinds, subject, **marks)
