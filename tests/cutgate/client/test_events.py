"""`Job.events`: a job's states as they change, by events of the real gateway or by polls of a service without."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cutgate import AsyncClient, Client, JobStatus, JobTimeout, ServiceError, TransportError
from cutgate.gateway.serving.app import PARTS
from cutgate.gateway.waiting import streams
from cutgate.jobs.errors import SourceUndecodable
from tests.cutgate.conftest import Service, served
from tests.fakes import MemoryBlobStore
from tests.gateway.harness import PRIVATE_KEY, PUBLIC_KEY
from tests.gateway.picture_files import png
from tests.waiting import eventually

UID = "d5ari00q5cu0v880200g"
Answer = Callable[[dict[str, Any]], httpx.Response]


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.1)


class Worker:
    """Takes the job one step further with each state that its caller hears of."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.seen: list[tuple[str, int | None, str | None]] = []

    def take(self, status: JobStatus) -> None:
        self.seen.append((status.state, status.place, status.phase))
        if status.state == "Queuing":
            self.claim = self.service.gateway.claim()
        elif status.state == "Running":
            self.service.gateway.finish(self.claim)


WAY = [("Queuing", 1, None), ("Running", None, "reading"), ("Finished", None, None)]


def test_each_state_with_place_and_phase(service: Service) -> None:
    worker = Worker(service)
    with service.client() as client:
        job = client.remove_background(png())
        for status in job.events():
            worker.take(status)
        assert worker.seen == WAY
        assert (job.confidence, job.result()) == (0.87, b"result")
        assert [status.state for status in job.events()] == ["Finished"]


def test_with_asyncio(service: Service) -> None:
    worker = Worker(service)

    async def talk() -> None:
        async with AsyncClient(service.url, PUBLIC_KEY, PRIVATE_KEY) as client:
            job = await client.remove_background(png())
            async for status in job.events():
                await asyncio.to_thread(worker.take, status)

    asyncio.run(talk())
    assert worker.seen == WAY


def test_a_job_that_fails_ends_the_states_and_raises_nothing(service: Service) -> None:
    with service.client() as client:
        job = client.remove_background(png())
        states = job.events()
        assert next(states).state == "Queuing"
        service.gateway.fail_one(SourceUndecodable("damaged").facts())
        assert [(status.state, status.error_code) for status in states] == [("Error", 1001)]


def test_whoever_stops_listening_hangs_up(service: Service) -> None:
    with service.client() as client:
        states = client.remove_background(png()).events()
        assert next(states).place == 1
        waiting = service.gateway.app.extensions[PARTS].waiting
        assert len(waiting) == 1
        states.close()  # type: ignore[attr-defined]
        eventually(lambda: len(waiting) == 0)


def test_patience_ends(service: Service) -> None:
    with service.client() as client:
        job = client.remove_background(png())
        with pytest.raises(JobTimeout):
            list(job.events(timeout_seconds=1.2))


def test_without_a_place_for_a_stream_the_job_is_polled() -> None:
    with (
        served(MemoryBlobStore(), held_callers=1) as service,
        service.client() as first,
        service.client() as other,
    ):
        job = first.remove_background(png())
        states = job.events()
        next(states)
        polled = other.job(job.uid).events()
        assert next(polled).place is None
        service.gateway.finish_one()
        assert [status.state for status in polled] == ["Finished"]
        assert [status.state for status in states][-1] == "Finished"


def client_of(*answers: Answer | Exception, calls: list[dict[str, Any]] | None = None) -> Client:
    """A client of a service that answers so, one after the other."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if calls is not None:
            calls.append({**asked, "Accept": request.headers["Accept"]})
        said = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(said, Exception):
            raise said
        return said(asked)

    transport = httpx.MockTransport(answer)
    return Client("http://a.example", "public", "private", transport=transport, sleep=lambda _: None)


def entry(status: str, **more: Any) -> dict[str, Any]:
    return {"TaskUID": UID, "Status": status, "ImgList": [], **more}


def listed(status: str) -> Answer:
    return lambda _: httpx.Response(200, json={"RetCode": 0, "TaskDetailList": [entry(status)]})


def streamed(*entries: dict[str, Any], broken: bool = False) -> Answer:
    class Body(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            for one in entries:
                yield f": keep-alive\n\nevent: task\ndata: {json.dumps(one)}\n\n".encode()
            if broken:
                raise httpx.ReadError("cut off")

    return lambda _: httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=Body())


def states_of(client: Client, **options: Any) -> list[tuple[str, int | None]]:
    with client:
        return [(status.state, status.place) for status in client.job(UID).events(**options)]


def test_a_service_without_events_is_polled() -> None:
    calls: list[dict[str, Any]] = []
    client = client_of(listed("Queuing"), listed("Queuing"), listed("Running"), listed("Finished"), calls=calls)
    assert states_of(client) == [("Queuing", None), ("Running", None), ("Finished", None)]
    assert ["event-stream" in call["Accept"] for call in calls] == [True, False, False, False]
    assert calls[0]["WaitSeconds"] == 15


def test_a_service_that_knows_no_wait_seconds_is_polled() -> None:
    def refused(_: object) -> httpx.Response:
        return httpx.Response(200, json={"RetCode": 230, "Message": "Params [WaitSeconds] not available"})

    calls: list[dict[str, Any]] = []
    client = client_of(refused, listed("Queuing"), refused, listed("Finished"), calls=calls)
    assert states_of(client) == [("Queuing", None), ("Finished", None)]
    assert ["WaitSeconds" in call for call in calls] == [True, False, True, False]


def test_a_stream_that_ends_or_breaks_is_asked_for_anew_and_nothing_is_told_twice() -> None:
    place = entry("Queuing", Place=2)
    client = client_of(
        streamed(place, broken=True),
        httpx.ConnectError("away"),
        streamed(place),
        streamed(place, entry("Queuing", Place=1), entry("Finished")),
    )
    assert states_of(client) == [("Queuing", 2), ("Queuing", 1), ("Finished", None)]


def test_refusals_and_what_is_no_answer_are_raised() -> None:
    def refused(_: object) -> httpx.Response:
        return httpx.Response(200, json={"RetCode": 171, "Message": "Signature VerifyAC Error"})

    with pytest.raises(ServiceError, match="Signature"):
        states_of(client_of(refused))
    with pytest.raises(TransportError, match="not PICPIK's"):
        states_of(client_of(lambda _: httpx.Response(200, text="hello")))
    with pytest.raises(TransportError, match="details of the task"):
        states_of(client_of(lambda _: httpx.Response(200, json={"RetCode": 0, "TaskDetailList": []})))


def test_an_event_that_cannot_be_read_is_a_fault_of_the_service() -> None:
    with pytest.raises(TransportError, match="event"):
        states_of(client_of(streamed({"Status": "Queuing"}, {"nothing": 1})))
