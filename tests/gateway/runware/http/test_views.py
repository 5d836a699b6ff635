"""Requests as a whole: methods, keys, sizes, limits, what breaks off, and what is never logged."""

import errno
import gzip
import json
import tempfile
import threading
from dataclasses import replace
from io import RawIOBase
from types import MethodType
from typing import Any, cast
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs
from typing_extensions import override
from werkzeug.test import TestResponse

from cutgate.gateway import bodies
from cutgate.gateway.accounts.api_keys import ApiKeys
from cutgate.gateway.accounts.rates import RETRY_AFTER_SECONDS
from cutgate.gateway.runware.http.views import RunwareApi
from cutgate.gateway.runware.tasks.actions import RunwareTasks
from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable
from tests.fakes import failing
from tests.gateway.runware.service import (
    TINY_PICTURE,
    Service,
    authentication,
    make_service,
    new_uuid,
    poll,
    removal,
    upload,
)


@pytest.mark.parametrize("path", ["/v1?sdk=js", "/v1/"])
def test_a_get_without_an_upgrade_is_told_so(service: Service, path: str) -> None:
    answer = service.app.test_client().get(path)
    assert (answer.status_code, answer.headers["Upgrade"]) == (426, "websocket")
    assert answer.get_json()["errors"][0]["code"] == "invalidRequest"


@pytest.mark.parametrize("path", ["/v1", "/v1/"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_in_the_protocols_form(service: Service, method: str, path: str) -> None:
    answer = service.app.test_client().open(path, method=method)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) == {"GET", "HEAD", "POST"}
    assert answer.get_json()["errors"][0]["code"] == "invalidRequest"


def test_the_path_may_end_in_a_slash(service: Service) -> None:
    answer = service.post([removal(deliveryMethod="async")], path="/v1/")
    assert (answer.status_code, list(answer.get_json())) == (200, ["data"])


def test_a_bare_object_is_an_array_of_one(service: Service) -> None:
    assert len(service.post(removal(deliveryMethod="async")).get_json()["data"]) == 1


def test_authentication_in_front_of_tasks_has_no_item_of_its_own(service: Service) -> None:
    task = removal(deliveryMethod="async")
    answer = service.answer(authentication(service.api_key), task, api_key=None)
    assert answer == {"data": [{"taskType": task["taskType"], "taskUUID": task["taskUUID"]}]}


def test_the_element_counts_before_the_header(service: Service) -> None:
    task = removal(deliveryMethod="async")
    service.answer(authentication(service.api_key), task, api_key="cutgate_wrong")
    assert service.post([authentication("cutgate_wrong"), task]).status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Basic abc", "bearer ", "", "Token x"])
def test_a_header_without_a_key_is_a_missing_key(service: Service, header: str) -> None:
    error = service.error([removal()], status=401, headers={"Authorization": header})
    assert error["code"] == "missingApiKey"


def test_a_revoked_key_ends(service: Service) -> None:
    task = removal(deliveryMethod="async")
    service.result(task)
    ApiKeys(service.accounts).revoke(service.api_key)
    assert service.error(poll(task), status=401)["code"] == "invalidApiKey"


def test_an_address_that_tries_keys_is_throttled_and_right_ones_pass() -> None:
    service = make_service(failed_signatures_per_minute=2)
    for _ in range(2):
        service.error(removal(), status=401, api_key="cutgate_wrong")
    answer = service.post([removal()], api_key="cutgate_wrong")
    assert (answer.status_code, answer.get_json()["errors"][0]["code"]) == (429, "rateLimitExceeded")
    assert "came from your address" in answer.get_json()["error"]["message"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    service.result(removal(deliveryMethod="async"))


@pytest.mark.constants(bodies, MEMORY_BYTES=1_000)
@pytest.mark.parametrize("api_key", [None, "cutgate_wrong"])
def test_a_large_body_of_an_address_that_is_shut_out_is_not_read(api_key: str | None) -> None:
    service = make_service(failed_signatures_per_minute=1)
    assert [service.post([removal()], api_key="cutgate_wrong").status_code for _ in range(2)] == [401, 429]
    stream = BrokenChunks(b"[", OSError("it is read"))
    overrides: dict[str, Any] = {"wsgi.input": stream, "CONTENT_LENGTH": "1001"}
    answer = service.post(b"", api_key=api_key, environ_overrides=overrides)
    assert (answer.status_code, code_of(answer)) == (429, "rateLimitExceeded")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    # A right key in the header counts before the body does.
    with pytest.raises(OSError, match="it is read"):
        service.post(b"", environ_overrides=overrides)


def test_the_status_is_that_of_the_first_error_unless_something_succeeded(service: Service) -> None:
    unknown, wrong = poll({"taskUUID": new_uuid()}), removal("%%")
    assert service.post([unknown, wrong]).status_code == 404
    assert service.post([wrong, unknown]).status_code == 400
    assert service.post([unknown, wrong, removal(deliveryMethod="async")]).status_code == 200


def test_each_task_of_a_request_counts_against_the_rate() -> None:
    service = make_service(submits_per_second=2, account_queue_cap=2)
    answer = service.answer(*(removal(deliveryMethod="async") for _ in range(4)))
    assert [len(answer["data"]), len(answer["errors"])] == [2, 2]
    assert {item["code"] for item in answer["errors"]} == {"rateLimitExceeded"}


@pytest.mark.constants(bodies, MEMORY_BYTES=1_000)
@pytest.mark.parametrize("stated", [True, False])
def test_a_body_over_the_limit_is_refused(stated: bool) -> None:
    service = make_service(max_runware_body_bytes=300_000, max_source_bytes=100_000, max_body_bytes=400_000)
    body = json.dumps([removal("A" * 300_000)]).encode()
    overrides = {} if stated else {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    assert service.error(body, environ_overrides=overrides)["code"] == "maxMessageSizeExceeded"
    assert service.error([removal("A" * 200_000)])["code"] == "invalidInputImage"


@pytest.mark.constants(bodies, MEMORY_BYTES=100)
def test_large_bodies_wait_for_one_another_and_their_place_is_given_back() -> None:
    service = make_service()
    view = service.app.view_functions["runware.post"]
    assert isinstance(view, MethodType)
    api = view.__self__
    assert isinstance(api, RunwareApi)
    for _ in range(3):
        service.post([removal("%%" * 100)])
    with api.bodies.room.taken(service.settings.large_bodies_bytes):
        waiting = threading.Thread(target=lambda: service.result(removal(deliveryMethod="async")))
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive()
    waiting.join(5)
    assert not waiting.is_alive()


def test_a_compressed_body_is_refused(service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.api_key}", "Content-Encoding": "gzip"}
    assert "Content-Encoding" in service.error(gzip.compress(b"[]"), headers=headers)["message"]


def test_a_blob_store_that_is_away_is_passing(service: Service) -> None:
    failing(service.blobs, put=BlobStoreUnavailable("the disk is full"))
    answer = service.post([removal(deliveryMethod="async")])
    assert (answer.status_code, answer.get_json()["errors"][0]["code"]) == (503, "serviceUnavailable")
    assert answer.headers["Retry-After"] == str(RETRY_AFTER_SECONDS)


def test_a_fault_of_the_server_tells_nothing(service: Service) -> None:
    failing(service.store, look=RuntimeError("inner secret"))
    task = removal()
    answer = service.post([task])
    assert answer.status_code == 500
    assert b"inner secret" not in answer.data
    assert answer.get_json()["errors"][0]["taskUUID"] == task["taskUUID"]


def test_keys_pictures_and_urls_are_never_logged(service: Service) -> None:
    secret_url = "https://host.example/hook?token=verysecret"
    with capture_logs() as logs:
        service.answer(
            authentication(service.api_key), removal(deliveryMethod="async", webhookURL=secret_url), api_key=None
        )
        service.post([authentication("cutgate_almost"), removal()])
        service.post([removal(secret_url, webhookURL=7)])
        service.post([upload(x=secret_url)])
        service.post([removal(ttl=secret_url)])
    text = str(logs)
    for secret in (service.api_key, "cutgate_almost", "verysecret", TINY_PICTURE[-30:]):
        assert secret not in text


def test_tasks_do_not_show_pictures_or_urls_in_their_repr(service: Service) -> None:
    task = removal(deliveryMethod="async", webhookURL="https://host.example/verysecret")
    service.result(task)
    outcome = service.rendering.progress(service.task_of(task))
    assert "verysecret" not in repr(replace(outcome, item={"a": "verysecret"}))


class BrokenChunks(RawIOBase):
    """What a server makes of a body whose second chunk is none."""

    def __init__(self, first: bytes, error: Exception) -> None:
        self._first, self._error = first, error

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any, /) -> int:
        if not self._first:
            raise self._error
        count = len(self._first)
        buffer[:count], self._first = self._first, b""
        return count


def code_of(answer: TestResponse) -> str:
    [error] = answer.get_json()["errors"]
    assert isinstance(error["code"], str)
    return error["code"]


@pytest.mark.constants(bodies, MEMORY_BYTES=1)
def test_a_body_that_finds_no_space_may_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    service = make_service()
    task = removal(deliveryMethod="async")
    with monkeypatch.context() as patched:
        full = Mock(side_effect=OSError(errno.ENOSPC, "no space left"))
        patched.setattr(tempfile, "TemporaryFile", full)
        answer = service.post([task])
    assert (answer.status_code, code_of(answer)) == (503, "serviceUnavailable")
    assert answer.headers["Retry-After"] == str(RETRY_AFTER_SECONDS)
    service.harness.assert_nothing_left()
    assert service.result(task)["taskUUID"] == task["taskUUID"]


def test_a_fault_outside_of_tasks_is_told_in_the_protocols_form(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunwareTasks, "begin", Mock(side_effect=RuntimeError("inner secret")))
    answer = service.post([removal()])
    assert (answer.status_code, code_of(answer)) == (500, "internalServerError")
    assert b"inner secret" not in answer.data


def test_of_several_results_one_asks_a_ledger_that_is_away() -> None:
    service = make_service(runware_sync_seconds=0.1)
    failing(service.store, get_many=LedgerUnavailable("the server does not answer"))
    tasks = [removal(), removal(), removal()]
    answer = service.post(tasks)
    assert answer.status_code == 503
    told = [(error["code"], error["taskUUID"]) for error in answer.get_json()["errors"]]
    assert told == [("serviceUnavailable", task["taskUUID"]) for task in tasks]
    asked = [call.args[0] for call in cast("Mock", service.store.get_many).call_args_list]
    assert [len(uids) for uids in asked if uids] == [3]
