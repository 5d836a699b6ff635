"""Tests of `RefineTask`: a finished picture is corrected from the mask that a worker kept, by a real runner."""

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cutgate.gateway.picpik.rendering import SINGLE
from cutgate.jobs.ids import background_key, new_task_uid, new_token, parse_task_uid, source_key
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import NewItem, NewTask
from cutgate.jobs.spec import CORRECTIONS, CutoutSpec, Refinement
from cutgate.jobs.upkeep.retention import Sweeper
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.process.runner import Runner
from tests.fakes import ManualClock
from tests.gateway.harness import ACCOUNT, Harness, there
from tests.jobs.build import ERROR
from tests.ledgers import FreshLedger
from tests.worker.process.runner_bench import picture, runner_of


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


PICTURE = base64_of(picture())
HARD: dict[str, Any] = {"HairOptimization": "off", "ErodeSize": 0}
KEPT, REMOVED = (5, 5), (20, 15)
NOT_KEPT = "submit the picture again"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def gateway(gateway: Harness, clock: ManualClock) -> Harness:
    return replace(gateway, store=FreshLedger(LedgerLimits(retention_seconds=60, source_seconds=1), clock))


def work(gateway: Harness, **how: Any) -> Runner:
    """Do all that waits."""
    runner = replace(runner_of(gateway.store, gateway.blobs), **how)
    while runner.run_one([gateway.lane, CORRECTIONS]):
        pass
    return runner


def cut(gateway: Harness, **fields: Any) -> str:
    """A task that has finished."""
    uid = gateway.submit(RawImage=PICTURE, **HARD | fields)
    work(gateway)
    return uid


def refined(gateway: Harness, uid: str, **fields: Any) -> bytes:
    """What a correction made."""
    answer = gateway.call("RefineTask", TaskUID=uid, **fields)
    assert answer["RetCode"] == 0, answer
    work(gateway)
    return result(gateway, answer["TaskUID"])


def result(gateway: Harness, uid: str, index: int = 0) -> bytes:
    item = there(gateway.store.tasks.get(parse_task_uid(uid), ACCOUNT)).items[index]
    return gateway.blobs.get(there(item.result).blob)


def alpha_of(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))[..., 3]


def refused(gateway: Harness, uid: str, **fields: Any) -> str:
    """Why a correction is refused; nothing waits then."""
    answer = gateway.call("RefineTask", TaskUID=uid, **fields)
    assert answer["RetCode"] == 230, answer
    assert gateway.store.waiting(CORRECTIONS) == 0
    return f"{answer['Message']}: {answer['Detail']}"


def kept_bytes(gateway: Harness) -> int:
    return gateway.store.accounts.kept_bytes([ACCOUNT])[0]


def sweep(gateway: Harness) -> None:
    Sweeper(gateway.store, gateway.blobs, orphan_grace_seconds=60).sweep()


def roles(gateway: Harness) -> list[str]:
    return sorted(key.role for key in gateway.stored())


def test_strokes_come_on_top_of_each_other(gateway: Harness) -> None:
    first = cut(gateway)
    answer = gateway.call("RefineTask", TaskUID=first, Keep=[[KEPT]], RadiusPx=2)
    work(gateway)
    both = refined(gateway, answer["TaskUID"], Remove=[[REMOVED]], RadiusPx=2)
    seen = [
        (alpha[KEPT[::-1]], alpha[REMOVED[::-1]])
        for alpha in map(alpha_of, (result(gateway, first), result(gateway, answer["TaskUID"]), both))
    ]
    assert seen == [(0, 255), (255, 255), (255, 0)]


@pytest.mark.parametrize(
    "fields",
    [{}, {"OnlyMask": True}, {"HairOptimization": "on"}, {"ForegroundThreshold": 200, "BackgroundThreshold": 100}],
)
def test_it_is_what_a_fresh_task_is(gateway: Harness, fields: dict[str, Any]) -> None:
    first = cut(gateway, **fields)
    assert refined(gateway, first) == result(gateway, first)
    assert refined(gateway, cut(gateway), **fields) == result(gateway, first)


def test_a_composition_is_put_on_and_taken_off(gateway: Harness) -> None:
    uid = cut(gateway)
    shown = {"CropMargin": "10%", "Scale": "80%", "Position": "50% 100%", "Shadow": "40%", "Background": "#0000ff"}
    answer = gateway.call("RefineTask", TaskUID=uid, **shown, Format="jpg", Quality=90, Megapixels="0.0001")
    work(gateway)
    with Image.open(io.BytesIO(result(gateway, answer["TaskUID"]))) as image:
        assert (image.format, image.width * image.height <= 100) == ("JPEG", True)
    bare = {
        "CropMargin": "none",
        "Scale": "original",
        "Position": "original",
        "Shadow": "none",
        "Background": "transparent",
    }
    plain = refined(gateway, answer["TaskUID"], **bare, Format="png", Megapixels=9)
    assert plain == result(gateway, uid)


def test_one_of_a_batch(gateway: Harness) -> None:
    other = base64_of(picture((230, 230, 230)))
    uid = gateway.submit_batch(RawImages=[PICTURE, other], **HARD)
    work(gateway)
    assert refined(gateway, uid, Index=1) == result(gateway, uid, 1) != result(gateway, uid, 0)
    assert NOT_KEPT in refused(gateway, uid, Index=2)


def test_unfinished_unknown_and_foreign_tasks_look_alike(gateway: Harness) -> None:
    stranger = gateway.add_pair("stranger")
    foreign = gateway.submit_for(stranger)
    work(gateway)
    failed = gateway.submit(RawImage=PICTURE)
    gateway.fail_one(ERROR)
    waits = gateway.submit(RawImage=PICTURE)
    answers = {refused(gateway, uid) for uid in (waits, foreign, failed, new_task_uid())}
    assert [NOT_KEPT in answer for answer in answers] == [True]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"Keep": [[]]}, "Params [Keep.0] not available: must be strokes of points"),
        ({"Keep": [[[1, 2, 3]]]}, "Params [Keep.0] not available: must be strokes of points"),
        ({"Remove": [[[1, 2]]] * 101}, "Params [Remove] not available: at most 100 strokes"),
        ({"Keep": [[[1, 70_000]]]}, "Params [Keep.0] not available: a point lies within 65536 px"),
        ({"RadiusPx": 0}, "Params [RadiusPx] not available"),
        ({"Background": "no colour"}, "Params [Background] not available: must be hexadecimal"),
        ({"Scale": "2"}, "Params [Scale] not available"),
        ({"Shadow": "200%"}, "Params [Shadow] not available"),
        ({"Megapixels": "nan"}, "Params [Megapixels] not available"),
        ({"ForegroundThreshold": 3}, "Params [ForegroundThreshold] not available"),
        ({"Format": "gif"}, "Params [Format] not available"),
        ({"Index": -1}, "Params [Index] not available"),
    ],
)
def test_what_is_wrong_is_named(gateway: Harness, fields: dict[str, Any], said: str) -> None:
    assert refused(gateway, cut(gateway), **fields).startswith(said)


def test_strokes_of_several_corrections_count_together(gateway: Harness) -> None:
    uid = cut(gateway)
    many = [[[1, 2]] * 1_000] * 3
    answer = gateway.call("RefineTask", TaskUID=uid, Keep=many)
    assert answer["RetCode"] == 0, answer
    work(gateway)
    assert refused(gateway, answer["TaskUID"], Keep=many).startswith(
        "Params [Keep] not available: strokes have at"
    )


def test_nothing_is_charged_and_the_same_request_is_one_task(gateway: Harness) -> None:
    gateway.store.accounts.grant(ACCOUNT, 1)
    uid = cut(gateway)
    asked: dict[str, Any] = {"TaskUID": uid, "Keep": [[KEPT]], "request_uuid": "again"}
    first, second = gateway.call("RefineTask", **asked), gateway.call("RefineTask", **asked)
    assert first["TaskUID"] == second["TaskUID"] != uid
    work(gateway)
    assert gateway.call("RefineTask", **asked)["TaskUID"] == first["TaskUID"]
    assert gateway.detail(first["TaskUID"])["ConsumeApiPoint"] == 0
    balance = there(gateway.store.accounts.balance(ACCOUNT))
    assert (balance.granted, balance.used, balance.reserved) == (1, 1, 0)


def test_a_full_quota_keeps_no_more(gateway: Harness, clock: ManualClock) -> None:
    first = cut(gateway)
    limits = LedgerLimits(account_kept_bytes=kept_bytes(gateway) + 10, source_seconds=1)
    tight = replace(gateway, store=FreshLedger(limits, clock, there(gateway.store.database.key_prefix)))
    second = cut(tight)
    assert NOT_KEPT in refused(tight, second)
    assert refined(tight, first) == result(tight, first)
    clock.advance(2)
    sweep(tight)
    # The first task's picture and mask; each correction has none to itself while there is no room for them.
    assert roles(tight) == ["mask", "result", "result", "result", "source"]


def test_an_installation_that_keeps_nothing(gateway: Harness, clock: ManualClock) -> None:
    uid = gateway.submit(RawImage=PICTURE, **HARD)
    work(gateway, keeps_masks=False)
    assert NOT_KEPT in refused(gateway, uid)
    clock.advance(2)
    sweep(gateway)
    assert (roles(gateway), kept_bytes(gateway)) == (["result"], 0)


def test_all_that_is_kept_goes_with_the_results(gateway: Harness, clock: ManualClock) -> None:
    uid = cut(gateway)
    before = kept_bytes(gateway)
    assert before == sum(len(gateway.blobs.get(key)) for key in gateway.stored() if key.role in {"source", "mask"})
    refined(gateway, uid, Remove=[[REMOVED]])
    assert kept_bytes(gateway) == 2 * before
    assert roles(gateway) == sorted(["mask", "result", "source"] * 2)
    clock.advance(61)
    assert NOT_KEPT in refused(gateway, uid)
    sweep(gateway)
    assert (gateway.stored(), kept_bytes(gateway)) == ((), 0)


def test_a_kept_picture_that_is_gone_is_not_kept(gateway: Harness) -> None:
    uid = cut(gateway)
    [mask] = [key for key in gateway.stored() if key.role == "mask"]
    gateway.blobs.delete(mask)
    before = gateway.stored()
    assert NOT_KEPT in refused(gateway, uid)
    assert gateway.stored() == before


def test_the_mask_of_a_model_that_gives_mattes_stays_one(gateway: Harness) -> None:
    grey: Callable[[Any], Any] = lambda view: np.where(view.mean(axis=2) > 128, 200, 0).astype(np.uint8)  # noqa: E731
    uid = gateway.submit(RawImage=PICTURE)
    work(gateway, predict_for=lambda _: grey, soft_for=lambda _: Soft.ALPHA)
    assert roles(gateway) == ["matte", "result", "source"]
    assert alpha_of(result(gateway, uid))[REMOVED[::-1]] == 200
    assert refined(gateway, uid) == result(gateway, uid)


def test_a_picture_behind_the_subject_stays_until_another_background_is_asked_for(gateway: Harness) -> None:
    spec = CutoutSpec(model=gateway.settings.model, refinement=Refinement.OFF, erode_px=0)
    uid = new_task_uid()
    item = NewItem(source=source_key(uid, 0), spec=spec, background=background_key(uid, 0, new_token()))
    gateway.blobs.put(item.source, picture())
    gateway.blobs.put(there(item.background), picture((0, 200, 0)))
    gateway.store.tasks.create(NewTask(uid=uid, account=ACCOUNT, origin=SINGLE, items=(item,)))
    work(gateway)
    assert refined(gateway, uid) == result(gateway, uid)
    with Image.open(io.BytesIO(refined(gateway, uid, Background="#ff0000"))) as image:
        assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
