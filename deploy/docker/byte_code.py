"""Compiles what a process of the service loads, and nothing that it does not.

A file system that cannot be written keeps no byte code, official Python images bring none for the standard
library, and a health check starts a process every few seconds: without it each would compile a thousand files.

Run as `python byte_code.py STDLIB PACKAGE ...`. What belongs to Python itself is written below the folder STDLIB,
to be copied to the same places in the image.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import py_compile
import sys
import sysconfig
from pathlib import Path


def load(package: str) -> None:
    """Import every module of a package, but those whose library this image leaves out."""
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            sys.stdout.write(f"{module.name} is not compiled: {error}\n")


def source_files() -> list[Path]:
    """The files of all modules that are loaded, in an order that is the same every time."""
    files = (getattr(module, "__file__", None) for module in sys.modules.values())
    return sorted({Path(file) for file in files if file and file.endswith(".py")} - {Path(__file__)})


def main(stdlib: Path, packages: list[str]) -> None:
    """Compile what these packages load."""
    for package in packages:
        load(package)
    python = Path(sysconfig.get_path("stdlib"))
    for source in source_files():
        place = importlib.util.cache_from_source(str(source))
        target = f"{stdlib}{place}" if source.is_relative_to(python) else place
        # Checked against its hash by nobody: images do not change, and their dates say nothing.
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(source), target, doraise=True, invalidation_mode=mode)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
