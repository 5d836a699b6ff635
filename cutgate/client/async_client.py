"""The client for programs on `asyncio`: the same methods as `Client`, awaited."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, Self, Unpack

import httpx

from cutgate.batches.batch import AT_ONCE, Progress, Recipe, Report, ServiceBatch
from cutgate.batches.journal import Journal
from cutgate.batches.planning import Places, find_pictures, plan
from cutgate.client.client import find_service
from cutgate.pictures import Picture
from cutgate.protocol.calls import WAIT_SECONDS, JobHandle, OnStatus, PicpikCalls
from cutgate.protocol.connection import DEFAULT_RETRIES, Retries, uses_environment
from cutgate.protocol.flows import AsyncDriver
from cutgate.protocol.picpik import (
    RADIUS_PX,
    Balance,
    JobStatus,
    RefineOptions,
    RenderOptions,
    Settings,
    Strokes,
)


class AsyncClient:
    """Talks to one service as one account; use it as an asynchronous context manager, from any number of tasks.

    Files are read and written, and large requests signed, in threads, so that the event loop goes on. Cancelling a
    task ends what it waits for here; the service goes on with its job. The arguments are those of `Client`.
    """

    def __init__(
        self,
        url: str | None = None,
        public_key: str | None = None,
        private_key: str | None = None,
        *,
        timeout_seconds: float = 30,
        retries: Retries = DEFAULT_RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        found = find_service(url, public_key, private_key)
        self.calls = PicpikCalls(*found, timeout_seconds=timeout_seconds, retries=retries)
        trust_env = uses_environment(self.calls.url)
        self._http = httpx.AsyncClient(timeout=timeout_seconds, transport=transport, trust_env=trust_env)
        self.driver = AsyncDriver(self._http, sleep)

    def __repr__(self) -> str:
        return f"AsyncClient({self.calls!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(self, action: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send any action of the protocol and return its answer, as `Client.call`."""
        return dict(await self.driver.run(self.calls.call(action, params or {})))

    async def remove_background(
        self, picture: Picture, *, request_uuid: str | None = None, **settings: Unpack[Settings]
    ) -> AsyncJob:
        """Hand a picture in, as `Client.remove_background`."""
        return self.job(await self.driver.run(self.calls.submit(picture, settings, request_uuid)))

    async def remove_backgrounds(
        self,
        pictures: Places,
        output: str | os.PathLike[str],
        *,
        at_once: int = AT_ONCE,
        again: bool = False,
        timeout_seconds: float = WAIT_SECONDS,
        suffix: str = ".png",
        convert: Callable[[bytes], bytes] | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        **settings: Unpack[Settings],
    ) -> Report:
        """Cut out many pictures into a folder, as `Client.remove_backgrounds`; tasks in place of threads.

        `convert` is called in threads, `on_progress` in the event loop. What was cancelled can be gone on with.
        """
        recipe = Recipe(
            settings=settings, suffix=suffix, convert=convert, timeout_seconds=timeout_seconds, again=again
        )
        with Journal(Path(output)) as journal:
            found = await asyncio.to_thread(find_pictures, pictures, journal.folder)
            planned = plan(found, journal.folder, suffix, journal.owners)
            batch = ServiceBatch(self.calls, journal, recipe)
            report = Report(len(planned))
            waiting = takewhile(lambda _: not report.hopeless, planned)

            async def cut_some() -> None:
                for picture in waiting:
                    progress = report.add(await self.driver.run(batch.cut(picture)))
                    if on_progress is not None:
                        on_progress(progress)

            async with asyncio.TaskGroup() as tasks:
                for _ in range(at_once):
                    tasks.create_task(cut_some())
        return report

    def job(self, uid: str) -> AsyncJob:
        """A job that was handed in before, by its id; nothing is asked of the service yet."""
        return AsyncJob(self, uid)

    async def jobs(self) -> list[AsyncJob]:
        """The account's jobs that have not ended, oldest first."""
        return [self.job(uid) for uid in await self.driver.run(self.calls.unfinished())]

    async def statuses(self, uids: Iterable[str]) -> list[JobStatus]:
        """Where jobs stand, in the order of their ids, in one question."""
        return await self.driver.run(self.calls.statuses(list(uids)))

    async def terminate(self, uid: str) -> None:
        """End a job that has not ended, uncharged; one that has ended stays."""
        await self.driver.run(self.calls.terminate(uid))

    async def balance(self) -> Balance:
        """The account's credits."""
        return await self.driver.run(self.calls.balance())


class AsyncJob(JobHandle):
    """One picture at the service, as `Job`, awaited."""

    def __init__(self, client: AsyncClient, uid: str) -> None:
        super().__init__(uid)
        self._client = client
        self._api, self._run = client.calls, client.driver.run

    async def status(self, wait_seconds: float = 0) -> JobStatus:
        """Ask where the job stands, as `Job.status`."""
        return await self._run(self._api.status(self, wait_seconds))

    async def wait(
        self, *, timeout_seconds: float = WAIT_SECONDS, on_progress: OnStatus | None = None
    ) -> JobStatus:
        """Wait until the job has finished, as `Job.wait`."""
        return await self._run(self._api.wait(self, timeout_seconds, on_progress))

    async def events(self, *, timeout_seconds: float = WAIT_SECONDS) -> AsyncGenerator[JobStatus, None]:
        """The job's states as they change, as `Job.events`; for `async for`."""
        following = self._api.follow(self, timeout_seconds)
        try:
            while (status := await self._run(following.next())) is not None:
                yield status
        finally:
            await self._run(following.close())

    async def result(self, *, timeout_seconds: float = WAIT_SECONDS) -> bytes:
        """The file's content, waited for, as `Job.result`."""
        return await self._run(self._api.result(self, timeout_seconds))

    async def save(self, path: str | os.PathLike[str], *, timeout_seconds: float = WAIT_SECONDS) -> Path:
        """Write the result to a file, as `Job.save`."""
        return await self._run(self._api.save(self, Path(path), timeout_seconds))

    async def refine(
        self,
        *,
        keep: Strokes = (),
        remove: Strokes = (),
        radius_px: int = RADIUS_PX,
        timeout_seconds: float = WAIT_SECONDS,
        **options: Unpack[RefineOptions],
    ) -> AsyncJob:
        """Correct the result, as `Job.refine`."""
        refine = self._api.refine(self, keep, remove, radius_px, options, timeout_seconds)
        return self._client.job(await self._run(refine))

    async def render(self, *, timeout_seconds: float = WAIT_SECONDS, **options: Unpack[RenderOptions]) -> AsyncJob:
        """Show the result another way, as `Job.render`."""
        return await self.refine(timeout_seconds=timeout_seconds, **options)

    async def terminate(self) -> None:
        """End the job, uncharged, unless it has ended."""
        await self._run(self._api.terminate(self.uid))
