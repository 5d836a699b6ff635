"""Two models on one worker of `cutgate up`, as accounts of both protocols and the operator meet them."""

import base64
import io
import uuid
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from PIL import Image

from cutgate import Client, ServiceError
from tests.pictures.tiny_network import tiny_environment, write_tiny_model
from tests.servers.stack import LiveStack, cutgate_up
from tests.waiting import eventually
from tests.worker.process.crew import picture

pytestmark = pytest.mark.long

MIDDLE, EDGE = (15, 15), (1, 1)


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """A stack whose one worker offers a network that finds what is dark, and one that finds what is bright."""
    folder = tmp_path_factory.mktemp("two-models")
    settings = tiny_environment(folder) | {
        "CUTGATE_WORKER_MODELS": "tiny,bright",
        "CUTGATE_RUNWARE_MODELS": "runware:112@5=bright",
        "CUTGATE_ENGINE": "onnxruntime",
    }
    write_tiny_model(folder / "models", "bright", bright=True)
    with cutgate_up(folder / "data", **settings) as stack:
        eventually(lambda: len(stack.workers()) == 2)
        yield stack


def subject(data: bytes) -> str:
    """What a cut-out of that picture kept."""
    with Image.open(io.BytesIO(data)) as image:
        alpha = np.asarray(image)[..., 3]
    return {(255, 0): "square", (0, 255): "ground"}[int(alpha[MIDDLE]), int(alpha[EDGE])]


def client_of(stack: LiveStack, *terms: str) -> Client:
    """A client of a new account with these terms."""
    made = stack.keys("add", "--name", f"a{uuid.uuid4().hex}", *terms)
    return Client(stack.url, made["public_key"], made["private_key"], sleep=lambda _: None)


def cut(client: Client) -> str:
    with client:
        job = client.remove_background(picture(30), hair_optimization="off", erode_size=0)
        job.wait(timeout_seconds=60)
        return subject(job.result())


def test_the_worker_announces_both(two_models: LiveStack) -> None:
    assert [worker["lane"] for worker in two_models.workers()] == ["bright:exact", "tiny:exact"]
    assert len({worker["owner"] for worker in two_models.workers()}) == 1


def test_accounts_of_picpiks_protocol_get_the_model_of_their_terms(two_models: LiveStack) -> None:
    assert cut(two_models.client()) == "square"
    assert cut(client_of(two_models, "--model", "bright")) == "ground"


def test_a_model_that_nobody_serves_is_refused_with_its_name(two_models: LiveStack) -> None:
    with client_of(two_models, "--preset", "best") as client, pytest.raises(ServiceError) as caught:
        client.remove_background(picture(30))
    assert "no worker serves the model birefnet-general (exact)" in str(caught.value)


def test_a_request_of_runwares_protocol_names_its_model(two_models: LiveStack) -> None:
    api_key = two_models.keys("add", "--api-key", "--name", "runware")["api_key"]
    image = f"data:image/png;base64,{base64.b64encode(picture(30)).decode()}"
    tasks = [
        {
            "taskType": "removeBackground",
            "taskUUID": str(uuid.uuid4()),
            "model": model,
            "inputs": {"image": image},
            "outputType": "base64Data",
            "outputFormat": "PNG",
        }
        for model in ("runware:109@1", "runware:112@5")
    ]
    headers = {"Authorization": f"Bearer {api_key}"}
    answer = httpx.post(f"{two_models.url}/v1", json=tasks, headers=headers, timeout=60, trust_env=False).json()
    made = {item["taskUUID"]: subject(base64.b64decode(item["imageBase64Data"])) for item in answer["data"]}
    assert [made[task["taskUUID"]] for task in tasks] == ["square", "ground"]
