"""Tests of the codes that remove.bg's protocol alone has, each provoked through the real application."""

from typing import Any

import pytest

from cutgate.gateway.removebg.errors import ROWS
from cutgate.jobs.errors import BlobStoreUnavailable
from tests.fakes import failing
from tests.gateway import picture_files as pictures
from tests.gateway.removebg.service import ACCOUNT, PATH, TINY, RemoveBg, code_of, error_of

REQUESTS: dict[str, tuple[int, dict[str, Any]]] = {
    "missing_source": (400, {"has_picture": False}),
    "multiple_sources": (400, {"image_file": TINY, "image_url": "https://host/a"}),
    "multiple_bg_sources": (400, {"bg_color": "fff", "bg_image_url": "https://host/a"}),
    "invalid_dimensions": (400, {"image_file": pictures.png_header_only(0, 8)}),
    "invalid_bg_image_url": (400, {"bg_image_url": "ftp://host/a"}),
    "roi_region_empty": (400, {"roi": "50% 50% 50% 50%"}),
    "improvement_disabled": (403, {"path": "/v1.0/improve"}),
    "not_found": (404, {"path": "/v1.0/nothing"}),
    "result_not_ready": (429, {}),
}
"""What provokes a code, alone."""

ENDS: dict[str, tuple[int, dict[str, Any]]] = {
    "source_unreadable invalid_file_type": (400, {"wrong": "format"}),
    "source_unreadable invalid_dimensions": (400, {"wrong": "size"}),
    "source_unreadable failed_to_read_image": (400, {}),
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
    "blob_missing internal_error": (500, {}),
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
    service.store.accounts.grant(ACCOUNT, 100)
    with service.failing(kind, **details):
        answer = service.send()
    error = error_of(answer, status)
    assert error["code"] == code
    assert error["detail"] == (
        ROWS[code].detail if code in {"unknown_foreground", "internal_error"} else "It is so."
    )
    assert (balance := service.store.accounts.balance(ACCOUNT)) is not None
    assert balance.available == 100


def test_a_result_that_cannot_be_read_is_503(service: RemoveBg) -> None:
    failing(service.blobs, open=BlobStoreUnavailable("away"))
    with service.answering():
        assert code_of(service.send()) == "unavailable"


def test_a_missing_key_has_a_title_of_its_own(refusing: RemoveBg) -> None:
    for header, title in (({}, "Missing API Key"), ({"X-Api-Key": "ÿ"}, "API Key invalid")):
        answer = refusing.harness.open(PATH, method="POST", data=b"nonsense", headers=header)
        assert error_of(answer, 403)["title"] == title
