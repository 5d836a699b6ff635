"""A process remembers API keys, and no request is answered by what is not so any more."""

from collections.abc import Callable
from typing import Any

import pytest

from cutgate.gateway.accounts.records import Terms
from tests.gateway.runware.service import (
    ACCOUNT,
    Item,
    Service,
    authentication,
    details,
    make_service,
    new_uuid,
    poll,
    removal,
    upload,
)

ASYNC = {"deliveryMethod": "async"}
TASKS: dict[str, Callable[[], Item]] = {
    "removal": lambda: removal(**ASYNC),
    "poll": lambda: poll(removal()),
    "details": lambda: details(removal()),
    "upload": upload,
    "account": lambda: {"taskType": "accountManagement", "taskUUID": new_uuid(), "operation": "getDetails"},
    "a bad field": lambda: removal(outputFormat="TIFF", **ASYNC),
    "a bad UUID": lambda: removal(**ASYNC) | {"taskUUID": "7"},
    "an unknown type": lambda: removal(**ASYNC) | {"taskType": "imageInference"},
}


def known(service: Service, **options: Any) -> Service:
    """The same, with its key in memory."""
    service.result(removal(**ASYNC), **options)
    return service


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("ended", ["revoked", "suspended"])
def test_a_key_that_ended_is_refused_with_the_next_request(service: Service, task: str, ended: str) -> None:
    known(service)
    service.end_key(ended)
    stored = service.harness.stored()
    for _ in range(2):
        assert service.error([TASKS[task]()], status=401)["code"] == "invalidApiKey"
    assert service.harness.stored() == stored


def test_a_ping_in_front_lets_nobody_in(service: Service) -> None:
    known(service)
    service.end_key("revoked")
    tasks = [{"taskType": "ping"}, removal(**ASYNC)]
    assert service.error(tasks, status=401)["code"] == "invalidApiKey"


def test_terms_of_the_account_count_for_the_next_picture(service: Service) -> None:
    known(service)
    service.accounts.change(ACCOUNT, terms=Terms(price_credits=7))
    service.store.accounts.grant(ACCOUNT, 6)
    assert service.error(removal(**ASYNC), status=402)["code"] == "insufficientCredits"
    service.store.accounts.grant(ACCOUNT, 1)
    tasks = [removal(**ASYNC), removal(**ASYNC)]
    answer = service.post(tasks).get_json()
    assert [item["taskUUID"] for item in answer["data"]] == [tasks[0]["taskUUID"]]
    assert [error["taskUUID"] for error in answer["errors"]] == [tasks[1]["taskUUID"]]


def test_a_changed_account_pays_and_counts_once() -> None:
    service = known(make_service(submits_per_second=3, account_queue_cap=3))
    service.store.accounts.grant(ACCOUNT, 5)
    service.accounts.change(ACCOUNT, terms=Terms(price_credits=2))
    service.result(removal(**ASYNC))
    balance = service.store.accounts.balance(ACCOUNT)
    assert balance is not None
    assert balance.reserved == 2
    service.result(removal(**ASYNC))
    assert service.error(removal(**ASYNC), status=429)["code"] == "rateLimitExceeded"


def test_a_bad_uuid_counts_as_well() -> None:
    service = make_service(submits_per_second=1, account_queue_cap=1)
    service.error([TASKS["a bad UUID"]()])
    assert service.error(removal(**ASYNC), status=429)["code"] == "rateLimitExceeded"


def test_a_key_is_read_once_for_as_long_as_it_stays(service: Service, keys_read: list[str]) -> None:
    for _ in range(3):
        service.answer(removal(**ASYNC), removal(**ASYNC))
        service.answer(authentication(service.api_key), removal(**ASYNC), api_key=None)
    assert len(keys_read) == 1
    service.accounts.change(ACCOUNT, terms=Terms(queue_cap=70))
    service.answer(removal(**ASYNC), removal(**ASYNC))
    assert len(keys_read) == 2
