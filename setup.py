"""Packages of the distribution: `cutgate/`, and the parts at the top of the repository as `cutgate.<part>`.

The links to the parts in `cutgate/` are for type checkers and editors. The build does not follow them: a ZIP
download and a checkout on Windows have small text files in their place.
"""

import re
import tomllib
from pathlib import Path

from setuptools import find_packages, setup

PARTS = ("courier", "gateway", "jobs", "signing", "worker")
ROOT = Path(__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def readme() -> str:
    """README.md for a package index: its links lead to the repository, at this version's tag."""
    whole = rf"\1({PROJECT['urls']['Source']}/%s/v{PROJECT['version']}/\2)"
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"(!\[[^\]]*\])\((?!\w+:|#)([^)]+)\)", whole % "raw", text)
    return re.sub(r"((?<!!)\[[^\]]*\])\((?!\w+:|#)([^)]+)\)", whole % "blob", text)


own = find_packages(include=["cutgate", "cutgate.*"], exclude=[f"cutgate.{part}*" for part in PARTS])
parts = [name for part in PARTS for name in (part, *(f"{part}.{folder}" for folder in find_packages(part)))]
setup(
    packages=[*own, *(f"cutgate.{name}" for name in parts)],
    package_dir={f"cutgate.{part}": part for part in PARTS},
    long_description=readme(),
    long_description_content_type="text/markdown",
)
