"""Networks on an inference server: KServe's v2 protocol (Open Inference Protocol) with binary tensors, over HTTP.

Triton, OpenVINO Model Server and KServe speak it. Graphs come from `models export`: 8-bit levels go in, and come
out wherever that keeps the mask the same.
"""

import json
import random
import ssl
import time
import weakref
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from typing import Any, Final

import numpy as np
import urllib3
from numpy.typing import NDArray
from urllib3.exceptions import HTTPError

from cutgate.jobs.errors import InferenceUnavailable
from cutgate.jobs.spec import Precision
from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engine import as_maps, seconds_left
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.model import WeightsFile
from cutgate.worker.settings import NetworkSettings

INPUT_NAME: Final = "picture"
CONNECT_SECONDS: Final = 5.0
CHECK_SECONDS: Final = CONNECT_SECONDS
"""Timeout of a whole check: it lies between two announcements of a worker, which must not be late."""
MOST_SECONDS: Final = 60.0
"""Timeout of a run whose picture has no deadline."""
TIME_SHARE: Final = 0.5
"""Of the time that a picture has left, what a run may take: a slow server must not use up all of it."""
LEAST_PAUSE_SECONDS: Final = 0.5
MOST_PAUSE_SECONDS: Final = 15.0
_MOST_JSON_BYTES: Final = 2**16
_KEPT_CONNECTIONS: Final = 8
_JSON_LENGTH: Final = "Inference-Header-Content-Length"
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "UINT8": np.dtype(np.uint8),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
}


def served_name(model: str, precision: Precision) -> str:
    """Name of a model on an inference server, where a colon as in a lane's would not do."""
    return model if precision is Precision.EXACT else f"{model}-{precision}"


class RemoteEngine:
    """One model of an inference server. Threads may share it, and the server may batch their pictures."""

    input_type: np.dtype[Any] = np.dtype(np.uint8)
    dtype = "as served"
    is_shared = True

    def __init__(self, settings: NetworkSettings, row: WeightsFile) -> None:
        """Connect, and compare the served model with its row.

        Raises:
            InferenceUnavailable: the server is away, or still loads the model.
            ModelUnavailable: the settings, or what is served, are wrong.
        """
        if settings.inference_url is None:
            raise ModelUnavailable("CUTGATE_ENGINE=remote needs CUTGATE_INFERENCE_URL, such as http://triton:8000")
        self._headers = {"Accept-Encoding": "identity"}
        if settings.inference_token is not None:
            self._headers["Authorization"] = f"Bearer {settings.inference_token.get_secret_value()}"
        self._url, self._model = settings.inference_url, served_name(settings.model, settings.precision)
        self._path = f"/v2/models/{self._model}"
        # urllib3 sends an array from where it lies: 2 ms less a picture than httpx, of 8 on a loopback.
        self._http = urllib3.PoolManager(maxsize=_KEPT_CONNECTIONS, ssl_context=ssl.create_default_context())
        weakref.finalize(self, self._http.clear)
        self._failures, self._retry_at_seconds = 0, 0.0
        server, served = self._get("/v2"), self._get(self._path)
        self.name = " ".join(str(server.get(key, "")) for key in ("name", "version")).strip() or "remote"
        self.provider = str(served.get("platform") or "remote")
        self._output, self._output_type = self._checked(served, row)

    def run(self, batch: NDArray[np.uint8]) -> Floats:
        """As `Engine.run`, of 8-bit levels.

        Raises:
            InferenceUnavailable: the server is away, busy or too slow.
            ModelUnavailable: it serves another model than it said, or does not speak the protocol.
        """
        fed = {"name": INPUT_NAME, "datatype": "UINT8", "shape": batch.shape}
        asked = {"name": self._output, "parameters": {"binary_data": True}}
        request = {"inputs": [{**fed, "parameters": {"binary_data_size": batch.nbytes}}], "outputs": [asked]}
        content = json.dumps(request).encode(), np.ascontiguousarray(batch).data.cast("B")
        most_bytes = _MOST_JSON_BYTES + 4 * batch.size
        status, headers, body = self._exchange("POST", f"{self._path}/infer", most_bytes, *content)
        if status != HTTPStatus.OK:
            self.check()  # where the model has only gone for a while, that says so
            raise ModelUnavailable(self._said(f"refused a picture with status {status}", body))
        try:
            maps = as_maps(self._tensor(headers, body))
        except (KeyError, TypeError, ValueError) as error:
            text = f"does not answer as the v2 protocol with binary tensors asks ({error!r})"
            raise ModelUnavailable(self._said(text)) from error
        if maps.shape[0] != batch.shape[0]:
            raise ModelUnavailable(self._said(f"gave maps of {maps.shape} for {batch.shape}"))
        self._failures = 0
        return maps

    def check(self) -> None:
        """Ask whether the model is ready.

        Raises:
            InferenceUnavailable: it is not, or it failed so lately that it is left alone for a while.
        """
        if time.monotonic() < self._retry_at_seconds:
            raise InferenceUnavailable(self._said("was away or busy, and is asked again in a moment"))
        status, _, _ = self._exchange("GET", f"{self._path}/ready", _MOST_JSON_BYTES, most_seconds=CHECK_SECONDS)
        if status != HTTPStatus.OK:
            raise self._failed(f"is not ready: status {status}")

    def _get(self, path: str) -> Mapping[str, Any]:
        status, _, body = self._exchange("GET", path, _MOST_JSON_BYTES)
        if status in _REFUSED:
            raise ModelUnavailable(self._said(f"refuses the token (status {status}): set CUTGATE_INFERENCE_TOKEN"))
        if status != HTTPStatus.OK:
            advice = "does not serve it: run `cutgate models export --v2 DIR` and load that, or set CUTGATE_MODEL"
            raise ModelUnavailable(self._said(f"{advice} (status {status})", body))
        try:
            return dict(json.loads(body))
        except (TypeError, ValueError) as error:
            raise ModelUnavailable(
                self._said("does not speak the v2 protocol: see CUTGATE_INFERENCE_URL")
            ) from error

    def _exchange(
        self,
        method: str,
        path: str,
        most_bytes: int,
        *content: bytes | memoryview,
        most_seconds: float = MOST_SECONDS,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request; (status, headers, body) of an answer that is no 429 and no 5xx."""
        seconds = max(min(most_seconds, seconds_left() * TIME_SHARE), 0.001)
        ends_at = time.monotonic() + seconds
        headers = dict(self._headers)
        if content:
            headers |= {_JSON_LENGTH: str(len(content[0])), "Content-Length": str(sum(map(len, content)))}
            headers["Content-Type"] = "application/octet-stream"
        try:
            answer = self._http.urlopen(
                method,
                f"{self._url}{path}",
                redirect=False,
                retries=False,
                body=content or None,
                headers=headers,
                timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds),
                preload_content=False,
            )
            with closing(answer):
                if (
                    answer.status == HTTPStatus.TOO_MANY_REQUESTS
                    or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
                ):
                    raise self._failed(f"is busy or not ready: status {answer.status}")
                return answer.status, answer.headers, self._read(answer, most_bytes, ends_at)
        except HTTPError as error:  # its text may name what was sent
            raise self._failed(f"does not answer: {type(error).__name__}") from error

    def _read(self, answer: urllib3.BaseHTTPResponse, most_bytes: int, ends_at_seconds: float) -> bytes:
        body = bytearray()
        while chunk := answer.read1(most_bytes + 1):
            body += chunk
            if len(body) > most_bytes:
                raise ModelUnavailable(self._said(f"answers with more than {most_bytes} bytes"))
            if time.monotonic() > ends_at_seconds:
                raise self._failed("answers too slowly")
        return bytes(body)

    def _tensor(self, headers: Mapping[str, str], body: bytes) -> NDArray[Any]:
        """The one output in an answer."""
        length = int(headers[_JSON_LENGTH])
        (output,) = json.loads(body[:length])["outputs"]
        size_bytes, shape = output["parameters"]["binary_data_size"], output["shape"]
        if (output["name"], _DTYPES[output["datatype"]]) != (self._output, self._output_type):
            raise ValueError(f"{output['name']} of {output['datatype']}")
        if len(body) - length != size_bytes:
            raise ValueError(f"{len(body) - length} bytes instead of {size_bytes}")
        return np.frombuffer(body, self._output_type, offset=length).reshape(shape)

    def _checked(self, served: Mapping[str, Any], row: WeightsFile) -> tuple[str, np.dtype[Any]]:
        """The name and type of the output, once metadata is what the export writes."""
        try:
            (fed,), (given,) = served["inputs"], served["outputs"]
            sides = [int(side) for side in fed["shape"]][-3:]
            facts = (fed["name"], fed["datatype"], len(fed["shape"]), sides[0])
            output, output_type = str(given["name"]), _DTYPES[given["datatype"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelUnavailable(
                self._said(f"describes other tensors than an export's: {dict(served)}")
            ) from error
        wanted_px = row.input_px if row.has_fixed_input else (-1, -1)
        levels = output_type == np.uint8
        if (
            facts != (INPUT_NAME, "UINT8", 4, 3)
            or tuple(sides[1:]) != wanted_px
            or levels != row.is_served_in_levels
        ):
            wanted = f"{INPUT_NAME} UINT8 [-1, 3, {wanted_px[0]}, {wanted_px[1]}]"
            text = f"takes {fed} and gives {given}, not {wanted}: export it anew with this version"
            raise ModelUnavailable(self._said(text))
        return output, output_type

    def _failed(self, text: str) -> InferenceUnavailable:
        """The error of a server that is away or busy; each in a row doubles the pause until it is asked again."""
        pause_seconds = min(MOST_PAUSE_SECONDS, LEAST_PAUSE_SECONDS * 2**self._failures)
        # Workers that lost it together should not come back together.
        self._retry_at_seconds = time.monotonic() + pause_seconds * random.uniform(0.5, 1)  # noqa: S311
        self._failures = min(self._failures + 1, 10)
        return InferenceUnavailable(self._said(text))

    def _said(self, text: str, body: bytes = b"") -> str:
        reason = f": {body[:300].decode(errors='replace')}" if body else ""
        return f"the inference server at {self._url}, asked for {self._model}, {text}{reason}"
