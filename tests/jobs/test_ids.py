"""Names: made, parsed, and nothing else accepted."""

import uuid
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutgate.jobs.ids import (
    BlobKey,
    TaskUid,
    image_uuid,
    made_at_seconds,
    new_task_uid,
    new_token,
    parse_task_uid,
    result_key,
    source_key,
    uid_of_image,
)

UID = new_task_uid()
SECONDS = st.integers(0, 2**32 - 1)
HOSTILE = [
    "",
    "/",
    "..",
    "../../etc/passwd",
    f"{UID}",
    f"{UID}/0",
    f"{UID}/0/source",
    f"{UID}/0/source-",
    f"{UID}/0/source-short",
    f"{UID}/-1/source-12345678",
    f"{UID}/+1/source-12345678",
    f"{UID}/01/source-12345678",
    f"{UID}/ 1/source-12345678",
    f"{UID}/1_0/source-12345678",
    f"{UID}/１/source-12345678",  # a full-width digit
    f"{UID}/{'9' * 5_000}/source-12345678",
    f"{UID}/1000000/source-12345678",
    f"{UID}/0/source-1234567/",
    f"{UID}/0/source-../12345678",
    f"{UID}/0/source-12345678\n",
    f"{UID}/0/so.rce-12345678",
    f"{UID}/0/source-1234567é",
    f"{UID.upper()}/0/source-12345678",
    f"../{UID}/0/source-12345678",
    f"{UID}/0/source-12345678\0",
    f"{UID}/0/source-\ud800123456789",
]


def test_a_uid_is_parsed_as_it_was_made() -> None:
    uid = new_task_uid()
    assert parse_task_uid(uid) == uid
    assert len(uid) == 20


@given(SECONDS)
def test_a_uid_carries_its_time(seconds: int) -> None:
    assert made_at_seconds(new_task_uid(seconds)) == seconds


@given(SECONDS, SECONDS)
def test_uids_sort_by_time(one: int, other: int) -> None:
    if one != other:
        assert (new_task_uid(one) < new_task_uid(other)) == (one < other)


@pytest.mark.parametrize("text", ["", "a" * 19, "a" * 20, "A" * 19 + "0", "w" * 19 + "0", "0" * 20 + "\n"])
def test_no_other_text_is_a_uid(text: str) -> None:
    with pytest.raises(ValueError, match="not a task id"):
        parse_task_uid(text)


@given(SECONDS)
def test_a_uuid_holds_the_uid(seconds: int) -> None:
    uid = new_task_uid(seconds)
    image = image_uuid(uid)
    assert (image.version, image.variant) == (4, uuid.RFC_4122)
    assert uid_of_image(image) == uid


@given(st.binary(min_size=12, max_size=12))
def test_whatever_uuid_holds_a_uid_stands_for_that_one_alone(raw: bytes) -> None:
    image = uuid.UUID(bytes=raw[:6] + b"\x40\x00\x80\x00" + raw[6:])
    uid = uid_of_image(image)
    assert uid is not None
    assert image_uuid(parse_task_uid(uid)) == image


@given(SECONDS, st.integers(48, 79))
def test_a_uuid_that_differs_in_the_middle_holds_none(seconds: int, bit: int) -> None:
    assert uid_of_image(uuid.UUID(int=image_uuid(new_task_uid(seconds)).int ^ 1 << bit)) is None


@given(SECONDS, st.integers(0, 999_999))
def test_a_key_is_parsed_as_it_is_written(seconds: int, index: int) -> None:
    for key in (source_key(new_task_uid(seconds), index), result_key(new_task_uid(seconds), index, new_token())):
        assert BlobKey.parse(str(key)) == key


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_other_text_is_a_key(text: str) -> None:
    with pytest.raises(ValueError, match="not a blob key"):
        BlobKey.parse(text)


@given(st.from_regex("[a-z]{1,16}", fullmatch=True), st.from_regex("[A-Za-z0-9_-]{8,64}", fullmatch=True))
def test_whatever_is_a_key_stays_below_its_folder(role: str, token: str) -> None:
    key = BlobKey(task=UID, index=0, role=role, token=token)
    assert PurePosixPath(str(key)).parts == (UID, "0", f"{role}-{token}")
    assert BlobKey.parse(str(key)) == key


@given(st.sampled_from(["task", "role", "token"]), st.text("./\\\0\n é", min_size=1), st.data())
def test_one_hostile_part_makes_no_key(part: str, hostile: str, data: st.DataObject) -> None:
    parts = {"task": str(UID), "role": "source", "token": "A" * 22}
    at = data.draw(st.integers(0, len(parts[part])))
    parts[part] = parts[part][:at] + hostile + parts[part][at:]
    with pytest.raises(ValueError, match="not a "):
        BlobKey(task=TaskUid(parts["task"]), index=0, role=parts["role"], token=parts["token"])


@given(st.integers(max_value=-1) | st.integers(min_value=1_000_000))
def test_an_index_out_of_bounds_makes_no_key(index: int) -> None:
    with pytest.raises(ValueError, match="not a blob key"):
        BlobKey(task=UID, index=index, role="source", token="A" * 22)
