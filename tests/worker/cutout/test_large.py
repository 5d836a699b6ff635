"""Memory of the pipeline's steps on a picture of 50 megapixels: three seconds, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
ALLOWED_BYTES = 1.0e9
"""Beside the libraries; the picture and the cut-out themselves are 350 megabytes of it."""

# In a fork: a process started by exec keeps the peak of the one that started it.
RUN = """
import os, resource, sys
import cv2
import numpy as np
from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.pipeline import Frame, run_steps, steps_for

def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
cv2.setNumThreads(1)
loaded = peak_bytes()
height, width = 5792, 8688
colours = np.random.default_rng(0).integers(0, 256, (181, 271, 3), np.uint8)
picture = cv2.resize(colours, (width, height))
mask = cv2.circle(np.zeros((181, 271), np.uint8), (135, 90), 70, 255, -1)
mask = cv2.resize(cv2.GaussianBlur(mask, (0, 0), 4), (width, height))

steps = steps_for(CutoutSpec(model="given"), lambda view: cv2.resize(mask, view.shape[1::-1]), Soft.MEANING)
result = run_steps(steps, Frame(picture=picture), lambda: None).result
assert result.shape == (height, width, 4)
assert ((result[..., 3] > 0) & (result[..., 3] < 255)).any()
print(peak_bytes() - loaded, flush=True)
"""


@pytest.mark.parametrize("meaning", ["DOUBT", "ALPHA"])
def test_fifty_megapixels_stay_within_a_gigabyte(meaning: str) -> None:
    code = RUN.replace("MEANING", meaning)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < ALLOWED_BYTES
