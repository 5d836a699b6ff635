"""Version and changelog of a release, and the steps that are left until a commit can be published."""

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


def notes() -> str:
    """This version's section of CHANGELOG.md, or what `towncrier build` would make it now."""
    draft = (sys.executable, "-m", "towncrier", "build", "--draft", "--version", VERSION)
    return _section() or output(*draft)


def steps_left() -> list[str]:
    """Commands that a person has to run before this commit can be published, with the reasons."""
    source: str = PROJECT["urls"]["Source"]
    is_own = source.endswith(os.environ.get("GITHUB_REPOSITORY", "")) and "YOUR_ORGANISATION" not in source
    is_joined = _section() and not [*(ROOT / "changelog.d").rglob("*.md")]
    steps = {
        "sed -i s/YOUR_ORGANISATION/.../ pyproject.toml  # [project.urls] is not this repository's": not is_own,
        f"towncrier build --yes --version {VERSION}  # changelog.d/ is not in CHANGELOG.md": not is_joined,
        "git commit --all  # files differ from the commit": bool(output("git", "status", "--porcelain")),
        f"git tag --annotate {TAG}  # the commit lacks it": TAG not in output("git", "tag", "--points-at").split(),
    }
    return [step for step, is_left in steps.items() if is_left]


def _section() -> str:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(VERSION)} \(.*?(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""
