"""Rates, credits and caps as a client meets them at the gateway."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from cutgate.gateway.accounts.key_pairs import KeyPairs
from cutgate.gateway.accounts.rates import Rate
from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.picpik.actions import ACTIONS
from tests.gateway import picture_files as pictures
from tests.gateway.harness import ACCOUNT, PUBLIC_KEY, Harness, make_settings, signed
from tests.jobs.build import run_at_once

LIST = json.dumps(Harness.signed_list("d5ari00q5cu0v880200g"))
PICTURE = json.dumps(Harness.signed_picture(pictures.BASE64_8X8))
BATCH_OF_TEN = signed(
    {"Action": "RemoveBackgroundsInBatch", "PublicKey": PUBLIC_KEY, "RawImages": [pictures.BASE64_8X8] * 10}
)
RATE_HEADERS = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


def throttled(harness: Harness, **settings: Any) -> Harness:
    """The same gateway with other limits."""
    return replace(harness, settings=make_settings(**settings))


def code(response: TestResponse) -> int:
    return int(response.get_json()["RetCode"])


def assert_throttled(response: TestResponse) -> None:
    assert (response.status_code, code(response)) == (429, 153)
    assert response.get_json()["Message"] == "Request throttled"


def test_the_actions_that_take_pictures_count_as_submits() -> None:
    submits = {name for name, action in ACTIONS.items() if action.rate is Rate.SUBMIT}
    assert submits == {name for name in ACTIONS if name.startswith("RemoveBackground")}


class TestRates:
    def test_a_client_can_see_it_coming(self, gateway: Harness) -> None:
        harness = throttled(gateway, submits_per_second=2)
        first, second, third = (harness.post(PICTURE) for _ in range(3))
        assert [code(first), code(second)] == [0, 0]
        assert_throttled(third)
        assert third.headers["Retry-After"] == "1"
        assert [answer.headers["X-RateLimit-Remaining"] for answer in (first, second, third)] == ["1", "0", "0"]
        assert {answer.headers["X-RateLimit-Limit"] for answer in (first, second, third)} == {"2"}
        assert abs(int(third.headers["X-RateLimit-Reset"]) - time.time()) < 3

    def test_waiting_as_told_is_enough(self, gateway: Harness) -> None:
        harness = throttled(gateway, polls_per_second=1)
        harness.post(LIST)
        refused = harness.post(LIST)
        assert_throttled(refused)
        time.sleep(int(refused.headers["Retry-After"]) + 0.02)
        assert code(harness.post(LIST)) == 0

    def test_polls_and_submits_do_not_share(self, gateway: Harness) -> None:
        harness = throttled(gateway, submits_per_second=1, polls_per_second=1)
        assert [code(harness.post(body)) for body in (PICTURE, LIST, PICTURE, LIST)] == [0, 0, 153, 153]

    def test_a_refused_submit_leaves_nothing(self, gateway: Harness) -> None:
        harness = throttled(gateway, submits_per_second=1)
        harness.call("RemoveBackground")
        assert_throttled(harness.post(PICTURE))
        harness.assert_nothing_left()

    def test_faults_after_the_signature_count_and_carry_the_headers(self, gateway: Harness) -> None:
        harness = throttled(gateway, submits_per_second=1)
        wrong = signed({"Action": "RemoveBackground", "PublicKey": PUBLIC_KEY, "Foo": 1})
        answer = harness.post(json.dumps(wrong))
        assert code(answer) == 230
        assert set(answer.headers.keys()) >= RATE_HEADERS
        # Step 7 comes before the fields: the same fault is not looked at any more.
        assert_throttled(harness.post(json.dumps(wrong)))

    def test_what_is_not_the_accounts_has_no_such_headers(self, gateway: Harness) -> None:
        for body in ("", json.dumps({"Action": "Nothing"}), LIST.replace('"Signature": "', '"Signature": "0')):
            assert RATE_HEADERS.isdisjoint(gateway.post(body).headers.keys())

    def test_a_setting_makes_it_http_200(self, gateway: Harness) -> None:
        harness = throttled(gateway, polls_per_second=1, throttle_status=200)
        harness.post(LIST)
        answer = harness.post(LIST)
        assert (answer.status_code, code(answer)) == (200, 153)

    def test_terms_of_the_account_count_at_once(self, gateway: Harness) -> None:
        harness = throttled(gateway, submits_per_second=1)
        gateway.accounts.change(ACCOUNT, terms=Terms(submits_per_second=3))
        assert [code(harness.post(PICTURE)) for _ in range(4)] == [0, 0, 0, 153]


class TestFailedSignatures:
    WRONG = json.dumps({**json.loads(LIST), "Signature": "0" * 40})
    MISSING = json.dumps({**json.loads(LIST), "Signature": None})
    UNKNOWN = json.dumps({**json.loads(LIST), "PublicKey": "nobody"})

    def test_all_three_kinds_count_and_then_nothing_passes(self, gateway: Harness) -> None:
        harness = throttled(gateway, failed_signatures_per_minute=3)
        failures = [harness.post(body) for body in (self.WRONG, self.MISSING, self.UNKNOWN)]
        assert [code(answer) for answer in failures] == [171, 170, 172]
        refused = harness.post(LIST)
        assert_throttled(refused)
        assert 50 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.get_json()["Action"] == "ListTasksDetails"

    def test_another_address_is_not_touched(self, gateway: Harness) -> None:
        harness = throttled(gateway, failed_signatures_per_minute=1)
        harness.post(self.WRONG, environ_base={"REMOTE_ADDR": "192.0.2.7"})
        assert_throttled(harness.post(LIST, environ_base={"REMOTE_ADDR": "192.0.2.7"}))
        assert code(harness.post(LIST, environ_base={"REMOTE_ADDR": "192.0.2.8"})) == 0

    def test_the_address_behind_a_trusted_proxy_counts(self, gateway: Harness) -> None:
        harness = throttled(gateway, failed_signatures_per_minute=1, trusted_proxies="127.0.0.1")
        harness.post(self.WRONG, headers={"X-Forwarded-For": "192.0.2.7"})
        assert_throttled(harness.post(LIST, headers={"X-Forwarded-For": "192.0.2.7"}))
        assert code(harness.post(LIST, headers={"X-Forwarded-For": "192.0.2.8"})) == 0

    def test_good_signatures_and_other_faults_do_not_count(self, gateway: Harness) -> None:
        harness = throttled(gateway, failed_signatures_per_minute=1)
        for body, expected in ((LIST, 0), ("{", 160), (json.dumps({"Action": "Nothing"}), 161), (LIST, 0)):
            assert code(harness.post(body)) == expected


class TestKeys:
    def test_every_live_private_key_signs(self, gateway: Harness) -> None:
        new = KeyPairs(gateway.accounts).rotate(PUBLIC_KEY).private_key
        other = json.dumps(
            signed({"Action": "ListTasksDetails", "PublicKey": PUBLIC_KEY, "TaskUIDList": ["0" * 20]}, new)
        )
        assert [code(gateway.post(body)) for body in (LIST, other)] == [0, 0]
        KeyPairs(gateway.accounts).finish_rotation(PUBLIC_KEY)
        assert [code(gateway.post(body)) for body in (LIST, other)] == [171, 0]

    def test_a_revoked_pair_and_a_suspended_account_are_nobody(self, gateway: Harness) -> None:
        gateway.accounts.change(ACCOUNT, active=False)
        assert code(gateway.post(LIST)) == 172
        gateway.accounts.change(ACCOUNT, active=True)
        assert code(gateway.post(LIST)) == 0
        KeyPairs(gateway.accounts).revoke(PUBLIC_KEY)
        assert code(gateway.post(LIST)) == 172


class TestTerms:
    def test_the_accounts_price_is_reserved(self, gateway: Harness) -> None:
        gateway.accounts.change(ACCOUNT, terms=Terms(price_credits=4))
        gateway.store.grant(ACCOUNT, 9)
        assert [code(gateway.post(PICTURE)) for _ in range(3)] == [0, 0, 520]
        balance = gateway.store.balance(ACCOUNT)
        assert balance is not None
        assert (balance.reserved, balance.available) == (8, 1)

    def test_a_price_of_nothing(self, gateway: Harness) -> None:
        gateway.accounts.change(ACCOUNT, terms=Terms(price_credits=0))
        gateway.store.grant(ACCOUNT, 1)
        assert [code(gateway.post(PICTURE)) for _ in range(3)] == [0, 0, 0]

    def test_the_accounts_queue_cap(self, gateway: Harness) -> None:
        gateway.accounts.change(ACCOUNT, terms=Terms(queue_cap=2))
        answers = [gateway.post(PICTURE) for _ in range(3)]
        assert [code(answer) for answer in answers] == [0, 0, 153]
        assert answers[-1].headers["Retry-After"] == str(gateway.settings.retry_after_seconds)

    def test_a_full_queue_says_when_there_is_room(self, gateway: Harness) -> None:
        """Three pictures ended in some three quarters of a second, and six must end before ten more fit."""
        gateway.accounts.change(ACCOUNT, terms=Terms(queue_cap=16))
        gateway.submit_batch(count=16)
        gateway.finish_one()
        started = time.monotonic()
        for _ in range(3):
            time.sleep(0.25)
            gateway.finish_one()
        answer = gateway.post(json.dumps(BATCH_OF_TEN))
        seconds_each = (time.monotonic() - started) / 3
        assert_throttled(answer)
        assert int(answer.headers["Retry-After"]) == pytest.approx(6 * seconds_each, abs=1)


def test_fifty_submits_at_once_on_a_balance_for_ten(gateway: Harness) -> None:
    gateway.store.grant(ACCOUNT, 10)
    codes = run_at_once(50, lambda _: code(gateway.post(PICTURE)))
    assert (codes.count(0), codes.count(520)) == (10, 40)
    balance = gateway.store.balance(ACCOUNT)
    assert balance is not None
    assert (balance.granted, balance.reserved, balance.available) == (10, 10, 0)
    assert gateway.store.waiting(gateway.lane) == len(gateway.stored()) == 10
