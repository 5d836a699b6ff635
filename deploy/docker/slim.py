"""Removes from installed packages what the service never loads, and says what that saves.

Run as `python slim.py FOLDER`, FOLDER being where packages are. Every row of the table that belongs to an
installed package must remove something, so that a row that a newer version has outdated is noticed.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BLOCK_BYTES: Final = 512
"""Unit of `st_blocks`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surplus:
    """What of one package is not needed."""

    package: str
    """Folder of the package; a package that is not installed has no surplus."""
    patterns: tuple[str, ...]
    """Below that folder, as `Path.glob` takes them."""
    why: str
    kept: frozenset[str] = frozenset()
    """Names that stay although a pattern matches."""


TABLE: Final = (
    Surplus(
        package="botocore/data",
        patterns=("*/",),
        why="descriptions of services other than S3 and those that give credentials for it",
        kept=frozenset({"s3", "signin", "sso", "sso-oidc", "sts"}),
    ),
    Surplus(
        package="flask_swagger_ui",
        patterns=("dist/*", "templates"),
        why="what /docs does not load",
        kept=frozenset({"LICENSE", "swagger-ui-bundle.js", "swagger-ui.css"}),
    ),
    Surplus(package="networkx", patterns=("**/tests",), why="tests"),
    Surplus(package="numba", patterns=("tests",), why="tests"),
    Surplus(package="numpy", patterns=("**/tests",), why="tests"),
    Surplus(package="onnx/backend", patterns=("test",), why="tests and their data"),
    Surplus(
        package="onnxruntime",
        patterns=("datasets", "quantization", "tools", "transformers"),
        why="tools for making networks",
    ),
    Surplus(
        package="openvino/libs",
        patterns=("cache.json", "libopenvino_intel_gpu_plugin.so", "libopenvino_intel_npu_plugin.so"),
        why="the service runs OpenVINO on processors alone",
    ),
    Surplus(
        package="openvino/libs",
        patterns=tuple(
            f"libopenvino_{kind}_frontend.so*"
            for kind in ("gguf", "jax", "paddle", "pytorch", "tensorflow", "tensorflow_lite")
        ),
        why="readers of networks that are not ONNX",
    ),
    Surplus(package="openvino", patterns=("include", "tools"), why="headers, and tools for converting networks"),
    Surplus(
        package="pygments",
        patterns=("lexers/*.py",),
        why="colours for all languages but Python",
        kept=frozenset({"__init__.py", "_mapping.py", "python.py", "special.py"}),
    ),
    Surplus(package="scipy", patterns=("**/tests",), why="tests"),
)


def surplus(packages: Path, row: Surplus) -> Iterator[Path]:
    """Files and folders that a row means, none of them inside another."""
    for pattern in row.patterns:
        for path in sorted((packages / row.package).glob(pattern)):
            if path.name not in row.kept:
                yield path


def disk_bytes(path: Path) -> int:
    """What a file, or all files of a folder, take on the disk."""
    paths = (path, *path.rglob("*")) if path.is_dir() else (path,)
    return sum(entry.lstat().st_blocks for entry in paths) * BLOCK_BYTES


def remove(path: Path) -> int:
    """Remove a file or folder; returns the bytes that it took."""
    saved_bytes = disk_bytes(path)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return saved_bytes


def main(packages: Path) -> None:
    """Remove all surplus of the packages in a folder.

    Raises:
        SystemExit: a row of an installed package removes nothing.
    """
    for row in TABLE:
        if not (packages / row.package).is_dir():
            continue
        saved_bytes = sum(remove(path) for path in list(surplus(packages, row)))
        if not saved_bytes:
            sys.exit(f"nothing of {row.package} is {', '.join(row.patterns)}: mend the table of {__file__}")
        sys.stdout.write(f"{saved_bytes / 1e6:6.1f} MB  {row.package}: {row.why}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
