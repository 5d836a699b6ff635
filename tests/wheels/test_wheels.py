"""Tests of the wheel in empty environments of the oldest and the newest Python, with what pip downloads."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_layers import ROOT
from tests.test_package import build, copy_sources

SCRIPT = Path(__file__).with_name("use_wheel.py")
MODELS = Path.home() / ".cache" / "cutgate" / "models"
MACHINES = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "python",
    [
        pytest.param("python3.11", marks=pytest.mark.needs("python3.11")),
        pytest.param("python3.14", marks=pytest.mark.needs("python3.14")),
    ],
)
def test_a_photo_is_cut_out_by_what_pip_downloads(python: str, tmp_path: Path) -> None:
    for name in ("source", "built"):
        (tmp_path / name).mkdir()
    copy_sources(tmp_path / "source")
    wheel = build(tmp_path / "source", tmp_path / "built")
    wheels = tmp_path / "wheels"
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", f"--dest={wheels}"]
    target = ["--python-version", python.removeprefix("python"), *(f"--platform={name}" for name in MACHINES)]
    subprocess.run([*download, *target, f"{wheel}[worker,cpu]"], check=True, capture_output=True)
    photo, models, script = tmp_path / "coffee.jpg", tmp_path / "models", tmp_path / SCRIPT.name
    shutil.copy(ROOT / "examples" / "coffee.jpg", photo)
    shutil.copytree(MODELS, models)
    shutil.copy(SCRIPT, script)
    done = subprocess.run([python, script, wheels, photo, models], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"on Python {python.removeprefix('python')}." in done.stdout
