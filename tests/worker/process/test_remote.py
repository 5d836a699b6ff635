"""A worker whose network runs on an inference server that is busy, killed, and back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cutgate.jobs.record import ItemState
from cutgate.worker.__main__ import main
from tests.pictures.tiny_network import write_tiny_model
from tests.servers.inference import InferenceServer, inference_server
from tests.waiting import eventually
from tests.worker.process.crew import FINE_PX, Crew, crew

TOKEN = "not-for-logs"
PICTURES = 6


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InferenceServer]:
    models = tmp_path / "weights"
    models.mkdir()
    variables = {"CUTGATE_MODELS_DIR": str(models), "CUTGATE_CACHE_DIR": str(tmp_path / "prepared")}
    command = ["models", "export", write_tiny_model(models), "--v2", str(tmp_path / "repository")]
    assert CliRunner().invoke(main, command, env=variables).exit_code == 0
    with inference_server(tmp_path / "repository", token=TOKEN) as running:
        yield running


@pytest.fixture
def remote_team(own_url: str, tmp_path: Path, server: InferenceServer) -> Iterator[Crew]:
    with crew(
        own_url,
        tmp_path / "crew",
        CUTGATE_ENGINE="remote",
        CUTGATE_INFERENCE_URL=server.url,
        CUTGATE_INFERENCE_TOKEN=TOKEN,
        CUTGATE_LEASE_SECONDS="3",
    ) as team:
        yield team


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_busy_and_a_killed_server_cost_no_picture_an_attempt(remote_team: Crew, server: InferenceServer) -> None:
    team = remote_team
    worker = team.start_ready()
    first = team.submit(FINE_PX)
    eventually(lambda: team.ended(first))
    for leave, come_back in ((server.busy.touch, server.busy.unlink), (server.stop, server.start)):
        leave()
        before = len(worker.log("item_put_back"))
        uids = [team.submit(FINE_PX) for _ in range(PICTURES)]
        if before == 0:
            eventually(lambda: worker.log("item_put_back"))
        else:
            eventually(lambda: {known.away for known in team.presence.alive()} == {"inference_unavailable"})
        come_back()
        eventually(lambda: all(map(team.ended, uids)))  # noqa: B023 — awaited here
        assert {outcome for uid in uids for outcome in team.outcomes(uid)} == {(ItemState.DONE, 1)}
    eventually(lambda: {known.away for known in team.presence.alive()} == {""})
    worker.stop()
    assert TOKEN not in worker.log_file.read_text("utf-8")


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_worker_waits_for_its_server_and_names_what_it_lacks(remote_team: Crew, server: InferenceServer) -> None:
    server.stop()
    worker = remote_team.start()
    eventually(lambda: worker.log("waiting_for_service"))
    assert remote_team.presence.alive() == ()
    server.start()
    eventually(remote_team.presence.alive)
    worker.stop()
    write_tiny_model(remote_team.folder / "models", "absent")
    refused = remote_team.start(CUTGATE_MODEL="absent")
    assert "models export --v2" in refused.refusal()["reason"]
