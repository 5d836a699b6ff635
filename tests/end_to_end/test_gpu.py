"""A worker on a GPU: the one test that a machine without one cannot run."""

from pathlib import Path

import pytest

from tests.servers.stack import ROOT, cutgate_up

pytestmark = pytest.mark.long


@pytest.mark.needs("gpu")
def test_a_worker_does_a_job_on_the_gpu(tmp_path: Path, weights_dir: Path) -> None:
    with cutgate_up(tmp_path, CUTGATE_DEVICE="gpu", CUTGATE_MODELS_DIR=str(weights_dir)) as live:
        (worker,) = live.workers()
        assert worker["provider"] == "CUDAExecutionProvider"
        with live.client() as client:
            job = client.remove_background(ROOT / "examples" / "coffee.jpg")
            job.wait(timeout_seconds=60)
            job.save(tmp_path / "coffee.png")
    assert (tmp_path / "coffee.png").read_bytes().startswith(b"\x89PNG")
