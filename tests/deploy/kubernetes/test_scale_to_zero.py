"""A service without a worker: pictures start one by KEDA's formula, get their results; then the worker goes."""

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from cutgate import Client
from cutgate.jobs.observe import metric_names as names
from cutgate.jobs.spec import DEFAULT_MODEL
from tests.deploy.kubernetes.installation import Installation as Deployment
from tests.deploy.kubernetes.test_scaling import workers_wanted
from tests.gateway.installation import Installation
from tests.pictures.tiny_network import write_tiny_model
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server
from tests.servers.scrapes import scrape
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.needs("kubectl")]

PICTURE = Path(__file__).parents[3] / "examples" / "coffee.jpg"
COLD = {"ready": True, "cold": True}


@pytest.mark.parametrize("model", ["tiny", DEFAULT_MODEL])
def test_from_zero_to_a_result_and_back(
    model: str,
    tmp_path: Path,
    weights_dir: Path,
    installations: dict[str, Deployment],
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = free_port()
    own = installations["elsewhere"].environment("gateway")
    to_zero = {name: own[name] for name in ("CUTGATE_SCALE_TO_ZERO", "CUTGATE_OFFER_MEMORY_SECONDS")}
    write_tiny_model(tmp_path)
    models_dir = weights_dir if model == DEFAULT_MODEL else tmp_path
    settings = {"CUTGATE_MODEL": model, "CUTGATE_MODELS_DIR": str(models_dir), "CUTGATE_ENGINE": "onnxruntime"}
    with redis_server() as redis_url:
        service = Installation(redis_url, tmp_path / "blobs")
        service.environment |= settings | {
            "CUTGATE_MAX_SOURCE_BYTES": "9000000",
            "CUTGATE_MAX_BODY_BYTES": "20000000",
        }
        service.environment |= {"CUTGATE_MAX_BATCH_BODY_BYTES": "20000000"}

        def wanted() -> int:
            return workers_wanted(installations["elsewhere"], scrape(port).text, f"{model}:exact")

        keys = service.keys("add", "--name", "anna")
        with (
            service.serving(CUTGATE_METRICS_PORT=str(port), **to_zero) as gateway,
            Client(gateway.url, keys["public_key"], keys["private_key"]) as client,
        ):
            assert wanted() == 0
            assert httpx.get(f"{gateway.url}/readyz", trust_env=False).json() == COLD
            submitted = time.monotonic()
            jobs = [client.remove_background(PICTURE) for _ in range(3)]
            assert wanted() == 1
            command = [sys.executable, "-m", "cutgate.worker", "run"]
            with (tmp_path / "worker.log").open("wb") as log:
                worker = subprocess.Popen(command, env=service.environment, stdout=log, stderr=log)
            try:
                eventually(
                    lambda: httpx.get(f"{gateway.url}/readyz", trust_env=False).json() == {"ready": True},
                    say=(tmp_path / "worker.log").read_text,
                )
                started_seconds = time.monotonic() - submitted
                assert all(job.result().startswith(b"\x89PNG") for job in jobs)
                result_seconds = time.monotonic() - submitted
                eventually(lambda: wanted() == 0)
                worker.terminate()
                worker.wait(60)
            finally:
                worker.kill()
            eventually(lambda: httpx.get(f"{gateway.url}/readyz", trust_env=False).json() == COLD)
            assert wanted() == 0
            assert scrape(port).value(names.CREDITS_BOOKED) == len(jobs)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{model}: worker ready after {started_seconds:.1f} s, results after {result_seconds:.1f} s\n"
        )
