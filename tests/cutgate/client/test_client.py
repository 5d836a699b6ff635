"""The client against the real gateway over HTTP; the test does the worker's part."""

import io
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from cutgate import Client, JobFailed, JobStatus, JobTimeout, Retries, ServiceError, TransportError, WrongSuffix
from cutgate.jobs.errors import SourceUndecodable
from cutgate.jobs.spec import Box, CutoutSpec, Holes, Output, Refinement
from tests.cutgate.conftest import Service
from tests.gateway.harness import PRIVATE_KEY, PUBLIC_KEY
from tests.gateway.picture_files import png
from tests.servers.relay import relay_to


def answered(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> Client:
    """A client of a service that is a function."""
    return Client("http://a.example", "public", "private", transport=httpx.MockTransport(answer), **options)


def details(*entries: object) -> httpx.Response:
    return httpx.Response(200, json={"RetCode": 0, "TaskDetailList": entries})


def test_a_picture_is_handed_in_waited_for_and_saved(service: Service, tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    source.write_bytes(png(20, 10))
    seen: list[str] = []

    def work(status: JobStatus) -> None:
        seen.append(status.state)
        if status.state == "Queuing":
            service.gateway.finish_one(b"the cut-out")

    with service.client() as client:
        job = client.remove_background(source)
        status = job.wait(on_progress=work)
        assert job.save(tmp_path / "out.png").read_bytes() == b"the cut-out"
    assert seen == ["Queuing", "Finished"]
    assert (status.credits, status.error_code, len(status.result_urls)) == (1, 0, 1)


@pytest.mark.parametrize("found", [True, False])
def test_whether_there_is_a_subject_is_known_with_the_result(service: Service, found: bool) -> None:
    with service.client() as client:
        job = client.remove_background(png())
        service.gateway.finish_one(subject_found=found, confidence=0.7)
        assert (job.wait().subject_found, job.subject_found) == (None, None)
        assert (job.status().confidence, job.confidence) == (0.7, 0.7)
        job.result()
        assert (job.status().subject_found, job.subject_found, job.confidence) == (found, found, 0.7)


def test_a_file_is_not_named_for_another_format(service: Service, tmp_path: Path) -> None:
    with service.client() as client:
        job = client.remove_background(png())
        service.gateway.finish_one(png())
        with pytest.raises(WrongSuffix, match=r"out\.webp: the result is png; name the file \.png"):
            job.save(tmp_path / "out.webp")
        assert list(tmp_path.iterdir()) == []
        assert job.save(tmp_path / "out.png").read_bytes() == png()


def test_a_pillow_picture_and_an_array_are_handed_in_as_files(service: Service) -> None:
    levels = np.random.default_rng(5).integers(0, 256, (9, 14, 3), np.uint8)
    with service.client() as client:
        for picture in (levels, Image.fromarray(levels)):
            client.remove_background(picture)
            with Image.open(io.BytesIO(service.gateway.blobs.get(service.gateway.claim().source))) as sent:
                assert np.array_equal(np.asarray(sent), levels)


def test_settings_arrive_as_they_were_given(service: Service) -> None:
    with service.client() as client:
        client.remove_background(
            png(20, 10),
            box=(1, 2, 11, 9),
            erode_size=3,
            foreground_threshold=200,
            background_threshold=20,
            hair_optimization="off",
            only_mask=True,
            holes="fill",
        )
    spec = service.gateway.claim().spec
    assert spec.box == Box(left_px=1, top_px=2, right_px=11, bottom_px=9)
    assert (spec.erode_px, spec.refinement, spec.output) == (3, Refinement.OFF, Output.MASK)
    assert spec.holes is Holes.FILL
    assert (spec.foreground_threshold, spec.background_threshold) == (200, 20)


def test_a_saved_result_is_whole_and_has_the_usual_permissions(service: Service, tmp_path: Path) -> None:
    with service.client() as client:
        job = client.remove_background(png())
        service.gateway.finish_one(b"new")
        target = tmp_path / "out.png"
        target.write_bytes(b"old")
        job.save(target)
        with pytest.raises(FileNotFoundError):
            job.save(tmp_path / "missing" / "out.png")
    assert list(tmp_path.iterdir()) == [target]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask


def test_a_job_that_fails_and_one_that_is_unknown_end_the_wait(service: Service) -> None:
    with service.client() as client:
        job = client.remove_background(png())
        service.gateway.fail_one(SourceUndecodable("the picture ends too soon").facts())
        for uid, code in ((job.uid, 1001), ("d5ari00q5cu0v880200g", 230)):
            with pytest.raises(JobFailed) as caught:
                client.job(uid).wait()
            assert (caught.value.uid, caught.value.code) == (uid, code)


def test_patience_ends_and_the_job_goes_on(service: Service) -> None:
    with service.client() as client:
        job = client.remove_background(png())
        with pytest.raises(JobTimeout) as caught:
            job.wait(timeout_seconds=0.3)
        assert (caught.value.uid, caught.value.state) == (job.uid, "Queuing")
        service.gateway.finish_one()
        assert job.wait().ended


def test_any_action_can_be_called_and_refusals_name_what_was_wrong(service: Service) -> None:
    with service.client() as client:
        answer = client.call("ListTasksDetails", {"TaskUIDList": ["d5ari00q5cu0v880200g"]})
        assert answer["TaskDetailList"][0]["Status"] == "Error"
        with pytest.raises(ServiceError, match="NoSuchAction"):
            client.call("NoSuchAction")
        with pytest.raises(ServiceError, match="RawImage") as caught:
            client.remove_background(b"no picture")
    assert caught.value.ret_code == 230


def test_a_repeat_of_a_request_whose_answer_was_lost_is_the_same_task(service: Service) -> None:
    network = httpx.HTTPTransport()
    answers: list[httpx.Response] = []

    def lossy(request: httpx.Request) -> httpx.Response:
        answer = network.handle_request(request)
        answer.read()
        answers.append(answer)
        if len(answers) == 1:
            raise httpx.ReadError("connection lost")
        return answer

    options: Any = {"retries": Retries(first_delay_seconds=0.01), "transport": httpx.MockTransport(lossy)}
    with network, Client(service.url, PUBLIC_KEY, PRIVATE_KEY, **options) as client:
        job = client.remove_background(png())
    assert [answer.json()["TaskUID"] for answer in answers] == [job.uid, job.uid]
    assert service.gateway.store.waiting(service.gateway.lane) == 1


def test_a_service_that_is_away_is_said_to_be() -> None:
    retries = Retries(attempts=2, first_delay_seconds=0.01)
    with (
        Client("http://127.0.0.1:9", "public", "private", retries=retries) as client,
        pytest.raises(TransportError, match=r"http://127\.0\.0\.1:9.*refused"),
    ):
        client.call("ListTasksDetails")


def test_a_service_that_falls_silent_is_given_up_and_asked_again_later(service: Service) -> None:
    retries = Retries(attempts=2, first_delay_seconds=0.01)
    with (
        relay_to(service.url) as relay,
        Client(relay.url, PUBLIC_KEY, PRIVATE_KEY, timeout_seconds=0.3, retries=retries) as client,
    ):
        relay.silent.set()
        with pytest.raises(TransportError, match="timed out; check the address"):
            client.balance()
        relay.silent.clear()
        assert client.balance().used == 0


def test_polls_become_rarer_and_an_ended_job_is_asked_for_once() -> None:
    pauses: list[float] = []
    states = iter(["Queuing", *["Running"] * 8, "Finished"])

    def answer(_: httpx.Request) -> httpx.Response:
        return details({"TaskUID": "t", "Status": next(states), "ImgList": ["/r/1.png"]})

    with answered(answer, sleep=pauses.append) as client:
        job = client.job("t")
        assert job.wait() is job.wait() is job.status()
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1], len(pauses)) == (0.2, 2.0, 8)


def test_an_address_of_a_result_is_in_no_error() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(410)
        addresses = ["https://results.example/r/signed-path"]
        return details({"TaskUID": "t", "Status": "Finished", "ImgList": addresses})

    refused = pytest.raises(TransportError, match=r"https://results\.example: HTTP 410")
    with answered(answer) as client, refused as caught:
        client.job("t").result()
    assert "signed-path" not in str(caught.value)


@pytest.mark.parametrize("answer", [httpx.Response(200, json={"RetCode": 0}), details(), details(7)])
def test_an_answer_without_the_task_is_no_answer(answer: httpx.Response) -> None:
    with answered(lambda _: answer) as client, pytest.raises(TransportError, match="no details"):
        client.job("t").status()


def test_a_service_that_cannot_wait_is_polled() -> None:
    asked: list[bool] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append("WaitSeconds" in json.loads(request.content))
        if asked[-1]:
            return httpx.Response(200, json={"RetCode": 230, "Message": "Params [WaitSeconds] not available"})
        return details({"Status": "Finished" if len(asked) > 4 else "Running"})

    with answered(answer, sleep=lambda _: None) as client:
        client.job("t").wait()
    assert asked == [False, True, False, False, False]


def test_many_jobs_are_asked_for_a_hundred_at_a_time() -> None:
    asked: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        uids = json.loads(request.content)["TaskUIDList"]
        asked.append(len(uids))
        return details(*({"TaskUID": uid, "Status": "Running"} for uid in uids))

    uids = [f"task {number}" for number in range(250)]
    with answered(answer) as client:
        assert [status.uid for status in client.statuses(iter(uids))] == uids
    assert asked == [100, 100, 50]


def test_what_is_left_out_is_as_the_service_has_it(service: Service) -> None:
    with service.client() as client:
        client.remove_background(png(20, 10))
        untyped: Any = client
        with pytest.raises(TypeError, match="no such option: erode; did you mean erode_size"):
            untyped.remove_background(png(20, 10), erode=3)
    assert service.gateway.claim().spec == CutoutSpec(model=service.gateway.settings.model)
