"""What is written to a store is read back as it was."""

from __future__ import annotations

import json
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from cutgate.jobs.ids import new_task_uid, new_token, result_key, upload_key
from cutgate.jobs.ledger import encoding as codec
from cutgate.jobs.ledger.presence import WorkerPresence
from cutgate.jobs.record import Delivery, DeliveryKind, ErrorFacts, Result, Upload
from cutgate.jobs.spec import Box, CutoutSpec, FileFormat, Lane, Output, Refinement

T = TypeVar("T")
TEXT = st.text(st.characters(codec="utf-8"))
COUNT = st.integers(0, 2**53)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, top = draw(st.integers(0, 10_000)), draw(st.integers(0, 10_000))
    width, height = draw(st.integers(1, 10_000)), draw(st.integers(1, 10_000))
    return Box(left_px=left, top_px=top, right_px=left + width, bottom_px=top + height)


@st.composite
def specs(draw: st.DrawFn) -> CutoutSpec:
    background, foreground = sorted(draw(st.tuples(st.integers(0, 255), st.integers(0, 255))))
    return CutoutSpec(
        model=draw(NAMES),
        box=draw(st.none() | boxes()),
        erode_px=draw(st.integers(0, 255)),
        foreground_threshold=foreground,
        background_threshold=background,
        refinement=draw(st.sampled_from(Refinement)),
        tidy_mask=draw(st.booleans()),
        output=draw(st.sampled_from(Output)),
        background=draw(st.none() | st.tuples(*[st.integers(0, 255)] * 4)),
        crop_margin_px=draw(st.none() | st.integers(0, 1000)),
        file_format=draw(st.sampled_from(FileFormat)),
        quality=draw(st.none() | st.integers(1, 100)),
    )


@given(specs())
def test_specs(spec: CutoutSpec) -> None:
    assert codec.decode_spec(codec.encode_spec(spec)) == spec


@given(COUNT, COUNT, COUNT, TEXT, st.booleans())
def test_results(width_px: int, height_px: int, size_bytes: int, media_type: str, subject_found: bool) -> None:
    result = Result(
        blob=result_key(new_task_uid(), 0, new_token()),
        media_type=media_type,
        width_px=width_px,
        height_px=height_px,
        size_bytes=size_bytes,
        subject_found=subject_found,
    )
    assert codec.decode_result(codec.encode_result(result)) == result


@given(COUNT, COUNT, COUNT, TEXT, TEXT)
def test_uploads(width_px: int, height_px: int, size_bytes: int, media_type: str, account: str) -> None:
    uid = new_task_uid()
    upload = Upload(
        uid=uid,
        account=account,
        blob=upload_key(uid),
        media_type=media_type,
        width_px=width_px,
        height_px=height_px,
        size_bytes=size_bytes,
    )
    assert codec.decode_upload(codec.encode_upload(upload)) == upload


@given(st.lists(st.builds(Delivery, kind=st.sampled_from(DeliveryKind), url=TEXT)))
def test_deliveries(deliveries: list[Delivery]) -> None:
    assert codec.decode_deliveries(codec.encode_deliveries(deliveries)) == tuple(deliveries)


def test_a_result_from_before_subjects_were_noted() -> None:
    key = result_key(new_task_uid(), 0, new_token())
    text = json.dumps(
        {"blob": str(key), "media_type": "image/png", "width_px": 4, "height_px": 3, "size_bytes": 70}
    )
    assert codec.decode_result(text).subject_found


@given(TEXT, TEXT, st.dictionaries(TEXT, TEXT | st.integers() | st.floats(allow_nan=False)))
def test_errors(kind: str, message: str, details: dict[str, str | int | float]) -> None:
    error = ErrorFacts(kind=kind, message=message, details=details)
    assert codec.decode_error(codec.encode_error(error)) == error


@given(TEXT, TEXT, st.integers(1, 512))
def test_presences(owner: str, engine: str, threads: int) -> None:
    worker = WorkerPresence(
        owner=owner, lane=Lane("m:exact"), model="m", engine=engine, provider="CPU", dtype="fp32", threads=threads
    )
    assert codec.decode_presence(codec.encode_presence(worker)) == worker
