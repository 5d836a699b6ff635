"""Tests of the image `all-in-one` on a real engine: one container and its volume."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from PIL import Image

from cutgate import Client
from tests.deploy.compose_model import ROOT
from tests.deploy.engine.engine import Engine
from tests.deploy.engine.service import JOB_SECONDS, PHOTOS, READY_SECONDS, build_secrets
from tests.servers.ports import free_port
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.needs("engine"), pytest.mark.timeout(1800)]

NAME: Final = "cutgate-check-all-in-one"
IMAGE: Final = f"{NAME}:check"
CONFINED: Final = ("--read-only", "--tmpfs=/tmp:size=256m,mode=1777", "--cap-drop=ALL", "--memory=4g")


@dataclass(frozen=True)
class Container:
    """The service's container."""

    engine: Engine
    port: int

    def start(self) -> None:
        """Run it on its volume, and wait until it is healthy."""
        published = f"--publish={self.engine.address}:{self.port}:8080"
        options = ("--init", "--detach", f"--name={NAME}", published, f"--volume={NAME}:/data", *CONFINED)
        self.engine.run("run", *options, IMAGE)
        eventually(lambda: "is up at" in self.logs, READY_SECONDS, say=lambda: self.logs)

    def stop(self) -> None:
        self.engine.run("stop", "--time=15", NAME)
        self.engine.run("rm", NAME)

    @property
    def logs(self) -> str:
        done = self.engine.try_("logs", NAME)
        return done.stdout + done.stderr

    def execute(self, *command: str) -> str:
        return self.engine.run("exec", NAME, *command)


@pytest.fixture(scope="module")
def container(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    folder: Path = tmp_path_factory.mktemp("all-in-one")
    pip, npmrc = build_secrets(folder).values()
    secrets = f"--secret=id=pip,src={pip}", f"--secret=id=npmrc,src={npmrc}"
    engine.run("build", "--quiet", "--target=all-in-one", f"--tag={IMAGE}", *secrets, str(ROOT))
    with ExitStack() as undo:
        undo.callback(engine.try_, "volume", "rm", "--force", NAME)
        undo.callback(engine.try_, "rm", "--force", "--volumes", NAME)
        yield Container(engine, free_port())


def test_one_container_cuts_out_and_its_volume_keeps_all(container: Container, tmp_path: Path) -> None:
    container.start()
    keys = json.loads(container.execute("cutgate", "env", "--json"))
    private_key = keys["CUTGATE_PRIVATE_KEY"]
    assert private_key not in container.logs
    url = f"http://{container.engine.address}:{container.port}"
    with Client(url, keys["CUTGATE_PUBLIC_KEY"], private_key) as client:
        job = client.remove_background(PHOTOS[0])
        with Image.open(job.save(tmp_path / "first.png", timeout_seconds=JOB_SECONDS)) as picture:
            assert picture.mode == "RGBA"
        eventually(
            lambda: (
                container.engine.run("inspect", "--format", "{{.State.Health.Status}}", NAME).strip() == "healthy"
            )
        )
        assert container.execute("id", "-u").strip() == "10001"
        container.stop()
        container.start()
        assert client.job(job.uid).result() == (tmp_path / "first.png").read_bytes()
        assert client.balance().used == 1
    assert "Stopped." not in container.logs
    container.engine.run("stop", "--time=15", NAME)
    assert container.logs.rstrip().endswith("Stopped.")
