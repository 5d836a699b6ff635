"""Tests of what a picture may be: its kind, its way of writing, its size, its address; and what is asked of it."""

import base64

import pytest

from cutgate.jobs.record import ErrandKind
from cutgate.jobs.spec import Output
from tests.gateway import picture_files as pictures
from tests.gateway.contract.facades import ADDRESS, PNG, Facade, Picpik, Rembg, RemoveBg, Runware, only
from tests.jobs.build import take_errand

KINDS = {
    "png": pictures.png(),
    "jpeg": pictures.jpeg(),
    "webp": pictures.webp(),
    "bmp": pictures.bmp(),
    "gif": pictures.gif(),
    "tiff": pictures.tiff(),
    "heic": pictures.heif(),
    "avif": pictures.heif(brand=b"avif"),
}
BARE = base64.b64encode(PNG).decode()
TEXTS = {
    "bare": BARE,
    "unpadded": BARE.rstrip("="),
    "in lines": base64.encodebytes(PNG).decode(),
    "another type": pictures.data_uri(PNG, "image/jpeg"),
}
BAD: list[tuple[str, bytes | str, str]] = [
    ("signs", "%%%", "not base64"),
    ("a sentence", "not base64!", "not base64"),
    ("text", b"no picture", "no picture"),
    ("RAW", pictures.nef(), "raw picture"),
    ("half a file", PNG[:-4], "cut off"),
    ("many scans", pictures.jpeg(7_000, 7_000, scans=21), "costly"),
    ("nothing", "", "empty"),
    ("a long side", pictures.png_header_only(13_000, 8), "too many pixels"),
    ("many pixels", pictures.png_header_only(9_000, 9_000), "too many pixels"),
]


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_a_picture_is_known_by_its_content_and_stored_as_it_is(facade: Facade, data: bytes) -> None:
    facade.accept(data)
    [key] = facade.gateway.stored()
    assert facade.gateway.blobs.get(key) == data
    assert facade.gateway.hints == [facade.gateway.lane]


@only(Picpik, Runware, RemoveBg)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_base64_is_read_however_it_is_written(facade: Facade, text: str) -> None:
    facade.accept(text)
    [key] = facade.gateway.stored()
    assert facade.gateway.blobs.get(key) == PNG


@pytest.mark.parametrize(("source", "why"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_no_picture_is_refused_and_leaves_nothing(facade: Facade, source: bytes | str, why: str) -> None:
    refused = facade.refused(facade.submit(source), why)
    assert refused.text
    facade.gateway.assert_nothing_left()


@pytest.mark.parametrize("address", ["ftp://host/a.jpg", "https://", "https://user@host/a.png", "file:///etc/x"])
def test_an_address_that_is_none_is_refused(facade: Facade, address: str) -> None:
    facade.refused(facade.submit(address), "no address")
    facade.gateway.assert_nothing_left()


def test_an_address_is_left_to_the_courier_where_the_protocol_has_any(facade: Facade) -> None:
    reply = facade.submit(ADDRESS)
    if not facade.takes_addresses:
        facade.refused(reply, "no address")
        assert "hidden" not in reply.text
        return
    assert reply.job is not None
    assert facade.gateway.stored() == ()
    assert facade.gateway.hints == []
    errand = take_errand(facade.gateway.store)
    assert (errand.kind, errand.url) == (ErrandKind.FETCH, ADDRESS)


@only(Runware, RemoveBg, Rembg)
def test_pictures_with_an_address_count_and_cost_like_any_other(facade: Facade) -> None:
    facade.gateway.store.accounts.grant("tester", 1)
    job = facade.accept(ADDRESS)
    facade.refused(facade.submit(ADDRESS), "no credits")
    assert facade.accept(ADDRESS, job=job) == job


def test_the_mask_alone_is_asked_of_the_worker(facade: Facade) -> None:
    facade.accept()
    facade.accept(**facade.mask)
    assert [facade.gateway.claim().spec.output for _ in range(2)] == [Output.CUTOUT, Output.MASK]
