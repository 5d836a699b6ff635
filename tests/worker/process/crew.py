"""Real workers as processes, over a real server, with what a gateway would do for them."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import TaskUid, new_task_uid, source_key
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.record import Item, ItemState, NewItem, NewTask
from cutgate.jobs.redis_client import connect
from cutgate.jobs.spec import CutoutSpec, Refinement
from cutgate.worker.settings import WorkerSettings
from tests.jobs.build import ENDED
from tests.pictures.tiny_network import tiny_environment
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]
ACCOUNT = "ada"
PATIENCE_SECONDS = 90.0
FINE_PX = 40
"""Width of a picture that does no harm."""


def picture(width_px: int, height_px: int = 30) -> bytes:
    """A dark square on a bright ground."""
    pixels = np.full((height_px, width_px, 3), 230, np.uint8)
    pixels[height_px // 3 : -height_px // 3, width_px // 3 : -width_px // 3] = (20, 40, 60)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Worker:
    process: subprocess.Popen[bytes]
    log_file: Path

    def log(self, event: str) -> list[dict[str, Any]]:
        lines = [line for line in self.log_file.read_text("utf-8").splitlines() if line.startswith("{")]
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def child_pid(self) -> int:
        """The one process of the pool."""
        (pid,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii").split()
        return int(pid)

    def refusal(self) -> dict[str, Any]:
        """The line in which it says why it does not start."""
        assert self.process.wait(PATIENCE_SECONDS) == 1
        (entry,) = self.log("worker_cannot_start")
        return entry

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_SECONDS)


@dataclass
class Crew:
    """A ledger, blobs and a queue, and the workers that serve them."""

    redis_url: str
    folder: Path
    changes: dict[str, str] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CUTGATE_")},
            **tiny_environment(self.folder),
            "CUTGATE_BLOB_DIR": str(self.folder / "blobs"),
            "CUTGATE_ALIVE_FILE": str(self.folder / "alive"),
            "CUTGATE_REDIS_URL": self.redis_url,
            "CUTGATE_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            **self.changes,
        }
        names = {name.removeprefix("CUTGATE_").lower(): value for name, value in self.environment.items()}
        settings = WorkerSettings.model_validate(names)
        client = connect(self.redis_url)
        self.ledger = Ledger(client, settings.ledger_limits())
        self.presence = self.ledger.presence
        self.blobs = FileBlobStore(settings.blob_dir)
        self.lane = settings.choices[0].lane
        self.spec = CutoutSpec(model=settings.model, refinement=Refinement.OFF)

    def start(self, *arguments: str, **changes: str) -> Worker:
        log_file = self.folder / f"worker-{len(self.workers)}.log"
        command = [sys.executable, "-m", "tests.worker.process.harmful_worker", *arguments]
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                command, env=self.environment | changes, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.workers.append(Worker(process, log_file))
        return self.workers[-1]

    def start_ready(self, **changes: str) -> Worker:
        worker = self.start(**changes)
        prefix = re.compile(rf"-{worker.process.pid}\.1\.")
        eventually(lambda: any(prefix.search(known.owner) for known in self.presence.alive()))
        return worker

    def submit(self, *widths_px: int, model: str | None = None, **parameters: Any) -> TaskUid:
        """Submit a task with a picture of each width, for the usual model or another."""
        return self.submit_files(*map(picture, widths_px), model=model, **parameters)

    def submit_files(
        self, *files: bytes, model: str | None = None, account: str = ACCOUNT, **parameters: Any
    ) -> TaskUid:
        """Submit a task with these pictures."""
        spec = self.spec.model_copy(update={"model": model or self.spec.model, **parameters})
        uid = new_task_uid()
        items = []
        for index, data in enumerate(files):
            source = source_key(uid, index)
            self.blobs.put(source, data)
            items.append(NewItem(source=source, spec=spec))
        self.ledger.tasks.create(NewTask(uid=uid, account=account, origin="test", items=tuple(items)))
        return uid

    def items(self, uid: TaskUid, account: str = ACCOUNT) -> tuple[Item, ...]:
        task = self.ledger.tasks.get(uid, account)
        assert task is not None
        return task.items

    def item(self, uid: TaskUid) -> Item:
        return self.items(uid)[0]

    def outcomes(self, uid: TaskUid) -> set[tuple[ItemState, int]]:
        return {(item.state, item.attempts) for item in self.items(uid)}

    def all_running(self, uid: TaskUid) -> bool:
        return {item.state for item in self.items(uid)} == {ItemState.RUNNING}

    def ended(self, uid: TaskUid) -> bool:
        return all(item.state in ENDED for item in self.items(uid))


@contextmanager
def crew(redis_url: str, folder: Path, **changes: str) -> Iterator[Crew]:
    made = Crew(redis_url, folder, changes)
    try:
        yield made
    finally:
        for worker in made.workers:
            if worker.process.poll() is None:
                worker.stop()


@pytest.fixture
def team(own_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Crew]:
    """A crew of a test's own, with the environment that the test says."""
    with crew(own_url, tmp_path, **getattr(request, "param", {})) as made:
        yield made


def alone_and_together(**environment: str) -> pytest.MarkDecorator:
    """Run a test with a worker that does one item at a time, and with one that does several at once."""
    together = {"CUTGATE_ITEMS_AT_ONCE": "3"}
    return pytest.mark.parametrize(
        ("team", "at_once"),
        [(environment, 1), pytest.param(environment | together, 3, marks=pytest.mark.long)],
        indirect=["team"],
        ids=["alone", "together"],
    )
