"""Inference servers that speak KServe's v2 protocol on an exported model, each a process of its own.

`python -m tests.servers.inference REPOSITORY --http_port PORT` serves with KServe's own package, which knows
nothing of this project. A file `busy` in the repository has it refuse runs. `--bare` serves by the standard
library and copies no tensor: what is slow then is the caller's part.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tests.servers.ports import free_port
from tests.waiting import eventually

ROOT: Final = Path(__file__).parents[2]
STOP_SECONDS: Final = 15
_DATATYPES: Final = {"tensor(uint8)": "UINT8", "tensor(float16)": "FP16", "tensor(float)": "FP32"}
_LENGTH: Final = "inference-header-content-length"


@dataclass
class InferenceServer:
    """A server that can be stopped and started again at its address."""

    repository: Path
    port: int
    options: tuple[str, ...] = ()
    token: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def busy(self) -> Path:
        """While this file is there, runs get 503."""
        return self.repository / "busy"

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.servers.inference", str(self.repository), "--http_port"]
        self.process = subprocess.Popen(
            [*command, str(self.port), "--enable_grpc", "false", *self.options],
            cwd=ROOT,
            env=os.environ | {"TEST_INFERENCE_TOKEN": self.token},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        eventually(
            lambda: httpx.get(f"{self.url}/v2/health/ready", headers=headers, trust_env=False).is_success,
            despite=(httpx.HTTPError,),
        )

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_SECONDS)


@contextmanager
def inference_server(repository: Path, *options: str, token: str = "") -> Iterator[InferenceServer]:
    server = InferenceServer(repository, free_port(), options, token)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Served:
    """One model of a repository, run by ONNX Runtime with the threads of `CUTGATE_THREADS`."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("CUTGATE_THREADS", "0"))
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(folder / "1" / "model.onnx", options)
        (self.fed,), (self.given,) = self.session.get_inputs(), self.session.get_outputs()

    def run(self, tensor: NDArray[Any]) -> NDArray[Any]:
        output: NDArray[Any] = self.session.run(None, {self.fed.name: tensor})[0]
        return output

    def facts(self) -> dict[str, list[dict[str, Any]]]:
        return {"inputs": [_facts(self.fed)], "outputs": [_facts(self.given)]}


def _facts(value: Any) -> dict[str, Any]:
    shape = [side if isinstance(side, int) else -1 for side in value.shape]
    return {"name": value.name, "datatype": _DATATYPES[value.type], "shape": shape}


def models_of(repository: Path) -> list[Served]:
    return [Served(path.parent.parent) for path in repository.glob("*/1/model.onnx")]


def serve_with_kserve(repository: Path) -> None:
    import kserve  # type: ignore[import-untyped]
    from kserve.model_server import app  # type: ignore[import-untyped]
    from kserve.protocol.infer_type import (  # type: ignore[import-untyped]
        InferOutput,
        InferRequest,
        InferResponse,
    )
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response

    class Network(kserve.Model):  # type: ignore[misc]
        def __init__(self, served: Served) -> None:
            super().__init__(served.name)
            self.served, self.ready = served, True

        async def get_input_types(self) -> list[dict[str, Any]]:
            return self.served.facts()["inputs"]

        async def get_output_types(self) -> list[dict[str, Any]]:
            return self.served.facts()["outputs"]

        async def predict(self, payload: InferRequest, headers: Any = None, response_headers: Any = None) -> Any:
            fed = payload.inputs[0].as_numpy()
            given = await asyncio.to_thread(self.served.run, fed)
            facts = self.served.facts()["outputs"][0]
            output = InferOutput(facts["name"], list(given.shape), facts["datatype"])
            output.set_data_from_numpy(given, binary_data=True)
            return InferResponse(payload.id, self.name, [output], use_binary_outputs=True)

    server = kserve.ModelServer()
    token = os.environ.get("TEST_INFERENCE_TOKEN", "")

    async def guard(request: Request, proceed: Any) -> Response:
        if token and request.headers.get("authorization") != f"Bearer {token}":
            return JSONResponse({"error": "no"}, HTTPStatus.UNAUTHORIZED)
        if request.url.path.endswith("/infer") and (repository / "busy").exists():
            return JSONResponse({"error": "queue is full"}, HTTPStatus.SERVICE_UNAVAILABLE)
        answer: Response = await proceed(request)
        return answer

    app.middleware("http")(guard)
    server.start([Network(served) for served in models_of(repository)])


def serve_barely(repository: Path, port: int) -> None:
    models = {served.name: served for served in models_of(repository)}

    class Bare(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            served = models.get(self.path.split("/")[:4][-1])
            self.answer({"name": "bare", **(served.facts() if served else {})})

        def do_POST(self) -> None:
            # A buffer that was filled in place is the tensor: nothing of it is copied, as in a server in C++.
            body = bytearray(int(self.headers["content-length"]))
            self.rfile.readinto(body)
            length, served = int(self.headers[_LENGTH]), models[self.path.split("/")[3]]
            (fed,) = json.loads(body[:length])["inputs"]
            given = served.run(np.frombuffer(body, np.uint8, offset=length).reshape(fed["shape"]))
            facts = {"shape": given.shape, "parameters": {"binary_data_size": given.nbytes}}
            self.answer({"outputs": [served.facts()["outputs"][0] | facts]}, given.data.cast("B"))

        def answer(self, facts: dict[str, Any], raw: memoryview | bytes = b"") -> None:
            said = json.dumps(facts).encode()
            self.send_response(HTTPStatus.OK)
            self.send_header(_LENGTH, str(len(said)))
            self.send_header("content-length", str(len(said) + len(raw)))
            self.end_headers()
            self.wfile.write(said)
            self.wfile.write(raw)

    ThreadingHTTPServer(("127.0.0.1", port), Bare).serve_forever()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if "--bare" in sys.argv:
        serve_barely(place, int(sys.argv[sys.argv.index("--http_port") + 1]))
    else:
        serve_with_kserve(place)
