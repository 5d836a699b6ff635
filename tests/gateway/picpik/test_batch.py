"""Tests of PICPIK's batches: a bad picture refuses all, one that fails later leaves its place empty."""

from typing import Any

import pytest

from cutgate.jobs.errors import ProcessingFailed, TimedOut
from cutgate.jobs.record import ErrorFacts
from cutgate.jobs.spec import Output
from tests.gateway import picture_files as pictures
from tests.gateway.harness import ACCOUNT, Harness, there

FAILED = ProcessingFailed("x").facts()
LATE = TimedOut("x").facts()
UNKNOWN_FORMAT = "the bytes are not a JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF or TIFF picture"
TIMED_OUT = "Task timed out: try again later or send a smaller image"


def test_a_batch_is_one_task_with_results_in_order(gateway: Harness) -> None:
    sources = [pictures.png(8, height_px) for height_px in (4, 5, 6)]
    uid = gateway.submit_batch(RawImages=[pictures.data_uri(source) for source in sources], OnlyMask=True)
    assert gateway.hints == [gateway.lane] * 3
    for index, source in enumerate(sources):
        assert gateway.detail(uid)["ImgList"] == []
        claim = gateway.claim()
        assert (claim.task, claim.index, claim.spec.output) == (uid, index, Output.MASK)
        assert gateway.blobs.get(claim.source) == source
        gateway.finish(claim, f"result {index}".encode())
    entry = gateway.detail(uid)
    assert (entry["Action"], entry["Status"]) == ("RemoveBackgroundsInBatch", "Finished")
    assert (entry["ConsumeApiPoint"], entry["ErrorCode"], entry["ErrorMassage"]) == (3, 0, "")
    client = gateway.client()
    assert [client.get(url).data for url in entry["ImgList"]] == [b"result 0", b"result 1", b"result 2"]


@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        ("not base64!", "the picture is not valid Base64"),
        ("bm90IGFuIGltYWdl", UNKNOWN_FORMAT),
        (pictures.data_uri(pictures.nef(), "image/tiff"), UNKNOWN_FORMAT),
        ("", "the picture is empty (0 bytes)"),
    ],
)
def test_one_bad_picture_refuses_the_whole_call(refusing: Harness, bad: str, detail: str) -> None:
    answer = refusing.call(
        "RemoveBackgroundsInBatch", RawImages=[pictures.BASE64_8X8, pictures.BASE64_8X8, bad, "x"]
    )
    assert (answer["RetCode"], answer["Message"]) == (230, "Params [RawImages.2] not available")
    assert answer["Detail"] == detail
    refusing.assert_nothing_left()


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({}, 220, "Missing params [RawImages]"),
        ({"RawImages": []}, 220, "Missing params [RawImages]"),
        ({"RawImages": "x"}, 310, "Params [RawImages] type error"),
        ({"RawImages": ["x", 7]}, 310, "Params [RawImages.1] type error"),
        ({"RawImages": ["x"], "Box": [1, 1, 7, 7]}, 230, "Params [Box] not available"),
        ({"RawImages": ["x"], "RawImage": "x"}, 230, "Params [RawImage] not available"),
        ({"RawImages": ["x"] * 17, "ErodeSize": 41}, 230, "Params [RawImages] not available"),
        ({"RawImages.0": "x", "RawImages.2": "x"}, 230, "Params [RawImages] not available"),
    ],
)
def test_refused_fields(refusing: Harness, fields: dict[str, Any], code: int, message: str) -> None:
    answer = refusing.call("RemoveBackgroundsInBatch", **fields)
    assert (answer["RetCode"], answer["Message"]) == (code, message)


def test_the_number_of_pictures_is_a_setting(gateway: Harness) -> None:
    gateway = gateway.with_settings(max_batch_images=2)
    gateway.submit_batch(2)
    answer = gateway.call("RemoveBackgroundsInBatch", RawImages=[pictures.BASE64_8X8] * 3)
    assert (answer["RetCode"], answer["Detail"]) == (230, "3 pictures, the limit is 2")


@pytest.mark.parametrize(
    ("ends", "status", "code", "message"),
    [
        ([None, FAILED, None], "Finished", 1001, "RawImages [1]: Processing failed"),
        ([FAILED, None, FAILED], "Finished", 1001, "RawImages [0, 2]: Processing failed"),
        (
            [FAILED, LATE, FAILED],
            "Error",
            1001,
            f"RawImages [0, 2]: Processing failed; RawImages [1]: {TIMED_OUT}",
        ),
        ([LATE, None], "Finished", 1001, f"RawImages [0]: {TIMED_OUT}"),
        ([LATE, LATE], "Error", 1003, f"RawImages [0, 1]: {TIMED_OUT}"),
    ],
)
def test_pictures_that_fail_later(
    gateway: Harness, ends: list[ErrorFacts | None], status: str, code: int, message: str
) -> None:
    gateway.store.accounts.grant(ACCOUNT, 5)
    uid = gateway.submit_batch(len(ends))
    for error in ends:
        entry = gateway.detail(uid)
        assert (entry["ErrorCode"], entry["ErrorMassage"], entry["ImgList"]) == (0, "", [])
        if error is None:
            gateway.finish_one()
        else:
            gateway.fail_one(error)
    entry = gateway.detail(uid)
    assert (entry["Status"], entry["ErrorCode"], entry["ErrorMassage"]) == (status, code, message)
    assert [bool(url) for url in entry["ImgList"]] == ([not error for error in ends] if None in ends else [])
    assert entry["ConsumeApiPoint"] == ends.count(None)
    balance = there(gateway.store.accounts.balance(ACCOUNT))
    assert (balance.used, balance.reserved) == (ends.count(None), 0)


def test_a_terminated_batch_keeps_what_it_finished(gateway: Harness) -> None:
    uid = gateway.submit_batch(3)
    result = gateway.finish_one(b"paid")
    assert gateway.call("TerminateTask", TaskUID=uid)["RetCode"] == 0
    entry = gateway.detail(uid)
    assert (entry["Status"], entry["ErrorCode"], entry["ErrorMassage"]) == ("Error", 1002, "Task terminated")
    assert entry["ConsumeApiPoint"] == 1
    url, *others = entry["ImgList"]
    assert others == ["", ""]
    assert str(result.blob) in url
    assert gateway.open(url).data == b"paid"


def test_another_grouping_under_the_same_signature_is_refused(gateway: Harness) -> None:
    # Both bodies sign alike. The second would be bad for its pictures, which must not be told.
    text = pictures.BASE64_8X8
    gateway.submit_batch(RawImages=[text, text], request_uuid="r")
    answer = gateway.call("RemoveBackgroundsInBatch", RawImages=[text[:-8], text[-8:] + text], request_uuid="r")
    assert (answer["RetCode"], answer["Message"]) == (171, "Signature VerifyAC Error")
    assert "Detail" not in answer
