"""Tests of bodies as they arrive, and of the memory that large ones share."""

import asyncio
import base64
import io
import json
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Request
from typing_extensions import override
from werkzeug.exceptions import RequestEntityTooLarge

from cutgate.gateway import bodies as bodies_module
from cutgate.gateway.bodies import BODY, Bodies, Body, BodyWanted, Inbox, Spool
from cutgate.gateway.picpik.views import WORDS_BYTES
from cutgate.jobs.errors import ServiceUnavailable
from cutgate.jobs.ids import BlobKey, new_task_uid
from cutgate.signing import parse_body, verify
from tests.fakes import MemoryBlobStore
from tests.gateway import picture_files as pictures
from tests.gateway.harness import PUBLIC_KEY, Harness, signed
from tests.gateway.on_loop import new_spool, receive

MIB = 2**20


def bodies(room_bytes: int = 2**30) -> Bodies:
    return Bodies(room_bytes)


SPOOLS = list[Spool]()
"""Bodies of the present test."""


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while SPOOLS:
        SPOOLS.pop().close()


def arrived(sent: bytes, told_bytes: int | None = None) -> Request:
    """A request whose body has come, as far as there is space for it."""
    spool = new_spool(told_bytes or 0)
    SPOOLS.append(spool)
    receive(spool, io.BytesIO(sent))
    return Request({BODY: spool, "CONTENT_LENGTH": str(told_bytes or "")})


def read(sent: bytes, told_bytes: int | None = None) -> tuple[Body, bytes]:
    with bodies().received(arrived(sent, told_bytes)) as body:
        return body, body.file.read()


@pytest.mark.parametrize("sent", [b"", b"short", b"x" * 11, b"x" * (3 * MIB + 1)])
@pytest.mark.parametrize("is_told", [False, True])
def test_a_body_is_read_as_it_was_sent(sent: bytes, is_told: bool) -> None:
    body, found = read(sent, len(sent) if is_told else None)
    assert found == sent
    assert body.size_bytes == len(sent)
    assert body.is_plain


@pytest.mark.parametrize(
    "sent",
    [
        "ü".encode(),
        rb"\u00fc",
        b"x" * (MIB - 1) + rb"\u00fc",
        b"x" * MIB + "\U0001f600".encode(),
        b"a=%F0%9F%98%80",
        b"x" * (MIB - 1) + b"%c3%bc",
    ],
)
def test_characters_that_may_take_more_than_a_byte_are_noticed(sent: bytes) -> None:
    assert not read(sent)[0].is_plain
    assert read(b"\\/" * MIB + b"u")[0].is_plain
    assert read(b"a=%2B%3d%zz&b=%")[0].is_plain


@pytest.mark.constants(bodies_module, MEMORY_BYTES=10)
@pytest.mark.parametrize("size_bytes", [100, 3 * MIB])
def test_a_full_disk_is_a_passing_error(monkeypatch: pytest.MonkeyPatch, size_bytes: int) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *_, **__: io.FileIO("/dev/full", "r+"))
    request = arrived(bytes(size_bytes))
    with pytest.raises(ServiceUnavailable, match="No space left"), bodies().received(request):
        pytest.fail("it is not stored")


@pytest.mark.constants(bodies_module, MEMORY_BYTES=10, ROOM_SECONDS=0)
class TestRoom:
    def test_large_bodies_share_it_and_give_it_back(self) -> None:
        some = bodies(room_bytes=300)
        for _ in range(3):
            with some.received(arrived(bytes(100), 100)), some.taken(200):
                with pytest.raises(ServiceUnavailable), some.taken(1):
                    pytest.fail("there is none left")
                with some.received(arrived(b"small", 5)) as small:
                    assert small.size_bytes == 5

    def test_what_may_be_wide_takes_four_times_its_size(self) -> None:
        some = bodies(room_bytes=300)
        with some.received(arrived("ü".encode() * 30, None)):
            with some.taken(60):
                pass
            with pytest.raises(ServiceUnavailable), some.taken(61):
                pytest.fail("there is none left")

    @pytest.mark.constants(bodies_module, MEMORY_BYTES=100)
    def test_a_small_body_that_may_become_large_takes_room_as_well(self) -> None:
        some = bodies(room_bytes=300)
        with some.received(arrived("ü".encode() * 40, 80)):
            with some.taken(0):
                pass
            with pytest.raises(ServiceUnavailable), some.taken(1):
                pytest.fail("there is none left")

    def test_what_is_larger_than_all_of_it_takes_all_of_it(self) -> None:
        room = Bodies(100)
        with room.taken(1_000), pytest.raises(ServiceUnavailable), room.taken(1):
            pytest.fail("there is none left")
        with room.taken(100):
            pass

    @pytest.mark.constants(bodies_module, ROOM_SECONDS=5)
    def test_who_waits_for_much_is_not_overtaken(self) -> None:
        room, order = Bodies(100), list[str]()

        def take(name: str, size_bytes: int) -> None:
            with room.taken(size_bytes):
                order.append(name)

        large = threading.Thread(target=take, args=("large", 100))
        small = threading.Thread(target=take, args=("small", 10))
        with room.taken(50):
            large.start()
            while not room._turn.locked():
                pass
            small.start()
            small.join(0.05)
            assert order == []
        large.join(5)
        small.join(5)
        assert order == ["large", "small"]


def test_a_body_in_memory_takes_twice_its_size() -> None:
    picture = base64.b64encode(bytes(6 * MIB)).decode()
    sent = json.dumps({"P": [picture] * 6}).encode()
    tracemalloc.start()
    try:
        with bodies().received(arrived(sent, len(sent))) as body:
            before_bytes, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            # Not within an assert, since pytest would keep what that reads.
            fits = verify(parse_body(body.file.read()), "0" * 40, ["key"])
            _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not fits
    assert peak_bytes - before_bytes < 2.2 * len(sent)


def test_a_body_that_has_not_come_is_wanted() -> None:
    request = Request({BODY: new_spool(), "CONTENT_LENGTH": "9"})
    request.max_content_length = 9
    with pytest.raises(BodyWanted) as wanted, bodies().received(request):
        pytest.fail("it has not arrived")
    assert wanted.value.limit_bytes == 9
    request.max_content_length = 8
    with pytest.raises(RequestEntityTooLarge), bodies().received(request):
        pytest.fail("it is too long")


class TestInbox:
    """Budgets of 800 bytes on disk, of which a client has a hundred, and of ten in memory."""

    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bodies_module, "ARRIVING_BYTES", 10)
        self.inbox, self.dropped = Inbox(800), list[str]()

    def spool(self, client: str, size_bytes: int = 0) -> Spool:
        spool = Spool(self.inbox, client, 0, lambda: self.dropped.append(client))
        SPOOLS.append(spool)
        if size_bytes:
            spool.add(bytes(size_bytes))
        return spool

    def test_what_finds_no_memory_goes_to_a_file(self) -> None:
        first, second = self.spool("a", 8), self.spool("b", 8)
        assert (first.is_in_file, second.is_in_file) == (False, True)
        assert second.open().read() == bytes(8)
        first.close()
        assert not self.spool("c", 8).is_in_file

    def test_of_a_client_with_its_share_only_the_oldest_body_goes_on(self) -> None:
        first, second, other = self.spool("a", 60), self.spool("a", 60), self.spool("b", 60)
        may = [self.inbox.may_go_on(spool) for spool in (first, second, other, self.spool("a"))]
        assert may == [True, False, True, False]
        first.close()
        assert self.inbox.may_go_on(second)

    def test_who_waits_goes_on_when_there_is_room(self) -> None:
        async def waiting() -> None:
            first, second = self.spool("a", 60), self.spool("a", 60)
            turn = asyncio.ensure_future(self.inbox.turn(second))
            await asyncio.sleep(0)
            assert not turn.done()
            first.close()
            async with asyncio.timeout(5):
                await turn

        asyncio.run(waiting())

    def test_where_none_is_left_whoever_has_most_gives_way(self) -> None:
        self.spool("a", 400)
        done = self.spool("a", 200)
        done.is_whole = True
        self.spool("b", 150)
        self.spool("c", 100)
        assert self.dropped == ["a"], "its youngest that is still coming"
        with pytest.raises(ServiceUnavailable):
            self.spool("d", 900)
        assert not done.open().closed


@pytest.mark.constants(bodies_module, MEMORY_BYTES=1_000)
@pytest.mark.parametrize(("uuid", "code", "status"), [("plain", 0, 200), ("ü", 230, 413)])
def test_above_the_limit_of_one_picture_a_body_is_plain(
    gateway: Harness, uuid: str, code: int, status: int
) -> None:
    gateway = gateway.with_settings(max_source_bytes=100, max_body_bytes=70_000)
    request = {"Action": "RemoveBackgroundsInBatch", "PublicKey": PUBLIC_KEY, "request_uuid": uuid}
    body = signed({**request, "RawImages": [pictures.BASE64_8X8 + " " * 10_000] * 8})
    for ensure_ascii in (True, False):
        response = gateway.post(json.dumps(body, ensure_ascii=ensure_ascii).encode())
        assert (response.status_code, response.get_json()["RetCode"]) == (status, code)


def test_a_form_is_no_larger_than_one_picture(gateway: Harness) -> None:
    gateway = gateway.with_settings(max_source_bytes=100, max_body_bytes=70_000)
    for size, status in ((60_000, 200), (80_000, 413)):
        form = b"Action=" + b"x" * size
        assert gateway.post(form, content_type="application/x-www-form-urlencoded").status_code == status


class SlowBlobStore(MemoryBlobStore):
    """Stores nothing before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.told = threading.Event(), threading.Event()

    @override
    def put(self, key: BlobKey, data: bytes) -> None:
        self.asked.set()
        assert self.told.wait(10)
        super().put(key, data)


@pytest.mark.constants(bodies_module, MEMORY_BYTES=1_000, ROOM_SECONDS=0.01)
def test_a_large_body_that_finds_no_room_is_told_when_to_come_again_on_both_facades(gateway: Harness) -> None:
    blobs = SlowBlobStore()
    gateway = replace(gateway, blobs=blobs).with_settings(large_bodies_bytes=2_000)
    small = json.dumps(Harness.signed_list(new_task_uid()))
    large = json.dumps(Harness.signed_picture(pictures.BASE64_8X8)).ljust(2_000)
    with ThreadPoolExecutor() as callers:
        first = callers.submit(gateway.code, large)
        assert blobs.asked.wait(10)
        for path in ("/", "/v1"):
            answer = gateway.open(path, method="POST", data=large)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert gateway.code(small) == 0
        blobs.told.set()
        assert first.result() == 0
    assert gateway.code(large) == 0


def test_a_request_without_pictures_is_no_large_body(gateway: Harness) -> None:
    """It could wait for results, and keep all others out of the room for as long."""
    body = json.dumps(Harness.signed_list(new_task_uid()))
    assert gateway.code(body.ljust(WORDS_BYTES)) == 0
    refused = gateway.post(body.ljust(WORDS_BYTES + 1))
    assert (refused.status_code, refused.get_json()["RetCode"]) == (413, 230)
