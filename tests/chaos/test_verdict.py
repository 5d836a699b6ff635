"""Tests of the chaos verdict: each promise is broken by hand, and shows under its own name."""

import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from redis import Redis

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.errors import TimedOut
from cutgate.jobs.ids import TaskUid, new_task_uid, source_key
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.record import Result
from cutgate.jobs.redis_client import connect
from tests.chaos.corrections import Corrected
from tests.chaos.pictures import Effect, Picture, picture
from tests.chaos.verdict import Evidence, Verdict, judge
from tests.jobs.build import LIMITS, Ledger, result_of
from tests.servers.redis_server import redis_server
from tests.servers.sentinel import HOST, PASSWORD, watched_server
from tests.waiting import eventually

RIGHT_RESULT = picture(1)


def drawn(shown: Picture) -> bytes:
    """A result as the service would make it: the picture's own mask."""
    with Image.open(io.BytesIO(shown.png())) as source:
        grey = np.asarray(source.convert("L"))
    file = io.BytesIO()
    Image.fromarray(((grey < 128) * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


class Played:
    """A service's stores after a few jobs, without the service."""

    def __init__(self, evidence: Evidence, accepted: dict[TaskUid, Picture] | None = None) -> None:
        self.evidence = evidence
        self.ledger = Ledger(evidence.client)
        self.blobs = FileBlobStore(evidence.blob_dir)
        self.accepted = {} if accepted is None else accepted
        if accepted is None:
            self.ledger.accounts.grant("alice", 100)

    def accept(self, shown: Picture = RIGHT_RESULT) -> TaskUid:
        uid = self.ledger.submit(price=3).uid
        self.accepted[uid] = shown
        self._written()
        return uid

    def finish(self, shown: Picture = RIGHT_RESULT) -> Result:
        """The next job is done, with the result of a picture."""
        claim, data = self.ledger.next_claim(), drawn(shown)
        self.blobs.put(result_of(claim).blob, data)
        assert self.ledger.done(claim)
        self._written()
        return result_of(claim)

    def _written(self) -> None:
        """Wait for the server's own history: while its disk is slow, it writes that after it has answered."""
        eventually(lambda: self.evidence.client.info("persistence")["aof_buffer_length"] == 0)

    def verdict(self, refused: int = 0) -> Verdict:
        return judge(self.evidence, "alice", self.accepted, refused, [], grace_seconds=0)


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    (tmp_path / "redis").mkdir()
    arguments = ("--dir", str(tmp_path / "redis"), "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
    with redis_server(*arguments) as url, connect(url) as client:
        evidence = Evidence(
            client=client, redis_dirs=(tmp_path / "redis",), blob_dir=tmp_path / "blobs", limits=LIMITS
        )
        played = Played(evidence)
        played.accept()
        played.finish()
        yield played


def test_nothing_is_broken(played: Played) -> None:
    assert not played.verdict().broken
    assert not [path for path in played.evidence.blob_dir.rglob("*") if path.is_file()]


def fails_for_nothing(played: Played) -> None:
    played.accept()
    assert played.ledger.claims.fail(played.ledger.next_claim(), TimedOut("too slow").facts())


def is_done_again(played: Played) -> None:
    uid = played.accept()
    played.finish()
    played.evidence.client.hset(f"{KEY_PREFIX}item:{uid}:0", mapping={"state": "done", "ended_at_ms": 1})


def loses_its_result(played: Played) -> None:
    played.accept()
    played.blobs.delete(played.finish().blob)


def is_taken_twice(played: Played) -> None:
    played.accepted.pop(played.accept())
    played.finish()


def book(field: str, played: Played) -> None:
    played.evidence.client.hincrby(f"{KEY_PREFIX}account:alice", field, 3)


def forget_usage(played: Played) -> None:
    played.evidence.client.delete(*played.evidence.client.scan_iter(match=f"{KEY_PREFIX}usage:*"))


def is_corrected_otherwise(played: Played) -> None:
    """The picture is right, and the file another one than the same correction gives."""
    corrected = Corrected(**asdict(RIGHT_RESULT), right=b"another file")
    played.accept(corrected)
    played.finish()


OPEN = {"lost", "still_open", "charged_wrong_credits", "orphans"}
BREACHES: dict[str, tuple[Callable[[Played], object], set[str]]] = {
    "never ends": (lambda played: played.accept(), OPEN),
    "hangs at a worker": (lambda played: (played.accept(), played.ledger.next_claim()), OPEN),
    "is forgotten": (lambda played: played.accepted.update({new_task_uid(): RIGHT_RESULT}), {"lost"}),
    "fails for nothing": (fails_for_nothing, {"lost"}),
    "does not fail": (lambda played: (played.accept(picture(1, Effect.POISON)), played.finish()), {"lost"}),
    "is done again": (is_done_again, {"finished_twice"}),
    "is charged twice": (partial(book, "used"), {"charged_wrong_credits"}),
    "stays reserved": (partial(book, "reserved"), {"charged_wrong_credits"}),
    "is missing from the usage": (forget_usage, {"charged_wrong_credits"}),
    "gets another result": (lambda played: (played.accept(), played.finish(picture(2))), {"wrong_results"}),
    "is corrected otherwise than undisturbed": (is_corrected_otherwise, {"wrong_results"}),
    "loses its result": (loses_its_result, {"wrong_results"}),
    "is taken twice": (is_taken_twice, {"unasked"}),
    "leaves a file": (lambda played: (played.evidence.blob_dir / "left").touch(), {"orphans"}),
}
"""What happens to a task, and which promises are broken by it."""


@pytest.mark.parametrize(("breach", "broken"), BREACHES.values(), ids=BREACHES)
def test_a_broken_promise_shows(played: Played, breach: Callable[[Played], object], broken: set[str]) -> None:
    breach(played)
    assert set(played.verdict().broken) == broken


@dataclass(frozen=True)
class Pair:
    """A master's stores, and its copy's."""

    master: Played
    copy: Played
    take_over: Callable[[], object]
    """Cuts the copy off and makes it a master; what the other changes from then on is lost."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with watched_server(None, "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0") as watched:
        clients = [
            Redis(host=HOST, port=port, password=PASSWORD, decode_responses=True)
            for port in watched.server_ports.values()
        ]
        folders = tuple(watched.folder / str(port) for port in watched.server_ports)
        evidences = [
            Evidence(client=client, redis_dirs=folders, blob_dir=tmp_path / "blobs", limits=LIMITS)
            for client in clients
        ]
        master = Played(evidences[0])
        master.accept()
        master.finish()
        clients[0].wait(1, 5_000)
        copy = Played(evidences[1], master.accepted)
        yield Pair(master, copy, lambda: (clients[0].wait(1, 5_000), clients[1].replicaof("NO", "ONE")))
        for client in clients:
            client.close()


def test_what_a_master_passed_on_is_not_lost_with_it(pair: Pair) -> None:
    pair.take_over()
    verdict = pair.copy.verdict()
    assert not verdict.broken
    assert verdict.lost_with_master == 0


def test_a_task_that_a_master_did_not_pass_on_is_counted_apart(pair: Pair) -> None:
    pair.take_over()
    pair.master.accept()
    verdict = pair.copy.verdict()
    assert not verdict.broken
    assert verdict.lost_with_master == 1


def test_an_end_that_a_master_did_not_pass_on_is_counted_apart(pair: Pair) -> None:
    pair.master.accept()
    pair.take_over()
    pair.master.finish()
    pair.copy.finish()
    verdict = pair.copy.verdict()
    assert not verdict.broken
    assert verdict.lost_with_master == 2, "a claim and an end"


def test_a_request_without_an_answer_may_have_been_taken(played: Played) -> None:
    is_taken_twice(played)
    assert not played.verdict(refused=1).broken


def test_blobs_without_a_task_are_swept(played: Played) -> None:
    played.blobs.put(source_key(new_task_uid(now_seconds=1_700_000_000), 0), b"left")
    assert not played.verdict().broken
