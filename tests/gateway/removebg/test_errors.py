"""The one error table, row by row: each code is provoked through the real application."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cutgate.gateway.removebg.errors import FIELDS, ROWS
from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable
from tests.fakes import failing
from tests.gateway import picture_files as pictures
from tests.gateway.removebg.service import ACCOUNT, PATH, TINY, RemoveBg, code_of, error_of, make_removebg
from tests.waiting import eventually

REQUESTS: dict[str, tuple[int, dict[str, Any]]] = {
    "missing_source": (400, {"has_picture": False}),
    "multiple_sources": (400, {"image_file": TINY, "image_url": "https://host/a"}),
    "multiple_bg_sources": (400, {"bg_color": "fff", "bg_image_url": "https://host/a"}),
    "invalid_file_type": (400, {"image_file": b"no picture"}),
    "invalid_dimensions": (400, {"image_file": pictures.png_header_only(0, 8)}),
    "failed_to_read_image": (400, {"image_file": TINY[:-4]}),
    "file_too_large": (400, {"image_file": TINY + bytes(22 * 2**20)}),
    "resolution_too_high": (400, {"image_file": pictures.png_header_only(9_000, 9_000)}),
    "invalid_image_url": (400, {"image_url": "ftp://host/a"}),
    "invalid_bg_image_url": (400, {"bg_image_url": "ftp://host/a"}),
    "roi_region_empty": (400, {"roi": "50% 50% 50% 50%"}),
    "improvement_disabled": (403, {"path": "/v1.0/improve"}),
    "not_found": (404, {"path": "/v1.0/nothing"}),
    "method_not_allowed": (405, {"path": "/v1.0/account"}),
    "result_not_ready": (429, {}),
    "auth_failed": (403, {"headers": {"X-Api-Key": "wrong"}}),
}
"""What provokes a code, alone."""

ENDS: dict[str, tuple[int, dict[str, Any]]] = {
    "source_unreadable invalid_file_type": (400, {"wrong": "format"}),
    "source_unreadable invalid_dimensions": (400, {"wrong": "size"}),
    "source_unreadable failed_to_read_image": (400, {}),
    "source_undecodable failed_to_read_image": (400, {}),
    "source_too_costly failed_to_read_image": (400, {}),
    "decoding_stopped failed_to_read_image": (400, {}),
    "source_too_large file_too_large": (400, {"measure": "bytes"}),
    "source_too_large resolution_too_high": (400, {"measure": "pixels"}),
    "source_unreachable failed_image_download": (400, {"reason": "status"}),
    "source_unreachable failed_bg_download": (400, {"reason": "status", "part": "background"}),
    "source_unreachable invalid_image_url": (400, {"reason": "address"}),
    "source_unreachable invalid_bg_image_url": (400, {"reason": "host", "part": "background"}),
    "region_outside_picture roi_exceeds_bounds": (400, {}),
    "region_empty roi_region_empty": (400, {}),
    "subject_not_found unknown_foreground": (400, {}),
    "processing_failed internal_error": (500, {}),
    "worker_lost internal_error": (500, {}),
    "blob_missing internal_error": (500, {}),
    "of_a_newer_worker internal_error": (500, {}),
    "timed_out unavailable": (503, {}),
    "terminated unavailable": (503, {}),
}
"""Kinds of recorded errors and the codes that they are answered with: the status, and what the record says."""


@pytest.mark.parametrize("code", REQUESTS)
def test_a_request_that_is_refused_has_its_code_and_leaves_nothing(quick: RemoveBg, code: str) -> None:
    status, fields = REQUESTS[code]
    error = error_of(quick.send(**fields), status)
    assert error["code"] == code
    assert error["title"] == ROWS[code].title
    if status not in {405, 429}:
        quick.harness.assert_nothing_left()


@pytest.mark.parametrize("end", ENDS)
def test_a_task_that_has_failed_is_answered_with_its_code_and_costs_nothing(service: RemoveBg, end: str) -> None:
    status, details = ENDS[end]
    kind, code = end.split()
    service.store.grant(ACCOUNT, 100)
    with service.failing(kind, **details):
        answer = service.send()
    error = error_of(answer, status)
    assert error["code"] == code
    is_plain = status >= 500 or error["code"] == "unknown_foreground"
    assert error["detail"] == (ROWS[error["code"]].detail if is_plain else "It is so.")
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert (balance := service.store.balance(ACCOUNT)) is not None
    assert balance.available == 100


def test_each_code_of_the_table_is_provoked_somewhere() -> None:
    elsewhere = {"insufficient_credits", "rate_limit_exceeded", "idempotency_conflict"}
    elsewhere |= {"invalid_request", "request_timeout", *(f"invalid_{name}" for name in FIELDS)}
    assert {*REQUESTS, *(end.split()[1] for end in ENDS)} | elsewhere == set(ROWS)


def test_a_part_that_is_away_is_503_in_this_form(quick: RemoveBg) -> None:
    failing(quick.store, look=LedgerUnavailable("away"))
    answer = quick.send()
    assert error_of(answer, 503)["code"] == "unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
    quick.harness.assert_nothing_left()


def test_a_result_that_cannot_be_read_is_503(service: RemoveBg) -> None:
    failing(service.blobs, open=BlobStoreUnavailable("away"))
    with service.answering():
        assert code_of(service.send()) == "unavailable"


@pytest.mark.parametrize("header", [None, "", "cutgate_wrong", "ÿ"])
def test_a_key_that_is_missing_or_wrong_is_403_before_anything_else(quick: RemoveBg, header: str | None) -> None:
    headers = {} if header is None else {"X-Api-Key": header}
    answer = quick.app.test_client().post(PATH, data=b"nonsense", headers=headers)
    error = error_of(answer, 403)
    assert error["code"] == "auth_failed"
    assert error["title"] == ("API Key invalid" if header else "Missing API Key")
    assert not [name for name, _ in answer.headers.items() if name.startswith("X-RateLimit")]


def test_an_address_that_tries_keys_is_throttled_and_right_ones_pass() -> None:
    service = make_removebg(failed_signatures_per_minute=1)
    answers = [service.send(headers={"X-Api-Key": "cutgate_wrong"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [403, 429]
    assert code_of(answers[1]) == "rate_limit_exceeded"
    assert 1 <= int(answers[1].headers["Retry-After"]) <= 60
    assert code_of(service.send()) == "result_not_ready"


def test_a_body_is_not_read_before_the_key_is_checked(quick: RemoveBg) -> None:
    class Unreadable:
        def readinto(self, _: memoryview) -> int:
            raise AssertionError("it is read")

        read = readinto

    overrides: dict[str, Any] = {"wsgi.input": Unreadable(), "CONTENT_LENGTH": "1000000"}
    answer = quick.app.test_client().post(
        PATH, headers={"X-Api-Key": "cutgate_wrong"}, environ_overrides=overrides
    )
    assert code_of(answer) == "auth_failed"


def test_a_full_queue_is_429_and_says_when() -> None:
    service = make_removebg(account_queue_cap=1)
    service.send()
    answer = service.send(image_file=pictures.png(9, 9))
    error = error_of(answer, 429)
    assert (error["code"], error["title"]) == ("rate_limit_exceeded", "Rate limit exceeded")
    assert int(answer.headers["Retry-After"]) >= 1
    assert service.count() == 1


def test_more_callers_than_may_wait_are_refused_before_their_work_is_accepted() -> None:
    service = make_removebg(removebg_sync_seconds=2, held_callers=1)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(service.send)
        eventually(service.count)
        error = error_of(service.send(image_file=pictures.png(9, 9)), 429)
        assert service.count() == 1
        assert code_of(waiting.result()) == "result_not_ready"
    assert error["code"] == "rate_limit_exceeded"
