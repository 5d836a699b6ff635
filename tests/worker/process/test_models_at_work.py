"""Workers as processes that offer several models, over a real server."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import ItemState
from tests.pictures.tiny_network import write_tiny_model
from tests.waiting import eventually
from tests.worker.process.crew import FINE_PX, PATIENCE_SECONDS, Crew, crew

pytestmark = pytest.mark.long

BRIGHT = "bright"
BOTH = {"tiny:exact", f"{BRIGHT}:exact"}


@pytest.fixture
def team(own_url: str, tmp_path: Path) -> Iterator[Crew]:
    with crew(own_url, tmp_path) as made:
        write_tiny_model(tmp_path / "models", BRIGHT, bright=True)
        yield made


def middle_alpha(team: Crew, uid: TaskUid) -> int:
    """How opaque the dark square in the middle of a task's one result is."""
    result = team.item(uid).result
    assert result is not None
    with Image.open(io.BytesIO(team.blobs.get(result.blob))) as image:
        alpha = np.asarray(image)[..., 3]
    return int(alpha[alpha.shape[0] // 2, alpha.shape[1] // 2])


def assert_each_ran_its_network(team: Crew) -> None:
    dark, bright = team.submit(FINE_PX, model="tiny"), team.submit(FINE_PX, model=BRIGHT)
    eventually(lambda: team.ended(dark) and team.ended(bright))
    assert (middle_alpha(team, dark), middle_alpha(team, bright)) == (255, 0)


def test_one_worker_of_two_models(team: Crew) -> None:
    worker = team.start_ready(CUTGATE_WORKER_MODELS=f"tiny,{BRIGHT}")
    eventually(lambda: {known.lane for known in team.presence.alive()} == BOTH)
    assert {known.model for known in team.presence.alive()} == {"tiny", BRIGHT}
    assert_each_ran_its_network(team)
    assert {entry["lane"] for entry in worker.log("network_ready")} == BOTH
    worker.stop()
    assert team.presence.alive() == ()
    assert team.presence.offered(within_seconds=60) == BOTH


def test_two_workers_of_one_model_each(team: Crew) -> None:
    team.start_ready()
    team.start_ready(CUTGATE_MODEL=BRIGHT)
    assert_each_ran_its_network(team)


def test_a_busy_lane_does_not_starve_another(team: Crew) -> None:
    """Pictures that came first in one lane are done in turn with those of the other."""
    busy = team.submit(*[FINE_PX] * 30, model="tiny")
    short = team.submit(*[FINE_PX] * 3, model=BRIGHT)
    team.start(CUTGATE_WORKER_MODELS=f"tiny,{BRIGHT}")
    eventually(lambda: team.ended(short))
    done = sum(item.state is ItemState.DONE for item in team.items(busy))
    assert done < 20
    eventually(lambda: team.ended(busy))


def test_networks_that_leave_no_room_for_pictures(team: Crew) -> None:
    worker = team.start(CUTGATE_WORKER_MODELS=f"tiny,{BRIGHT}", CUTGATE_MAX_WORKER_BYTES=str(2**20))
    said = worker.refusal()["exception"]
    assert f"tiny:exact, {BRIGHT}:exact take" in said
    assert "offer fewer in CUTGATE_WORKER_MODELS" in said


def test_a_model_that_is_not_there_stops_the_worker(team: Crew) -> None:
    worker = team.start(CUTGATE_WORKER_MODELS="tiny,tiny:fast")
    assert worker.process.wait(PATIENCE_SECONDS) == 1
    assert team.presence.alive() == ()
