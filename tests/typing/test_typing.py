"""Tests of the public names' types: mypy and pyright read an installed wheel, beside nothing of the repository."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_package import PROJECT, build, closure, copy_sources, installed, link_distributions

HERE = Path(__file__).parent
FILES = ("public_names.py", "misuses.py")
TOOLS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's project with an environment of its own that has the wheel, and what the library needs."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("source", "wheel"):
        (folder / name).mkdir()
    copy_sources(folder / "source")
    wheel = build(folder / "source", folder / "wheel")
    shutil.rmtree(folder / "source")
    python = installed(wheel, folder / "environment")
    (packages,) = (folder / "environment").glob("lib/*/site-packages")
    extras = PROJECT["optional-dependencies"]
    link_distributions(closure([*extras["worker"], *extras["cpu"]]), packages)
    asked = [str(python), "-c", "import cutgate; print(cutgate.__file__)"]
    said = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert Path(said.strip()).is_relative_to(packages)
    return folder


MYPY = (TOOLS / "mypy", "--strict", "--config-file=", "--python-executable", "environment/bin/python")
PYRIGHT = (TOOLS / "pyright", "--pythonpath", "environment/bin/python")
PYRIGHT_SETTINGS = """# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
# pyright: reportUnusedExpression=false, reportMissingTypeStubs=false
"""


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "command",
    [pytest.param(MYPY, id="mypy"), pytest.param(PYRIGHT, marks=pytest.mark.needs("npm"), id="pyright")],
)
def test_public_names_have_types_and_misuses_are_refused(project: Path, command: tuple[str | Path, ...]) -> None:
    """Pyright's own program comes from npm, at its first run."""
    for name in FILES:
        (project / name).write_text(PYRIGHT_SETTINGS + (HERE / name).read_text("utf-8"), "utf-8")
    done = subprocess.run([*command, *FILES], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    needless = (project / "misuses.py").read_text("utf-8") + "remove_background(b'')  # type: ignore[arg-type]\n"
    (project / "misuses.py").write_text(needless, "utf-8")
    done = subprocess.run([*command, *FILES], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 1, "a misuse that is let pass would not be noticed"
