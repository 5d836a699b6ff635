"""Pictures that are costly to decode, in a real worker: they end by the decoder's limits, and nothing else."""

from typing import Final

import pytest

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import ItemState, Task
from tests.constants import environment_of
from tests.jobs.build import ENDED
from tests.jobs.pictures.test_price import progressive
from tests.waiting import eventually
from tests.worker.process.crew import FINE_PX, Crew, picture, team

__all__ = ["team"]

MALLORY: Final = "mallory"
DECODE_SECONDS: Final = 2.0
# Native code is busy with such a picture for far longer than it may be.
LIMITS: Final = environment_of(
    {
        "cutgate.jobs.settings:MAX_DECODED_PIXELS": 10**12,
        "cutgate.worker.process.child:DECODE_SECONDS": DECODE_SECONDS,
    }
)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """Some 200 KiB that keep a decoder busy for minutes, were it let."""
    return progressive(7_000, 7_000, 2_000)


def ended(team: Crew, uid: TaskUid, account: str) -> Task:
    """The task, once it has ended."""
    eventually(lambda: all(item.state in ENDED for item in team.items(uid, account)), seconds=120)
    task = team.ledger.tasks.get(uid, account)
    assert task is not None
    return task


def ended_before(fine: Task, bombs: list[Task]) -> int:
    """How many bombs the worker was through with when another account's task ended."""
    assert fine.ended_at_ms is not None
    return sum(bomb.ended_at_ms is not None and bomb.ended_at_ms < fine.ended_at_ms for bomb in bombs)


def begun(team: Crew, uid: TaskUid) -> bool:
    return team.items(uid, MALLORY)[0].state is not ItemState.QUEUED


@pytest.mark.parametrize("team", [LIMITS], indirect=True)
def test_one_accounts_bombs_hold_up_another_by_one_limit_at_most(team: Crew, bomb: bytes) -> None:
    worker = team.start_ready()
    uids = [team.submit_files(bomb, account=MALLORY) for _ in range(3)]
    eventually(lambda: begun(team, uids[0]))
    fine = ended(team, team.submit_files(picture(FINE_PX)), "ada")
    bombs = [ended(team, uid, MALLORY) for uid in uids]
    assert [(item.state, item.attempts) for item in fine.items] == [(ItemState.DONE, 1)]
    assert ended_before(fine, bombs) <= 1
    assert {bomb.items[0].error.kind for bomb in bombs if bomb.items[0].error} == {"decoding_stopped"}
    assert len(worker.log("worker_ready")) == 1, "a network was loaded again"
    assert worker.log("child_gone") == []
