"""A real worker whose network does harm where a test asks for it, by the width of the picture.

Run as `python -m tests.worker.process.harmful_worker [dies-loading]`, with a worker's environment.
"""

import ctypes
import os
import signal
import sys
import time

from cutgate.jobs.observe import logs
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.process import celery_app as app
from cutgate.worker.process.child import Child
from cutgate.worker.settings import NetworkSettings, WorkerSettings
from tests.constants import change_constants

HANGS_PX, DIES_PX, SLOW_PX, LEAKS_PX, RAISES_PX, BREAKS_PX = 41, 42, 43, 44, 45, 46
SLOW_SECONDS = 0.8
LEAK_BYTES = 96 * 2**20

leaked: list[bytearray] = []
broken: list[int] = []


def do_harm(width_px: int) -> None:
    if broken:
        raise RuntimeError("CUDA error 700")
    match width_px:
        case 41:
            # Native code that keeps the interpreter's lock: no thread of the process runs on.
            ctypes.PyDLL(None).sleep(1_000)
        case 42:
            os.kill(os.getpid(), signal.SIGKILL)
        case 43:
            time.sleep(SLOW_SECONDS)
        case 44:
            leaked.append(bytearray(os.urandom(2**20)) * (LEAK_BYTES // 2**20))
        case 45:
            raise ValueError("no such stride")
        case 46:
            broken.append(width_px)
            raise RuntimeError("CUDA error 700")


def load(settings: NetworkSettings) -> Segmenter:
    if "dies-loading" in sys.argv:
        time.sleep(1)  # at once, Celery itself would notice
        os.kill(os.getpid(), signal.SIGKILL)
    segmenter = load_segmenter(settings)
    network = segmenter.predict

    def predict(image: RgbImage) -> ByteMask:
        do_harm(image.shape[1])
        return network(image)

    segmenter.predict = predict
    return segmenter


if __name__ == "__main__":
    change_constants()
    settings = WorkerSettings()
    logs.configure(settings.log_format, settings.log_level)
    sys.exit(app.run(settings, Child(settings, load)))
