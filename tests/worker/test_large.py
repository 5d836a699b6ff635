"""Pictures of 50 megapixels, each in a process of its own: how much memory they take beside the libraries."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.long

WIDTH_PX, HEIGHT_PX = 8_160, 6_120
PEAK = """
import sys
from pathlib import Path

def mebibytes(name="VmHWM"):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) // 1024
"""


def taken(code: str, *arguments: str | Path) -> int:
    """Mebibytes that a process counts while it runs a program."""
    command = [sys.executable, "-c", PEAK + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


FINISH = """
import numpy as np
from cutgate.jobs.composition import Composition, Shadow
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.spec import FileFormat
from cutgate.worker.cutout.matting.compose import with_straight_alpha
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.finish import Finish, finish
from cutgate.worker.pictures.images import SourceImage, read_image

def cut(source: SourceImage) -> Picture:
    alpha = np.zeros(source.rgb.shape[:2], np.uint8)
    alpha[1000:5000, 1000:7000] = 255
    alpha[1000:5000, 1000:1100] = 99
    return Picture(pixels=with_straight_alpha(source.rgb, alpha), dpi=source.dpi)

limits = SourceLimits(max_bytes=2**25, max_pixels=50_000_000, max_side_px=12_000)
how = Finish(
    file_format=FileFormat(sys.argv[2]),
    background=np.zeros((6000, 8000, 3), np.uint8),
    composition=Composition(scale=1, shadow=Shadow()),
    most_pixels=50_000_000,
)
before = mebibytes()
finished = finish(cut(read_image(Path(sys.argv[1]).read_bytes(), limits)), how)
assert finished.width_px == 6_120, finished.width_px
print(mebibytes() - before)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG of 50 megapixels that is stored on its side."""
    path = tmp_path_factory.mktemp("large") / "large.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH_PX, HEIGHT_PX), (90, 120, 30)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("file_format", ["png", "jpeg"])
def test_the_largest_picture_fits(large: Path, file_format: str) -> None:
    assert taken(FINISH, large, file_format) < 1_500


READ = """
from cutgate.jobs.limits import SourceLimits
from cutgate.worker.pictures.images import read_image

data = Path(sys.argv[1]).read_bytes()
limits = SourceLimits(max_bytes=2**25, max_pixels=50_000_000, max_side_px=12_000)
before = mebibytes("VmRSS")
assert read_image(data, limits).rgb.shape == (6_120, 8_160, 3)
print(mebibytes() - before)
"""


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_webp_of_two_kilobytes_is_read_in_half_a_gibibyte(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "large.webp"
    Image.new(mode, (WIDTH_PX, HEIGHT_PX), (90, 120, 30, 100)[: len(mode)]).save(path, lossless=True)
    assert taken(READ, path) < 512


STEPS = """
import cv2
import numpy as np
from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.pipeline import Frame, run_steps, steps_for

cv2.setNumThreads(1)
loaded = mebibytes()
height, width = 5792, 8688
colours = np.random.default_rng(0).integers(0, 256, (181, 271, 3), np.uint8)
picture = cv2.resize(colours, (width, height))
mask = cv2.circle(np.zeros((181, 271), np.uint8), (135, 90), 70, 255, -1)
mask = cv2.resize(cv2.GaussianBlur(mask, (0, 0), 4), (width, height))

steps = steps_for(CutoutSpec(model="given"), lambda view: cv2.resize(mask, view.shape[1::-1]), Soft[sys.argv[1]])
result = run_steps(steps, Frame(picture=picture), lambda: None).result
assert result.shape == (height, width, 4)
assert ((result[..., 3] > 0) & (result[..., 3] < 255)).any()
print(mebibytes() - loaded)
"""


@pytest.mark.parametrize("meaning", ["DOUBT", "ALPHA"])
def test_the_steps_stay_within_a_gigabyte(meaning: str) -> None:
    """The picture and the cut-out themselves are 350 megabytes of it."""
    assert taken(STEPS, meaning) < 950
