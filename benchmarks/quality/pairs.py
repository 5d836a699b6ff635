"""Photos whose alpha is known, and the program that scores results against them."""

import hashlib
import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

from benchmarks import Absent

SHARED: Final = Path("../shared")
SHARED_SETS: Final = (SHARED / "data" / "eval", SHARED / "data" / "eval_small")

SMALL: Final = "small"
"""The kind of pairs whose subject takes up little of the picture."""

USUAL: Final = "usual"
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
    group: str = USUAL
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


class Evaluator:
    """The program that scores a folder of results against a folder of pairs."""

    def __init__(self, file: Path) -> None:
        """Raise `Absent` where the program is not there."""
        if not file.is_file():
            raise Absent(f"no evaluator: {file} is not there; say where it is with --evaluator")
        self.file = file

    @cached_property
    def digest(self) -> str:
        """Of the program: scores by another one are not taken for this one's."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()[:8]

    @cached_property
    def _module(self) -> Any:
        spec = importlib.util.spec_from_file_location("evaluate", self.file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def __call__(self, pairs: PairSet, results: Path) -> list[dict[str, Any]]:
        """One row for each pair: its name, category and subject, and every measure by name."""
        subjects = {pair.name: pair.subject for pair in pairs.pairs}
        report = self._module.evaluate([str(pairs.folder)], str(results))
        if missing := subjects.keys() & set(report["missing"]):
            raise Absent(f"{results} has no result for {', '.join(sorted(missing))}")
        rows = cast("list[dict[str, Any]]", report["images"])
        return [row | {"subject": subjects[row["name"]]} for row in rows if row["name"] in subjects]
