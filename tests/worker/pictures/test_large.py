"""The largest picture that is accepted, in a process of its own: how much memory it takes beside the network."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.long

WIDTH_PX, HEIGHT_PX = 8_160, 6_120
MEBIBYTES = 1_500

CODE = """
import sys
from pathlib import Path
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

def peak_mebibytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

limits = SourceLimits(max_bytes=2**25, max_pixels=50_000_000, max_side_px=12_000)
how = Finish(
    file_format=FileFormat(sys.argv[2]),
    background=np.zeros((6000, 8000, 3), np.uint8),
    composition=Composition(scale=1, shadow=Shadow()),
    most_pixels=50_000_000,
)
before = peak_mebibytes()
finished = finish(cut(read_image(Path(sys.argv[1]).read_bytes(), limits)), how)
assert finished.width_px == 6_120, finished.width_px
print(peak_mebibytes() - before)
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
def test_50_megapixels_fit(large: Path, file_format: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(large), file_format], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MEBIBYTES


READ = """
import sys
from pathlib import Path
from cutgate.jobs.limits import SourceLimits
from cutgate.worker.pictures.images import read_image

def mebibytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) // 1024

data = Path(sys.argv[1]).read_bytes()
limits = SourceLimits(max_bytes=2**25, max_pixels=50_000_000, max_side_px=12_000)
before = mebibytes("VmRSS")
assert read_image(data, limits).rgb.shape == (6_120, 8_160, 3)
print(mebibytes("VmHWM") - before)
"""
WEBP_MEBIBYTES = 512


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_webp_of_50_megapixels_and_two_kilobytes_is_read_in_half_a_gibibyte(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "large.webp"
    Image.new(mode, (WIDTH_PX, HEIGHT_PX), (90, 120, 30, 100)[: len(mode)]).save(path, lossless=True)
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < WEBP_MEBIBYTES
