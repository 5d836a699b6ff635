"""Tests of remove.bg: answers with a picture (forms, headers, credits, rates), the account, the codes."""

import base64
import time
from typing import Any

import pytest

from cutgate.gateway.accounts.accounts import UNMETERED_CREDITS
from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.removebg.errors import ROWS
from cutgate.jobs.errors import BlobStoreUnavailable
from cutgate.jobs.ids import new_token
from tests.fakes import failing
from tests.gateway import picture_files as pictures
from tests.gateway.removebg.service import (
    ACCOUNT,
    LARGE,
    PATH,
    TINY,
    TINY_B64,
    RemoveBg,
    code_of,
    error_of,
    make_removebg,
    patient,
)

CREDITS = "X-Credits-Charged"


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg", "image/webp", "application/zip"])
def test_the_answer_is_the_result_with_its_own_type_and_length(service: RemoveBg, media_type: str) -> None:
    with service.answering(b"bytes of it", media_type=media_type):
        answer = service.send()
    assert (answer.status_code, answer.data) == (200, b"bytes of it")
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["Content-Length"] == "11"
    assert not {"Content-Encoding", "Transfer-Encoding", "X-Ratio", "Retry-After"} & set(answer.headers.keys())


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("image/*", False),
        ("image/png, */*;q=0.1", False),
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("application/json, text/plain, */*", True),
        ("application/json, image/*", True),
        ("*/*, application/json;q=0.2", True),
        ("image/*;q=0.5, application/json", True),
        ("image/png, application/json;q=0.9", False),
        ("application/json;q=0", False),
        ("application/zip", False),
    ],
)
def test_accept_chooses_between_bytes_and_json(service: RemoveBg, accept: str | None, is_json: bool) -> None:
    with service.answering(b"bytes"):
        answer = service.send(headers={} if accept is None else {"Accept": accept})
    if not is_json:
        assert answer.data == b"bytes"
        return
    assert answer.content_type == "application/json; charset=utf-8"
    assert answer.get_json() == {
        "data": {
            "result_b64": base64.b64encode(b"bytes").decode(),
            "foreground_top": 5,
            "foreground_left": 3,
            "foreground_width": 20,
            "foreground_height": 15,
            "confidence": 0.87,
        }
    }


def test_headers_of_a_result(service: RemoveBg) -> None:
    answer = service.done(type="person")
    shown = {name: value for name, value in answer.headers.items() if name.startswith("X-") and "Rate" not in name}
    shown.pop("X-Content-Type-Options")
    assert shown == {
        "X-Type": "person",
        "X-Width": "40",
        "X-Height": "30",
        "X-Max-Width": "40",
        "X-Max-Height": "30",
        "X-Foreground-Top": "5",
        "X-Foreground-Left": "3",
        "X-Foreground-Width": "20",
        "X-Foreground-Height": "15",
        CREDITS: "0.25",
    }
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert {*shown} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"full_width_px": 4_000, "full_height_px": 3_000}, ("4000", "3000")),
        ({"full_width_px": 10_000, "full_height_px": 5_000}, ("7071", "3535")),
        ({"full_width_px": None, "full_height_px": None, "foreground": None}, ("40", "30")),
    ],
)
def test_the_largest_size_is_what_full_would_give(
    service: RemoveBg, facts: dict[str, Any], expected: tuple[str, str]
) -> None:
    with service.answering(**facts):
        answer = service.send()
    assert (answer.headers["X-Max-Width"], answer.headers["X-Max-Height"]) == expected
    assert ("X-Foreground-Top" in answer.headers) == ("foreground" not in facts)


@pytest.mark.parametrize(
    ("fields", "charged"),
    [
        *(({"size": size}, "0.25") for size in ("preview", "small", "regular")),
        *(({"size": size}, "1") for size in ("medium", "hd", "full", "4k", "50MP")),
        ({"size": "auto"}, "0.25"),
        ({"size": "auto", "image_file": LARGE}, "1"),
        ({"size": "preview", "crop": "true", "crop_margin": "5%"}, "0.25"),
    ],
    ids=str,
)
def test_what_a_size_costs(service: RemoveBg, fields: dict[str, Any], charged: str) -> None:
    service.store.accounts.grant(ACCOUNT, 10)
    assert service.done(**fields).headers[CREDITS] == charged
    assert (balance := service.store.accounts.balance(ACCOUNT)) is not None
    assert balance.used == float(charged) * 4


def test_auto_falls_back_to_a_preview_where_a_whole_credit_is_not_there(service: RemoveBg) -> None:
    service.store.accounts.grant(ACCOUNT, 1)
    assert service.done(size="auto", image_file=LARGE).headers[CREDITS] == "0.25"
    error = service.error(402, size="auto", image_file=pictures.png(701, 701))
    assert error["detail"] == "The image costs 0.25 credits, 0 are left."


def test_a_name_stands_for_the_preview_that_auto_fell_back_to(service: RemoveBg) -> None:
    service.store.accounts.grant(ACCOUNT, 1)
    named: dict[str, Any] = {"headers": {"Idempotency-Key": "order-7"}, "size": "auto", "image_file": LARGE}
    first, repeat = service.done(**named), service.done(**named)
    assert (first.headers[CREDITS], repeat.headers[CREDITS]) == ("0.25", "0.25")
    service.store.accounts.grant(ACCOUNT, 8)
    assert service.done(**named).headers[CREDITS] == "0.25"
    assert attributes(service)["credits"]["total"] == 2
    assert service.error(**{**named, "image_file": pictures.png(701, 701)})["code"] == "idempotency_conflict"


def attributes(service: RemoveBg) -> Any:
    answer = service.open("/v1.0/account")
    assert answer.status_code == 200
    return answer.get_json()["data"]["attributes"]


def test_an_account_has_exactly_the_names_that_clients_hand_on(service: RemoveBg) -> None:
    service.store.accounts.grant(ACCOUNT, 6)
    service.done()
    assert service.open("/v1.0/account").get_json() == {
        "data": {
            "attributes": {
                "credits": {"total": 1.25, "subscription": 0, "payg": 1.25, "enterprise": 0},
                "api": {"free_calls": 0, "sizes": "all"},
            }
        }
    }
    service.store.accounts.grant(ACCOUNT, 3)
    assert '"total": 2,' in service.open("/v1.0/account").text


def test_an_account_that_is_not_metered_has_many() -> None:
    assert attributes(make_removebg())["credits"]["total"] == UNMETERED_CREDITS / 4
    assert attributes(make_removebg(image_price_credits=0))["credits"]["total"] == UNMETERED_CREDITS


def test_rate_headers_are_whole_numbers_and_count_megapixels(service: RemoveBg) -> None:
    pictures_and_left = [(pictures.png(960, 1_000), 499), (pictures.png(1_600, 1_200), 497)]
    for picture, left in pictures_and_left:
        answer = service.done(image_file=picture)
        assert answer.headers["X-RateLimit-Limit"] == "500"
        assert int(answer.headers["X-RateLimit-Remaining"]) == pytest.approx(left, abs=1)
        assert abs(int(answer.headers["X-RateLimit-Reset"]) - time.time()) < 120


def test_the_megapixels_of_a_picture_by_url_count_once_they_are_known() -> None:
    """It is worked on all the same; whoever comes next is refused until what is owed has come free."""
    service = make_removebg(removebg_units_per_minute=6)  # one comes free in ten seconds
    for number in range(2):
        assert service.send(image_url=f"https://host/{number}.png").headers["X-RateLimit-Limit"] == "6"
        errand = service.store.errands.take("courier", new_token())
        assert errand is not None
        assert service.store.errands.fetched(errand, megapixels=4)
    assert service.count() == 2
    refused = service.send()
    assert error_of(refused, 429)["code"] == "rate_limit_exceeded"
    assert 10 < int(refused.headers["Retry-After"]) <= 30


def test_an_accounts_own_rate_counts_for_a_minute() -> None:
    service = patient()
    service.accounts.change(ACCOUNT, terms=Terms(submits_per_second=2))
    assert service.done().headers["X-RateLimit-Limit"] == "120"


def test_a_request_that_takes_too_long_is_429_and_its_repeat_has_the_result_for_one_charge() -> None:
    service = make_removebg(removebg_sync_seconds=0.3)
    service.store.accounts.grant(ACCOUNT, 8)
    late = service.send(size="full")
    assert error_of(late, 429)["code"] == "result_not_ready"
    assert 2 <= int(late.headers["Retry-After"]) <= 10
    [uid] = service.store.tasks.unfinished(ACCOUNT)
    with service.answering(b"later"):
        answers = [service.send(size="full"), service.send(size="full", headers={"Accept": "application/json"})]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.headers[CREDITS] for answer in answers] == ["1", "1"]
    assert answers[0].data == b"later"
    assert (balance := service.store.accounts.balance(ACCOUNT)) is not None
    assert (balance.used, balance.reserved) == (4, 0)
    assert service.store.tasks.get(uid, ACCOUNT) is not None


def test_improvement_keeps_a_picture_where_it_is_switched_on() -> None:
    service = make_removebg(removebg_improvement=True)
    answer = service.send("json", path="/v1.0/improve", image_file_b64=TINY_B64, tag="cat", image_filename="a.png")
    assert answer.status_code == 200
    assert list(answer.get_json()) == ["id"]
    [kept] = service.stored_pictures()
    assert base64.b64encode(kept).decode() == TINY_B64
    by_url = service.send("json", path="/v1.0/improve", image_url="https://host/a.png")
    assert by_url.status_code == 200
    assert code_of(service.send("json", path="/v1.0/improve", has_picture=False)) == "missing_source"


def test_requests_that_differ_are_tasks_of_their_own(quick: RemoveBg) -> None:
    others: list[dict[str, Any]] = [{"size": "full"}, {"format": "png"}, {"bg_color": "fff"}, {"crop": "true"}]
    for fields in (
        {},
        *others,
        {"image_file": pictures.png(9, 9)},
        {"headers": {"Idempotency-Key": "order-7"}},
        {},
    ):
        quick.send(**fields)
    assert quick.count() == len(others) + 3
    assert code_of(quick.send(headers={"Idempotency-Key": "a" * 256})) == "invalid_request"


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
