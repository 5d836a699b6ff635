"""What is written to a store is read back as it was."""

from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutgate.jobs.answers import WorkerPresence
from cutgate.jobs.ids import new_task_uid, new_token, result_key, upload_key
from cutgate.jobs.ledger import encoding as codec
from cutgate.jobs.record import ErrorFacts, Result, Upload
from cutgate.jobs.spec import Box, CutoutSpec, FileFormat, Holes, Lane, Output, Refinement

T = TypeVar("T")
TEXT = st.text(st.characters(codec="utf-8"))
COUNT = st.integers(0, 2**53)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


BOXES = st.builds(
    Box,
    left_px=st.integers(0, 99),
    top_px=st.integers(0, 99),
    right_px=st.integers(100, 10_000),
    bottom_px=st.integers(100, 10_000),
)


@st.composite
def specs(draw: st.DrawFn) -> CutoutSpec:
    background, foreground = sorted(draw(st.tuples(st.integers(0, 255), st.integers(0, 255))))
    return CutoutSpec(
        model=draw(NAMES),
        box=draw(st.none() | BOXES),
        erode_px=draw(st.integers(0, 255)),
        foreground_threshold=foreground,
        background_threshold=background,
        refinement=draw(st.sampled_from(Refinement)),
        tidy_mask=draw(st.booleans()),
        holes=draw(st.sampled_from(Holes)),
        output=draw(st.sampled_from(Output)),
        background=draw(st.none() | st.tuples(*[st.integers(0, 255)] * 4)),
        file_format=draw(st.sampled_from(FileFormat)),
        quality=draw(st.none() | st.integers(1, 100)),
    )


def builds_picture(kind: type[T], **facts: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """A result or an upload: both say what a picture is."""
    sizes = dict.fromkeys(("width_px", "height_px", "size_bytes"), COUNT)
    return st.builds(kind, media_type=TEXT, **sizes, **facts)


UID = new_task_uid()
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "spec": specs(),
    "result": builds_picture(
        Result,
        blob=st.builds(result_key, st.just(UID), st.just(0), st.builds(new_token)),
        subject_found=st.booleans(),
        confidence=st.none() | st.integers(0, 100).map(lambda percent: percent / 100),
    )
    | builds_picture(
        Result,
        blob=st.builds(result_key, st.just(UID), st.just(0), st.builds(new_token)),
        full_width_px=COUNT,
        full_height_px=COUNT,
        foreground=st.none() | BOXES,
    ),
    "upload": builds_picture(Upload, uid=st.just(UID), blob=st.just(upload_key(UID)), account=TEXT),
    "error": st.builds(
        ErrorFacts,
        kind=TEXT,
        message=TEXT,
        details=st.dictionaries(TEXT, TEXT | st.integers() | st.floats(allow_nan=False)),
    ),
    "presence": st.builds(WorkerPresence, owner=TEXT, lane=st.just(Lane("m:exact")), engine=TEXT, threads=COUNT),
}


@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=40)
@given(data=st.data())
def test_it_is_read_back(kind: str, data: st.DataObject) -> None:
    value = data.draw(VALUES[kind])
    match kind:
        case "spec":
            assert codec.decode_spec(codec.encode_spec(value)) == value
        case "error":
            assert codec.ERROR.decode(codec.encode_error(value)) == value
        case _:
            stored = getattr(codec, kind.upper())
            assert stored.decode(stored.encode(value)) == value
