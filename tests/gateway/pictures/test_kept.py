"""Tests of pictures that are kept and named by a UUID, and of Base64 as callers write it."""

import base64
import binascii
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.pictures.base64 import decode_source
from cutgate.gateway.pictures.kept import Pictures
from cutgate.jobs.errors import (
    BlobStoreUnavailable,
    LedgerUnavailable,
    SourceExpired,
    SourceRejected,
    SourceTooLarge,
    SourceUnreadable,
)
from cutgate.jobs.ids import image_uuid, made_at_seconds, parse_task_uid
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.limits import LedgerLimits, SourceLimits
from cutgate.jobs.record import Result
from cutgate.jobs.urls import Address, ResultPaths
from tests.fakes import MemoryBlobStore, failing
from tests.gateway import picture_files as pictures
from tests.gateway.harness import ACCOUNT, Harness
from tests.jobs.build import ERROR, result_of
from tests.ledgers import FreshLedger

LIMITS = SourceLimits(max_bytes=2**20, max_pixels=10_000, max_side_px=500)
DAY_SECONDS = 86_400
PNG = pictures.png()
ANNA = Account(name="anna")


def make_pictures(store: Ledger | None = None, blobs: MemoryBlobStore | None = None) -> Pictures:
    return Pictures(
        store=store or FreshLedger(LedgerLimits()),
        blobs=blobs or MemoryBlobStore(),
        paths=ResultPaths([bytes(32)]),
        limits=LIMITS,
        retention_seconds=DAY_SECONDS,
    )


@pytest.fixture
def blobs() -> MemoryBlobStore:
    return MemoryBlobStore()


@pytest.fixture
def part(blobs: MemoryBlobStore) -> Pictures:
    return make_pictures(blobs=blobs)


class TestResults:
    @staticmethod
    def found(gateway: Harness, uid: str, account: str = ACCOUNT) -> Result | None:
        return make_pictures(gateway.store).find(account, image_uuid(parse_task_uid(uid)))

    def test_none_of_a_task_that_failed_or_has_several_or_is_an_archive(self, gateway: Harness) -> None:
        failed = gateway.submit()
        gateway.fail_one(ERROR)
        batch = gateway.submit_batch(2)
        for _ in range(2):
            gateway.finish_one()
        archive = gateway.submit()
        claim = gateway.claim()
        assert gateway.store.claims.finish(claim, replace(result_of(claim), media_type="application/zip"))
        assert [self.found(gateway, uid) for uid in (failed, batch, archive)] == [None] * 3


class TestPaths:
    def test_it_is_good_for_the_retention(self) -> None:
        part = make_pictures()
        kept = part.keep(ANNA, PNG)
        _, _, mac, expires, name = urlsplit(part.path_of(kept)).path.split("/", 4)
        assert int(expires) == int(made_at_seconds(kept.uid) + DAY_SECONDS)
        address = Address(blob=kept.blob, media_type="image/png", subject_found=True)
        assert part.paths.open(mac, expires, name, int(expires) - 1) == address
        assert part.paths.open(mac, expires, name, int(expires)) is None


def test_what_a_camera_appends_is_not_kept(part: Pictures, blobs: MemoryBlobStore) -> None:
    photo = pictures.jpeg()
    kept = part.keep(ANNA, photo + b"\0\0\0\x18ftypmp42" + bytes(2**18))
    assert blobs.get(kept.blob) == photo
    assert kept.size_bytes == len(photo)


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "error"),
        [
            (PNG[:40], SourceUnreadable),
            (pictures.png_header_only(501, 1), SourceTooLarge),
            (PNG + bytes(2**20), SourceTooLarge),
            (pictures.jpeg() + bytes(2**19), SourceUnreadable),
        ],
        ids=["cut off", "side", "bytes", "a payload behind it"],
    )
    def test_a_bad_picture_leaves_nothing(
        self, part: Pictures, blobs: MemoryBlobStore, data: bytes, error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            part.keep(ANNA, data)
        assert blobs.keys() == ()

    @pytest.mark.parametrize(
        ("error", "deletes", "left"),
        [
            (SourceExpired("too old"), True, 0),
            (SourceExpired("too old"), False, 1),
            # The blob was there before the record, which may exist.
            (LedgerUnavailable("no answer in time"), True, 1),
        ],
        ids=["refused", "refused, and blobs are away", "the reply is lost"],
    )
    def test_a_refused_record_takes_its_blob_along_if_it_can(
        self, blobs: MemoryBlobStore, error: Exception, deletes: bool, left: int
    ) -> None:
        if not deletes:
            failing(blobs, delete=BlobStoreUnavailable("away"))
        with pytest.raises(type(error)):
            make_pictures(failing(FreshLedger(), uploads__keep=error), blobs).keep(ANNA, PNG)
        assert len(blobs.keys()) == left


DATA = bytes(range(256)) + b"\xfb\xff\xfe?"
PLAIN = base64.b64encode(DATA).decode("ascii")


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.rstrip("="),
        base64.urlsafe_b64encode(DATA).decode("ascii"),
        f"data:image/png;base64,{PLAIN}",
        f"data:;base64,{PLAIN}",
        f"DATA:application/x-nonsense;charset=utf-8;BASE64,{PLAIN}",
        f"\n data:image/png;base64,{PLAIN}",
        "\r\n".join(PLAIN[start : start + 76] for start in range(0, len(PLAIN), 76)),
        f"\t {PLAIN} \n",
    ],
)
def test_every_accepted_way_of_writing(text: str) -> None:
    assert decode_source(text, 1_000) == DATA


@pytest.mark.parametrize(
    "text",
    [
        *("http://example.com/cat.png", "HTTPS://example.com/cat.png", " https://example.com/cat.png"),
        *("data:image/png,abcd", "data:image/png;base64", "ab=cd", "abcde", "ab c!", "a picture?"),
        *("AAAA=", "AAAA==", "AAAA===", "AAAA====", "AAAA=====", "RA===", "RAA==", "=", "===", "===="),
        *("ÄÖÜß", "發發發發", "\0\0\0\0"),
    ],
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(SourceUnreadable):
        decode_source(text, 1_000)


def test_the_limit_holds_at_its_value_and_not_above() -> None:
    assert decode_source(PLAIN, len(DATA)) == DATA
    for limit in (len(DATA) - 1, len(DATA) - 2, 10):
        with pytest.raises(SourceTooLarge):
            decode_source(PLAIN, limit)


@given(st.text(max_size=60))
def test_any_text_is_decoded_or_refused(text: str) -> None:
    try:
        assert len(decode_source(text, 30)) <= 30
    except SourceRejected:
        return


@given(st.text("ABz09+/=-_ \n!", max_size=40))
def test_what_is_read_is_what_the_standard_library_reads(text: str) -> None:
    standard = text.translate(str.maketrans("-_", "+/", " \n"))
    bare = standard.rstrip("=")
    try:
        expected = binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)
    except ValueError:
        expected = None
    try:
        assert decode_source(text, 1_000) == expected
    except SourceUnreadable:
        assert expected is None or standard != bare  # more padding than its last group lacks


def test_white_space_is_not_counted_as_bytes_of_the_picture() -> None:
    assert decode_source(" " * 10_000 + PLAIN, len(DATA)) == DATA
