"""A client for the service, or for any other that speaks PICPIK's protocol."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, Unpack

import httpx

from cutgate.batches.batch import AT_ONCE, Progress, Recipe, Report, ServiceBatch
from cutgate.batches.journal import Journal
from cutgate.batches.planning import Places, find_pictures, plan
from cutgate.batches.threads import cut_all
from cutgate.errors import KeyPairMissing, ServiceNotNamed
from cutgate.local.data_folder import DataDir, default_data_dir
from cutgate.pictures import Picture
from cutgate.protocol.calls import WAIT_SECONDS, JobHandle, OnStatus, PicpikCalls
from cutgate.protocol.connection import DEFAULT_RETRIES, Retries, uses_environment
from cutgate.protocol.flows import Driver
from cutgate.protocol.picpik import (
    RADIUS_PX,
    Balance,
    JobStatus,
    RefineOptions,
    RenderOptions,
    Settings,
    Strokes,
)


class Client:
    """Talks to one service as one account; use it as a context manager, from any number of threads.

    Args:
        url: address of the service; absent, that of CUTGATE_URL, or else of the stack that `cutgate up` runs here.
        public_key: names the account; absent, CUTGATE_PUBLIC_KEY, or for that stack its own account.
        private_key: signs the requests; never sent, never shown; absent, CUTGATE_PRIVATE_KEY, or as above.
        timeout_seconds: longest silence on a connection.
        retries: how faults that pass are met: broken connections, HTTP 429, 502, 503 and 504, code 153. A repeat
            is the same signed request, by which the service knows it and does no work twice.
        transport: carries the requests in place of the network, for tests.
        sleep: pauses for so many seconds, for tests.

    Raises:
        ServiceNotNamed: no address is given or found.
        KeyPairMissing: no key pair is.
        ValueError: `url` is not an address, or a key is empty.
    """

    def __init__(
        self,
        url: str | None = None,
        public_key: str | None = None,
        private_key: str | None = None,
        *,
        timeout_seconds: float = 30,
        retries: Retries = DEFAULT_RETRIES,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        found = find_service(url, public_key, private_key)
        self.calls = PicpikCalls(*found, timeout_seconds=timeout_seconds, retries=retries)
        trust_env = uses_environment(self.calls.url)
        self._http = httpx.Client(timeout=timeout_seconds, transport=transport, trust_env=trust_env)
        self.driver = Driver(self._http, sleep)

    def __repr__(self) -> str:
        return f"Client({self.calls!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, action: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send any action of the protocol and return its answer.

        Args:
            action: name of the operation, for instance `ListTasksDetails`.
            params: its fields, of JSON's types; floats are better avoided, since signers differ on them.

        Raises:
            ServiceError: the service refused.
            TransportError: no usable answer came.
        """
        return dict(self.driver.run(self.calls.call(action, params or {})))

    def remove_background(
        self, picture: Picture, *, request_uuid: str | None = None, **settings: Unpack[Settings]
    ) -> Job:
        """Hand a picture in. Returns as soon as the service has stored it.

        Args:
            picture: a file's name, its bytes, or a file open for reading: JPEG, PNG, WebP and others; or a Pillow
                picture or an array, as `remove_background` takes them in process, sent as a PNG.
            request_uuid: the request's own id. The same picture handed in again under the same id and with the
                same settings is the same job, for a day. Each call has a new one otherwise.
            settings: how to cut it out, see `Settings`.

        Raises:
            ServiceError: the service refused the picture or the account.
            TransportError: no usable answer came.
            OSError: the file cannot be read.
            TypeError, ValueError: `picture` is none, such as the address of one.
        """
        return self.job(self.driver.run(self.calls.submit(picture, settings, request_uuid)))

    def remove_backgrounds(
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
        """Cut out many pictures into a folder. A picture that fails does not stop the others.

        The folder remembers how far each picture is, so the same call, made again after it was killed, goes on
        where it was: a picture is handed in once, and a result that is there is not made again, unless the
        picture's file, the settings or `suffix` have changed. Results appear whole or not at all.

        Args:
            pictures: a folder, of which all pictures in it and beneath it are taken, or a number of files and
                folders.
            output: the folder for the results; made if it is not there.
            at_once: pictures on their way at a time.
            again: make results anew that are there.
            timeout_seconds: how long to wait for one picture.
            suffix: what the names of the results end with.
            convert: makes a file's content of the PNG that the service delivers, in any of several threads.
            on_progress: called in this thread whenever a picture has ended.
            settings: how to cut them out, see `Settings`.

        Raises:
            NameTaken: a result's file would be a picture, or the result of another one.
            FolderInUse: another call writes into the folder.
            DataFileBroken: what the folder remembers cannot be read.
            OutputFull: there is no room in the folder.
            OSError: a folder cannot be read or written.
        """
        recipe = Recipe(
            settings=settings, suffix=suffix, convert=convert, timeout_seconds=timeout_seconds, again=again
        )
        with Journal(Path(output)) as journal:
            planned = plan(find_pictures(pictures, journal.folder), journal.folder, suffix, journal.owners)
            batch = ServiceBatch(self.calls, journal, recipe)
            return cut_all(self.driver, batch, planned, at_once=at_once, on_progress=on_progress)

    def job(self, uid: str) -> Job:
        """A job that was handed in before, by its id; nothing is asked of the service yet."""
        return Job(self, uid)

    def jobs(self) -> list[Job]:
        """The account's jobs that have not ended, oldest first; raises what `call` raises."""
        return [self.job(uid) for uid in self.driver.run(self.calls.unfinished())]

    def statuses(self, uids: Iterable[str]) -> list[JobStatus]:
        """Where jobs stand, in the order of their ids, in one question; raises what `call` raises."""
        return self.driver.run(self.calls.statuses(list(uids)))

    def terminate(self, uid: str) -> None:
        """End a job that has not ended, uncharged; one that has ended stays. Raises what `call` raises."""
        self.driver.run(self.calls.terminate(uid))

    def balance(self) -> Balance:
        """The account's credits; raises what `call` raises."""
        return self.driver.run(self.calls.balance())


class Job(JobHandle):
    """One picture at the service. Made by `Client.remove_background`, `Client.job` and `Client.jobs`."""

    def __init__(self, client: Client, uid: str) -> None:
        super().__init__(uid)
        self._client = client
        self._api, self._run = client.calls, client.driver.run

    def status(self, wait_seconds: float = 0) -> JobStatus:
        """Ask where the job stands; a job that has ended is not asked for again.

        Args:
            wait_seconds: how long the service may hold its answer back, until the job ends.

        Raises:
            ServiceError: the service refused.
            TransportError: no usable answer came.
        """
        return self._run(self._api.status(self, wait_seconds))

    def wait(self, *, timeout_seconds: float = WAIT_SECONDS, on_progress: OnStatus | None = None) -> JobStatus:
        """Wait until the job has finished: in the service, if it can; else by polls, every 0.2 s to every 2 s.

        Args:
            timeout_seconds: how long to wait.
            on_progress: called with every answer, the last one included.

        Raises:
            JobFailed: the service could not do it.
            JobTimeout: it had not ended in time; it goes on.
            ServiceError: the service refused.
            TransportError: no usable answer came.
        """
        return self._run(self._api.wait(self, timeout_seconds, on_progress))

    def events(self, *, timeout_seconds: float = WAIT_SECONDS) -> Iterator[JobStatus]:
        """The job's states as they change, the last one that in which it ended: also one with an error.

        The service tells `place` and `phase`, by Server-Sent Events; one without these is polled.

        Args:
            timeout_seconds: how long to listen.

        Raises:
            JobTimeout: the job had not ended in time; it goes on.
            ServiceError: the service refused.
            TransportError: no usable answer came.
        """
        following = self._api.follow(self, timeout_seconds)
        try:
            while (status := self._run(following.next())) is not None:
                yield status
        finally:
            self._run(following.close())

    def result(self, *, timeout_seconds: float = WAIT_SECONDS) -> bytes:
        """The PNG, or the format that `render` asked for, waited for; raises what `wait` raises."""
        return self._run(self._api.result(self, timeout_seconds))

    def save(self, path: str | os.PathLike[str], *, timeout_seconds: float = WAIT_SECONDS) -> Path:
        """Write the result to a file that appears whole or not at all; returns its path.

        Raises:
            JobFailed, JobTimeout, ServiceError, TransportError: as `wait`.
            WrongSuffix: the file's name is one of another format, such as `a.webp` for a PNG.
            OSError: the file cannot be written.
        """
        return self._run(self._api.save(self, Path(path), timeout_seconds))

    def refine(
        self,
        *,
        keep: Strokes = (),
        remove: Strokes = (),
        radius_px: int = RADIUS_PX,
        timeout_seconds: float = WAIT_SECONDS,
        **options: Unpack[RefineOptions],
    ) -> Job:
        """Correct the result: a new job, made from this one's mask. No network runs, and nothing is charged.

        Strokes and options come on top of those that this job has. It is waited for where it has not finished. The
        service keeps its mask as long as its result.

        Args:
            keep: strokes over what belongs to the subject, in pixels of the upright picture. What they touch
                belongs to it as well. Fractions are rounded.
            remove: strokes over what does not belong to it.
            radius_px: half the width of these strokes.
            timeout_seconds: how long to wait for this job.
            options: what else is to change, see `RefineOptions`.

        Raises:
            JobFailed, JobTimeout, TransportError: as `wait`.
            ServiceError: the service refused, as where it keeps the mask no longer.
            TypeError: there is no such option.
            ValueError: a stroke or a colour is none.
        """
        refine = self._api.refine(self, keep, remove, radius_px, options, timeout_seconds)
        return self._client.job(self._run(refine))

    def render(self, *, timeout_seconds: float = WAIT_SECONDS, **options: Unpack[RenderOptions]) -> Job:
        """Show the result another way: a new job, as of `refine`, which takes these options and others.

        Args:
            timeout_seconds: how long to wait for this job.
            options: what is to change, see `RenderOptions`.
        """
        return self.refine(timeout_seconds=timeout_seconds, **options)

    def terminate(self) -> None:
        """End the job, uncharged, unless it has ended."""
        self._run(self._api.terminate(self.uid))


def find_service(
    url: str | None = None, public_key: str | None = None, private_key: str | None = None
) -> tuple[str, str, str]:
    """Complete a service's address, public and private key; given ones stay as they are.

    With an address, given or in CUTGATE_URL, the keys are those of CUTGATE_PUBLIC_KEY and CUTGATE_PRIVATE_KEY.
    Without one both are those of the stack that runs on the default data folder: its keys sign for nobody else.
    """
    if url is None:
        url = os.environ.get("CUTGATE_URL") or None
    if url is not None:
        public_key = os.environ.get("CUTGATE_PUBLIC_KEY") if public_key is None else public_key
        private_key = os.environ.get("CUTGATE_PRIVATE_KEY") if private_key is None else private_key
    else:
        data = DataDir(default_data_dir())
        running, account = data.running(), data.account()
        if running is None or account is None:
            raise ServiceNotNamed(data.folder)
        url = running.url
        if public_key is None and private_key is None:
            public_key, private_key = account.public_key, account.private_key
    if public_key is None or private_key is None:
        raise KeyPairMissing(url)
    return url, public_key, private_key
