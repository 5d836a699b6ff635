"""The benchmark of inference servers, on its network of no cost."""

from pathlib import Path

from benchmarks.remote import measured, stand_in
from cutgate.worker.settings import EngineName, NetworkSettings
from tests.worker.models.engines.test_runtime import changed


def test_masks_are_equal_and_each_pair_is_timed(tmp_path: Path) -> None:
    values = {"models_dir": tmp_path, "cache_dir": tmp_path, "engine": EngineName.ONNXRUNTIME}
    times, different = measured(changed(NetworkSettings(), **values, model=stand_in(tmp_path)), 2)
    assert different == 0
    assert len(times) == 2
    assert all(took > 0 for pair in times for took in pair)
