"""File formats of results, and what the names of their files end with."""

import os
from pathlib import Path
from typing import Final

from cutgate.errors import WrongSuffix

SUFFIXES: Final = {"png": (".png",), "webp": (".webp",), "jpeg": (".jpg", ".jpeg"), "zip": (".zip",)}
"""File formats, and what the names of their files end with; the first one is ours."""

BESIDE: Final = {False: "-cutout", True: "-mask"}
"""Suffix of a result's name beside its picture, by whether it is a mask."""

FORMATS: Final = {suffix: name for name, suffixes in SUFFIXES.items() for suffix in suffixes}
_SIGNATURES: Final = {b"\x89PNG": "png", b"RIFF": "webp", b"\xff\xd8\xff": "jpeg", b"PK\x03\x04": "zip"}


def format_for(target: str | os.PathLike[str], asked: str | None = None) -> str:
    """The format of a file: as asked for, else by its name's suffix, else PNG.

    Args:
        target: the file; its name may be without a suffix.
        asked: a format of `SUFFIXES`, or None. With one, a suffix that is no format's is a part of the name.

    Raises:
        WrongSuffix: the suffix is another format's; or nothing was asked for, and it is no format's at all.
        ValueError: `asked` is no format.
    """
    if asked is not None and asked not in SUFFIXES:
        raise ValueError(f"{asked!r} is not a format: take {', '.join(SUFFIXES)}")
    suffix = Path(target).suffix
    meant = FORMATS.get(suffix.lower())
    if meant is None and suffix and asked is None:
        raise WrongSuffix(Path(target), f"{suffix} is no format that can be written", " or ".join(FORMATS))
    if meant is not None and asked not in {None, meant}:
        raise WrongSuffix(Path(target), f"{asked} was asked for", " or ".join(SUFFIXES[asked or meant]))
    return asked or meant or "png"


def require_match(target: Path, content: bytes) -> None:
    """Refuse to write a file under a suffix of another format's.

    Raises:
        WrongSuffix: the content is in another format than the name says.
    """
    actual = next((name for start, name in _SIGNATURES.items() if content.startswith(start)), None)
    if actual is not None and FORMATS.get(target.suffix.lower(), actual) != actual:
        raise WrongSuffix(target, f"the result is {actual}", " or ".join(SUFFIXES[actual]))
