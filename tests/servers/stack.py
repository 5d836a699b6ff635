"""`cutgate up` as a user starts it: one real stack, with the real model, for every test that needs one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from cutgate import Client
from cutgate.jobs.spec import CORRECTIONS
from tests.pictures.tiny_network import write_tiny_model
from tests.servers.ports import free_port

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 15
METRICS_PORTS = ("CUTGATE_METRICS_PORT", "CUTGATE_WORKER_METRICS_PORT", "CUTGATE_COURIER_METRICS_PORT")


@dataclass(frozen=True)
class LiveStack:
    data: Path
    url: str
    public_key: str
    private_key: str
    api_key: str
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings that it was started with, by their variables."""

    def workers(self) -> list[dict[str, Any]]:
        """What its workers say of themselves."""
        url = f"http://127.0.0.1:{self.settings['CUTGATE_METRICS_PORT']}/readyz"
        offers = httpx.get(url, trust_env=False).json()["workers"]
        return [offer for offer in offers if offer["lane"] != CORRECTIONS]

    def client(self) -> Client:
        return Client(self.url, self.public_key, self.private_key)

    def keys(self, *words: str, text: str | None = None) -> dict[str, Any]:
        """What an operator's command prints."""
        command = [sys.executable, "-m", "cutgate", "keys", "--data", str(self.data), *words, "--json"]
        done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=True)
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown


@contextmanager
def cutgate_up(data: Path, workers: int = 1, /, **environment: str) -> Iterator[LiveStack]:
    environment = {"CUTGATE_METRICS_PORT": str(free_port())} | environment
    options = ["--data", str(data), "--port", "0", "--workers", str(workers), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cutgate", "up", *options],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        facts = json.loads(line or "{}")
        assert "url" in facts, (data / "cutgate.log").read_text(encoding="utf-8")[-4000:]
        yield LiveStack(data=data, settings=environment, **facts)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def tiny_stack(folder: Path, **settings: str) -> Iterator[LiveStack]:
    """Run a stack on the tiny network, which takes what is dark for the subject."""
    models = folder / "models"
    models.mkdir()
    network = {"CUTGATE_MODEL": write_tiny_model(models), "CUTGATE_MODELS_DIR": str(models)}
    with cutgate_up(folder / "data", **network, CUTGATE_ENGINE="onnxruntime", **settings) as live:
        yield live


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, weights_dir: Path) -> Iterator[LiveStack]:
    settings = {name: str(free_port()) for name in METRICS_PORTS} | {"CUTGATE_MODELS_DIR": str(weights_dir)}
    with cutgate_up(tmp_path_factory.mktemp("stack"), **settings) as live:
        yield live
