"""Trees of this project to measure: this one, and another commit's with these benchmarks."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import Absent

ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree, and the commit that it has checked out; files may differ from it."""

    root: Path
    commit: str

    def environment(self, **settings: str) -> dict[str, str]:
        """This process's environment with the tree's packages, and with these settings alone."""
        others = {k: v for k, v in os.environ.items() if not k.startswith("CUTGATE_") and k != "REDIS_URL"}
        return others | {"PYTHONPATH": str(self.root)} | settings

    def run(self, module: str, *arguments: str) -> None:
        """Run a module of these benchmarks, with this process's settings; paths have to be absolute."""
        environment = os.environ | {"PYTHONPATH": str(self.root)}
        subprocess.run([sys.executable, "-m", module, *arguments], cwd=self.root, env=environment, check=True)


def here() -> Tree:
    return Tree(ROOT, _git("rev-parse", "--short=8", "HEAD"))


@contextmanager
def worktree(reference: str) -> Iterator[Tree]:
    """Another commit, in a folder for the length of the block; this Python runs it, with its libraries.

    Raises:
        Absent: git does not know the commit.
    """
    commit = _git("rev-parse", "--short=8", f"{reference}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="cutgate-tree-") as folder:
        root = Path(folder, commit)
        _git("worktree", "add", "--detach", str(root), commit)
        try:
            shutil.rmtree(root / "benchmarks")
            (root / "benchmarks").symlink_to(ROOT / "benchmarks")
            yield Tree(root, commit)
        finally:
            _git("worktree", "remove", "--force", str(root))


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Absent(f"no commit to compare with: {getattr(error, 'stderr', '').strip() or error}") from None
    return done.stdout.strip()
