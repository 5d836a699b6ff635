"""Version and changelog of a release, and what still keeps it from being published."""

import os
import re
import subprocess
import sys
import tomllib
from typing import Any, Final

from deploy.supply_chain.audit import ROOT

PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
VERSION: Final[str] = PROJECT["version"]
TAG: Final = f"v{VERSION}"


def output(*command: str) -> str:
    """What a command prints, run in the repository's folder."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def section() -> str:
    """This version's section of CHANGELOG.md; empty until it is joined."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(VERSION)} \(.*?(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


def draft() -> str:
    """The section as `towncrier build` would join it now.

    Raises:
        subprocess.CalledProcessError: a fragment has no kind that `pyproject.toml` knows.
    """
    return output(sys.executable, "-m", "towncrier", "build", "--draft", "--version", VERSION)


def missing() -> dict[str, str]:
    """What keeps this commit from being released, each with what mends it."""
    source: str = PROJECT["urls"]["Source"]
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    fragments = [path for path in (ROOT / "changelog.d").rglob("*.md") if path.is_file()]
    tags = output("git", "tag", "--points-at", "HEAD").split()
    faults = {
        "files differ from the commit": ("git commit", bool(output("git", "status", "--porcelain"))),
        "[project.urls] names no repository, or not this one": (
            "sed -i s/YOUR_ORGANISATION/<organisation>/ pyproject.toml",
            "YOUR_ORGANISATION" in source or not source.endswith(repository),
        ),
        f"CHANGELOG.md has no section {VERSION}, or fragments are left": (
            f"towncrier build --yes --version {VERSION}",
            not section() or bool(fragments),
        ),
        f"the commit has no tag {TAG}": (f"git tag --annotate --message {TAG} {TAG}", TAG not in tags),
    }
    return {fault: remedy for fault, (remedy, is_so) in faults.items() if is_so}
