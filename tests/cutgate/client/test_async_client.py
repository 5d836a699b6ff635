"""The client for `asyncio`: the same methods with the same results, and many at a time in one thread."""

import asyncio
import inspect
import io
from pathlib import Path

import httpx
import pytest

from cutgate import AsyncClient, AsyncJob, Client, Job, JobFailed, JobTimeout, Progress, ServiceError
from tests.cutgate.batches.test_folders import QUICK, album
from tests.cutgate.conftest import Service, working
from tests.gateway.harness import ACCOUNT, PRIVATE_KEY, PUBLIC_KEY
from tests.gateway.picture_files import png
from tests.servers.flaky import Fault, flaky

__all__ = ["album"]


def client_of(service: Service, private_key: str = PRIVATE_KEY) -> AsyncClient:
    return AsyncClient(service.url, PUBLIC_KEY, private_key)


@pytest.mark.parametrize(("sync", "asynchronous"), [(Client, AsyncClient), (Job, AsyncJob)])
def test_both_clients_have_the_same_methods(sync: type, asynchronous: type) -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        public = {name: value for name, value in vars(kind).items() if not name.startswith("_")}
        return {
            name: list(inspect.signature(value).parameters)
            for name, value in public.items()
            if inspect.isfunction(value)
        }

    assert methods(sync) == methods(asynchronous)
    assert list(inspect.signature(sync).parameters) == list(inspect.signature(asynchronous).parameters)


def test_a_picture_from_hand_to_hand(worked_service: Service, tmp_path: Path) -> None:
    seen: list[str] = []

    async def talk() -> None:
        async with client_of(worked_service) as client:
            before = await client.balance()
            job = await client.remove_background(io.BytesIO(png()), only_mask=True)
            status = await job.wait(on_progress=lambda status: seen.append(status.state))
            assert status == await job.status()
            assert await job.result() == b"done"
            assert (await job.save(tmp_path / "out.png")).read_bytes() == b"done"
            assert [known.uid for known in await client.statuses([job.uid])] == [job.uid]
            assert await client.jobs() == []
            after = await client.balance()
            assert (after.used - before.used, before.available) == (1, None)
            assert str(after) == f"unmetered, {after.used} used"
            assert (await client.call("ListModels"))["RetCode"] == 0

    asyncio.run(talk())
    assert seen[-1] == "Finished"


def test_errors_are_the_same(service: Service) -> None:
    async def talk() -> None:
        async with client_of(service, "wrong") as stranger:
            with pytest.raises(ServiceError, match="check the private key"):
                await stranger.balance()
            assert "wrong" not in repr(stranger)
        async with client_of(service) as client:
            job = await client.remove_background(png())
            with pytest.raises(JobTimeout, match="is still Queuing"):
                await job.wait(timeout_seconds=0)
            assert [waiting.uid for waiting in await client.jobs()] == [job.uid]
            await job.terminate()
            with pytest.raises(JobFailed, match=r"somebody ended it.* \(task \w+, code 1002\)$"):
                await job.result()
            with pytest.raises(ValueError, match="is an address"):
                await client.remove_background("https://photos.example/cat.jpg")

    asyncio.run(talk())


def test_a_folder_through_every_fault_and_then_again(worked_service: Service, album: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []

    async def talk() -> None:
        with flaky(worked_service.url) as proxy:
            async with AsyncClient(proxy.url, PUBLIC_KEY, PRIVATE_KEY, retries=QUICK) as client:
                report = await client.remove_backgrounds(
                    album, tmp_path / "out", at_once=5, convert=bytes.upper, on_progress=seen.append
                )
                assert report.ok
                assert set(proxy.met) == set(Fault)
                again = await client.remove_backgrounds(album, tmp_path / "out")
                assert len(again.of("kept")) == 12

    asyncio.run(talk())
    assert {progress.outcome.target.read_bytes() for progress in seen} == {b"DONE"}
    assert (seen[-1].saved, worked_service.gateway.store.booked(ACCOUNT)) == (12, 12)


def test_a_call_that_is_cancelled_can_be_gone_on_with(service: Service, album: Path, tmp_path: Path) -> None:
    async def talk() -> None:
        async with client_of(service) as client:
            call = asyncio.create_task(client.remove_backgrounds(album, tmp_path / "out", at_once=3))
            while len(await client.jobs()) < 3:
                await asyncio.sleep(0.02)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            with working(service, b"done"):
                assert (await client.remove_backgrounds(album, tmp_path / "out")).ok

    asyncio.run(talk())
    assert service.gateway.store.booked(ACCOUNT) == 12


def test_pauses_do_not_hold_the_loop() -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    answers = iter([httpx.Response(503, headers={"Retry-After": "7"}), httpx.Response(200, json={"RetCode": 0})])
    transport = httpx.MockTransport(lambda _: next(answers))

    async def talk() -> None:
        async with AsyncClient(
            "http://a.example", "public", "private", transport=transport, sleep=sleep
        ) as client:
            await client.call("ListModels")

    asyncio.run(talk())
    assert pauses == [7]
