"""The GPU's benchmark works, and never claims a GPU that is not there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cutgate.worker.settings import NetworkSettings

ROOT = Path(__file__).parents[2]


def run(settings: NetworkSettings, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "CUTGATE_MODELS_DIR": str(settings.models_dir),
        "CUTGATE_CACHE_DIR": str(settings.cache_dir),
        "CUTGATE_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "benchmarks.gpu", "--model", "tiny", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)


def test_three_pictures_on_the_cpu(tiny_settings: NetworkSettings) -> None:
    small = ("--items", "3", "--batch", "2", "--at-once", "3", "--megapixels", "0.1")
    done = run(tiny_settings, "--device", "cpu", *small)
    assert done.returncode == 0, done.stderr
    assert "not run on a GPU" in done.stdout
    assert re.search(r"^ +3 +[\d.]+ +[\d.]+% +[12]\.\d\d +[\d.]+$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"to keep it busy takes [\d.]+ processors", done.stdout)


@pytest.mark.needs("no gpu")
def test_without_a_gpu_it_says_so(tiny_settings: NetworkSettings) -> None:
    done = run(tiny_settings)
    assert done.returncode == 2
    assert done.stdout.startswith("not run on a GPU: ")
