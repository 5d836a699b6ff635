"""Tests of key pairs and of what a request counts as, where PICPIK's signatures make a difference."""

import json

import pytest

from cutgate.gateway.accounts.rates import Rate
from cutgate.gateway.picpik.actions import ACTIONS
from cutgate.jobs.ids import new_task_uid
from tests.gateway.harness import PUBLIC_KEY, Harness, signed

LISTING = {"Action": "ListTasksDetails", "PublicKey": PUBLIC_KEY, "TaskUIDList": ["d5ari00q5cu0v880200g"]}
LIST = json.dumps(signed(LISTING))
WRONG = json.dumps({**LISTING, "Signature": "0" * 40})


@pytest.mark.parametrize(("changes", "code"), [({"Signature": "0" * 40}, 171), ({"Signature": None}, 170)])
def test_each_way_to_sign_wrongly_counts_and_is_told_why(
    gateway: Harness, changes: dict[str, str | None], code: int
) -> None:
    gateway = gateway.with_settings(failed_signatures_per_minute=2)
    body = json.dumps({**LISTING, **changes})
    assert [gateway.code(body) for _ in range(3)] == [code, code, 153]
    assert gateway.post(body).get_json()["Action"] == "ListTasksDetails"
    assert gateway.code(LIST) == 0


def test_a_wrong_signature_of_one_key_is_not_anothers(gateway: Harness) -> None:
    gateway = gateway.with_settings(failed_signatures_per_minute=1)
    wrong = json.dumps({**json.loads(WRONG), "PublicKey": gateway.add_pair("other").public_key})
    assert [gateway.code(body) for body in (wrong, WRONG, wrong)] == [171, 171, 153]


def test_every_live_private_key_signs_from_the_next_request_on(gateway: Harness) -> None:
    assert gateway.code(LIST) == 0
    second = json.dumps(signed(LISTING, gateway.rotate_pair(PUBLIC_KEY).private_key))
    assert [gateway.code(body) for body in (LIST, second)] == [0, 0]
    third = json.dumps(signed(LISTING, gateway.rotate_pair(PUBLIC_KEY, grace_seconds=0).private_key))
    assert [gateway.code(body) for body in (LIST, second, third)] == [171, 171, 0]


def test_the_actions_that_take_pictures_count_as_submits() -> None:
    submits = {name for name, action in ACTIONS.items() if action.rate is Rate.SUBMIT}
    assert submits == {name for name in ACTIONS if name.startswith("RemoveBackground")}


def test_a_poll_counts_by_its_ids_and_duplicates_once(gateway: Harness) -> None:
    """Twenty tasks are one request: a thousand would hold the ledger for all others."""
    gateway = gateway.with_settings(account_queue_cap=1, polls_per_second=4)
    uids = [new_task_uid() for _ in range(41)]
    assert gateway.code(json.dumps(Harness.signed_list(*uids))) == 0  # three requests
    assert gateway.code(json.dumps(Harness.signed_list(*uids[:20] * 3))) == 0
    assert gateway.code(LIST) == 153
