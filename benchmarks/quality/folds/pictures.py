"""Pictures made from subjects and backgrounds, as files with a manifest."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.pairs import SOFT, Pair, PairSet, read_pairs
from cutgate.files import write_whole
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatImage, FloatMask, RgbImage

JPEG_QUALITIES: Final = (95, 88, 75)
GRAIN_LEVELS: Final = (0.0, 2.0, 4.0)
MANIFEST: Final = "manifest.json"

Entries: TypeAlias = Iterator[Mapping[str, Any]]
"""What a manifest says of pictures, as they are written."""


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """A picture, its true alpha, the subject's colours, and how it was made."""

    photo: RgbImage
    alpha: ByteMask
    foreground: RgbImage
    """The subject's colours where alpha is soft, black elsewhere."""
    jpeg_quality: int
    backdrop: str


def photographed(
    share: FloatImage, free: FloatMask, background: FloatImage, rng: np.random.Generator
) -> tuple[RgbImage, int]:
    """Premultiplied colours over a background that shows by `free`, 0 to 1, with grain; and a JPEG quality."""
    seen = share + free[..., None] * background
    seen = seen + rng.normal(0, rng.choice(GRAIN_LEVELS), share.shape)
    return levels(seen), int(rng.choice(JPEG_QUALITIES))


def rounded(share: FloatImage, alpha: FloatMask) -> tuple[FloatImage, ByteMask]:
    """Alpha as it is written, and the colours that go with it: what is laid over a background uses these."""
    whole = np.clip(np.rint(alpha), 0, 255)
    kept = np.asarray(share * (whole / np.maximum(alpha, np.float32(1e-6)))[..., None], np.float32)
    return kept, whole.astype(np.uint8)


def composite_of(
    share: FloatImage, alpha: ByteMask, background: FloatImage, backdrop: str, rng: np.random.Generator
) -> Composite:
    """A subject, as `rounded` gives it, over a background."""
    weight = np.asarray(alpha / np.float32(255), np.float32)
    photo, quality = photographed(share, 1 - weight, background, rng)
    colours = share / np.maximum(weight, np.float32(1 / 255))[..., None]
    soft = (alpha > SOFT[0]) & (alpha < SOFT[1])
    return Composite(photo, alpha, levels(colours * soft[..., None]), quality, backdrop)


def made_in(folder: Path, sets: Sequence[PairSet], write: Callable[[Sequence[Pair], Path], Entries]) -> PairSet:
    """What a program makes of some sets, where it is not there or was made otherwise; the manifest is last."""
    programs = sorted(Path(__file__).parent.glob("*.py"))
    made_by = hashlib.sha256(b"".join(program.read_bytes() for program in programs)).hexdigest()
    made_from = {"program": made_by, "sets": [pairs.digest for pairs in sets]}
    manifest = folder / MANIFEST
    if not manifest.is_file() or json.loads(manifest.read_bytes())["made_from"] != made_from:
        folder.mkdir(parents=True, exist_ok=True)
        entries = list(write([pair for pairs in sets for pair in pairs.pairs], folder))
        write_whole(manifest, json.dumps({"made_from": made_from, "pairs": entries}, indent=1).encode())
    return read_pairs(folder)


def written(composite: Composite, folder: Path, name: str) -> dict[str, Any]:
    """Write the three files; what the manifest says of them. The digest makes it the manifest's own."""
    as_jpeg = [cv2.IMWRITE_JPEG_QUALITY, composite.jpeg_quality]
    files = {
        "image": (f"{name}.jpg", composite.photo[..., ::-1], as_jpeg),
        "alpha": (f"{name}.alpha.png", composite.alpha, []),
        "fg": (f"{name}.fg.png", composite.foreground[..., ::-1], []),
    }
    digest = hashlib.sha256()
    for file, pixels, options in files.values():
        done, data = cv2.imencode(Path(file).suffix, np.ascontiguousarray(pixels), options)
        assert done
        digest.update(data.tobytes())
        write_whole(folder / file, data.tobytes())
    made = {"backdrop": composite.backdrop, "jpeg_quality": composite.jpeg_quality, "sha256": digest.hexdigest()}
    return {"name": name, **{role: file for role, (file, _, _) in files.items()}, **made}


def levels(values: NDArray[np.floating[Any]]) -> RgbImage:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
