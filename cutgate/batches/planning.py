"""The pictures of a call, and the name of each one's result."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from cutgate.errors import NameTaken

PICTURE_SUFFIXES: Final = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
"""What the names of pictures end with; other files of a folder are left alone."""


@dataclass(frozen=True, slots=True)
class Source:
    """One picture: its file, and its name beneath the folder that it was found in."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class PlannedPicture:
    """One picture, and its result's file beneath the output folder."""

    source: Source
    target: str


Places = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""A file or a folder, or a number of them."""


def find_pictures(places: Places, *outputs: Path) -> list[Source]:
    """The pictures of files and folders; of a folder all in it and beneath it but hidden files and the outputs."""
    found: list[Source] = []
    for place in map(Path, [places] if isinstance(places, str | os.PathLike) else places):
        if place.is_dir():
            paths = sorted(
                path for path in _beneath(place, {each.resolve() for each in outputs}) if is_picture(path)
            )
            found += [Source(path, path.relative_to(place).as_posix()) for path in paths]
        else:
            found.append(Source(place, place.name))
    return found


def is_picture(path: Path) -> bool:
    """Whether a file of a folder is meant, by its name; hidden ones are other programs' temporary ones."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def _beneath(folder: Path, outputs: Collection[Path]) -> Iterator[Path]:
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if not entry.is_dir():
            yield path
        elif not entry.name.startswith(".") and path.resolve() not in outputs:
            yield from _beneath(path, outputs)


def plan(
    sources: Iterable[Source],
    output: Path,
    suffix: str = ".png",
    owners: Mapping[str, str] | None = None,
    *,
    leave_out: Callable[[Source, NameTaken], object] | None = None,
) -> list[PlannedPicture]:
    """Say where each picture's result goes: the same name with the suffix, in the output folder.

    Where pictures differ in their suffix only, each one's result has its whole name before the suffix; a result
    that was there before keeps its name. `owners` are such results, and the pictures that they are of; `leave_out`
    is told of a picture whose result's name is taken, and the others are planned all the same.

    Raises:
        NameTaken: a result's file would be a picture, or the result of another one; unless there is `leave_out`.
    """
    pictures = list(sources)
    names = dict(owners or {})
    kept = {source.path.resolve() for source in pictures}
    planned: dict[str, PlannedPicture] = {}
    wanted = Counter(_short(name, suffix) for name in {source.name for source in pictures})
    for source in pictures:
        short, long = _short(source.name, suffix), f"{source.name}{suffix}"
        is_free = short not in names and wanted[short] == 1 and names.get(long) != source.name
        target = short if is_free or names.get(short) == source.name else long
        other = names.get(target, source.name) != source.name
        if other or target in planned or (output / target).resolve() in kept:
            taken = NameTaken(output / target)
            if leave_out is None:
                raise taken
            leave_out(source, taken)
            continue
        names[target] = source.name
        planned[target] = PlannedPicture(source, target)
    return list(planned.values())


def _short(name: str, suffix: str) -> str:
    """A picture's name with the suffix in place of its own."""
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}{suffix}"))
