"""What users write, with the types that their checkers have to find. It is checked and never run."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, assert_type

from numpy.typing import NDArray
from PIL import Image

from cutgate import (
    AsyncClient,
    AsyncJob,
    Balance,
    Client,
    Cutout,
    CutoutOptions,
    Job,
    JobStatus,
    Remover,
    Report,
    Retries,
    ServiceError,
    Settings,
    remove_background,
)


def in_process(array: NDArray[Any], options: CutoutOptions) -> None:
    cutout = remove_background("cat.jpg", model="best", box=(0, 0, 9, 9))
    assert_type(cutout, Cutout)
    assert_type(cutout.image, Image.Image)
    assert_type(cutout.mask, Image.Image)
    assert_type(cutout.array, NDArray[Any])
    assert_type(cutout.confidence, float | None)
    assert_type(cutout.subject_found, bool)
    assert_type(cutout.save(Path("cat.png")), Path)
    assert_type(cutout.refine(keep=[[(1, 2), (3, 4)]]), Cutout)
    assert_type(cutout.composed(background="#fff"), Cutout)
    with Remover(model="fast", threads=2) as remover:
        assert_type(remover, Remover)
        assert_type(remover.remove_background(array, **options), Cutout)
        remover.remove_background(b"bytes")
        remover.remove_background(Image.new("RGB", (1, 1)))


def by_client(settings: Settings) -> None:
    with Client("http://127.0.0.1:8080", "public", "private", retries=Retries()) as client:
        assert_type(client, Client)
        job = client.remove_background("cat.jpg", **settings)
        assert_type(job, Job)
        assert_type(job.wait(timeout_seconds=9), JobStatus)
        assert_type(job.events(), Iterator[JobStatus])
        assert_type(job.result(), bytes)
        assert_type(job.save("cat.png"), Path)
        assert_type(job.confidence, float | None)
        assert_type(client.jobs(), list[Job])
        assert_type(client.balance(), Balance)
        assert_type(client.balance().available, int | None)
        assert_type(client.remove_backgrounds(["cat.jpg"], "out"), Report)
        try:
            client.terminate(job.uid)
        except ServiceError as error:
            assert_type(error.code, int | str)


async def by_async_client() -> None:
    async with AsyncClient("http://127.0.0.1:8080", "public", "private") as client:
        assert_type(client, AsyncClient)
        job = await client.remove_background("cat.jpg", hair_optimization="on")
        assert_type(job, AsyncJob)
        assert_type(await job.wait(), JobStatus)
        assert_type(job.events(), AsyncGenerator[JobStatus, None])
        assert_type(await job.result(), bytes)
        assert_type(await client.balance(), Balance)
        assert_type(await client.remove_backgrounds(["cat.jpg"], "out"), Report)
