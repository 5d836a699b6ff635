"""Removes from installed packages what the service never loads.

Run as `python slim.py FOLDER`, FOLDER being where packages are. Every row of the table that belongs to an
installed package must remove something, so that a row that a newer version has outdated is noticed.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final, NamedTuple


class Surplus(NamedTuple):
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


def remove(packages: Path, row: Surplus) -> int:
    """Remove what a row means, and say how many files and folders that is."""
    found = {path for pattern in row.patterns for path in (packages / row.package).glob(pattern)}
    surplus = [path for path in found if path.name not in row.kept]
    for path in surplus:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return len(surplus)


def main(packages: Path) -> None:
    """Remove all surplus of the packages in a folder.

    Raises:
        SystemExit: a row of an installed package removes nothing.
    """
    for row in TABLE:
        if (packages / row.package).is_dir() and not remove(packages, row):
            sys.exit(f"nothing of {row.package} is {', '.join(row.patterns)}: mend the table of {__file__}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
