"""Rates, credits and caps as a client meets them at the gateway."""

import io
import json
import time
from dataclasses import replace

import pytest
from typing_extensions import Buffer, override
from werkzeug.test import TestResponse

from cutgate.gateway import bodies
from cutgate.gateway.accounts.key_pairs import KeyPairs
from cutgate.gateway.accounts.rates import RETRY_AFTER_SECONDS, Rate
from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.picpik.actions import ACTIONS
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import new_task_uid
from tests.fakes import failing
from tests.gateway import picture_files as pictures
from tests.gateway.harness import ACCOUNT, MASTER_KEY, PUBLIC_KEY, Harness, signed, there
from tests.jobs.build import run_at_once
from tests.ledgers import FreshLedger

LIST = json.dumps(Harness.signed_list("d5ari00q5cu0v880200g"))
PICTURE = json.dumps(Harness.signed_picture(pictures.BASE64_8X8))
NO_BURST = {"account_queue_cap": 1}
"""More may not come at once than in a second; the ledger's own cap of the queue stays."""
RATE_HEADERS = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


class Unreadable(io.BytesIO):
    """A body that must not be read."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError("it is read")

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        raise OSError("it is read")


def assert_throttled(response: TestResponse) -> None:
    answer = response.get_json()
    assert (response.status_code, answer["RetCode"], answer["Message"]) == (429, 153, "Request throttled")


def test_the_actions_that_take_pictures_count_as_submits() -> None:
    submits = {name for name, action in ACTIONS.items() if action.rate is Rate.SUBMIT}
    assert submits == {name for name in ACTIONS if name.startswith("RemoveBackground")}


class TestRates:
    def test_a_client_can_see_it_coming(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(**NO_BURST, submits_per_second=2)
        answers = [gateway.post(PICTURE) for _ in range(3)]
        assert [answer.get_json()["RetCode"] for answer in answers] == [0, 0, 153]
        assert_throttled(answers[2])
        assert answers[2].headers["Retry-After"] == "1"
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
        assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"2"}
        assert abs(int(answers[2].headers["X-RateLimit-Reset"]) - time.time()) < 3

    def test_waiting_as_told_is_enough(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(**NO_BURST, polls_per_second=1)
        gateway.post(LIST)
        refused = gateway.post(LIST)
        assert_throttled(refused)
        time.sleep(int(refused.headers["Retry-After"]) + 0.02)
        assert gateway.code(LIST) == 0

    def test_a_poll_counts_by_its_ids_and_duplicates_once(self, gateway: Harness) -> None:
        """Twenty tasks are one request: a thousand would hold the ledger for all others."""
        gateway = gateway.with_settings(**NO_BURST, polls_per_second=4)
        uids = [new_task_uid() for _ in range(41)]
        assert gateway.code(json.dumps(Harness.signed_list(*uids))) == 0  # three requests
        assert gateway.code(json.dumps(Harness.signed_list(*uids[:20] * 3))) == 0
        assert gateway.code(LIST) == 153

    def test_polls_and_submits_do_not_share(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(**NO_BURST, submits_per_second=1, polls_per_second=1)
        assert [gateway.code(body) for body in (PICTURE, LIST, PICTURE, LIST)] == [0, 0, 153, 153]

    def test_faults_after_the_signature_count_and_carry_the_headers(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(**NO_BURST, submits_per_second=1)
        wrong = json.dumps(signed({"Action": "RemoveBackground", "PublicKey": PUBLIC_KEY, "Foo": 1}))
        answer = gateway.post(wrong)
        assert answer.get_json()["RetCode"] == 230
        assert set(answer.headers.keys()) >= RATE_HEADERS
        # Step 7 comes before the fields: neither the same fault nor a picture is looked at any more.
        assert_throttled(gateway.post(wrong))
        assert_throttled(gateway.post(PICTURE))
        gateway.assert_nothing_left()

    def test_what_is_not_the_accounts_has_no_such_headers(self, gateway: Harness) -> None:
        for body in ("", json.dumps({"Action": "Nothing"}), LIST.replace('"Signature": "', '"Signature": "0')):
            assert RATE_HEADERS.isdisjoint(gateway.post(body).headers.keys())

    def test_terms_of_the_account_count_at_once(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(**NO_BURST, submits_per_second=1)
        gateway.accounts.change(ACCOUNT, terms=Terms(submits_per_second=3))
        assert [gateway.code(PICTURE) for _ in range(4)] == [0, 0, 0, 153]


class TestFailedSignatures:
    WRONG = json.dumps({**json.loads(LIST), "Signature": "0" * 40})
    MISSING = json.dumps({**json.loads(LIST), "Signature": None})
    UNKNOWN = json.dumps({**json.loads(LIST), "PublicKey": "nobody"})

    @pytest.mark.parametrize(("body", "code"), [(WRONG, 171), (MISSING, 170), (UNKNOWN, 172)])
    def test_each_kind_is_told_why_it_is_refused_and_right_ones_pass(
        self, gateway: Harness, body: str, code: int
    ) -> None:
        """Whoever shares an address with somebody who tries keys works on."""
        gateway = gateway.with_settings(failed_signatures_per_minute=2)
        assert [gateway.code(body) for _ in range(2)] == [code, code]
        refused = gateway.post(body)
        assert_throttled(refused)
        assert "wrong signatures or unknown keys came from your address" in refused.get_json()["Detail"]
        assert 25 <= int(refused.headers["Retry-After"]) <= 30
        assert refused.get_json()["Action"] == "ListTasksDetails"
        assert [gateway.code(right) for right in (LIST, PICTURE)] == [0, 0]

    def test_thirty_one_unknown_keys_do_not_shut_out_right_ones(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(failed_signatures_per_minute=30)
        codes = [gateway.code(self.UNKNOWN.replace("nobody", f"nobody{number}")) for number in range(31)]
        assert codes == [172] * 30 + [153]
        assert gateway.code(LIST) == 0

    def test_a_wrong_signature_of_one_key_is_not_anothers(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(failed_signatures_per_minute=1)
        other = KeyPairs(gateway.accounts).add("other")
        wrong = json.dumps({**json.loads(LIST), "PublicKey": other.public_key})
        assert [gateway.code(body) for body in (wrong, self.WRONG, wrong)] == [171, 171, 153]

    @pytest.mark.constants(bodies, MEMORY_BYTES=1_000)
    def test_a_large_body_of_an_address_that_is_shut_out_is_not_read(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(failed_signatures_per_minute=1)
        assert [gateway.code(self.UNKNOWN) for _ in range(2)] == [172, 153]
        failing(gateway.store, take=LedgerUnavailable("asked all the same"))
        for told in ({"CONTENT_LENGTH": "1001"}, {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}):
            unread = {"wsgi.input": Unreadable(), **told}
            assert_throttled(gateway.post(b"", environ_overrides=unread))
            elsewhere = {**unread, "REMOTE_ADDR": "192.0.2.7"}
            with pytest.raises(OSError, match="it is read"):
                gateway.code(b"", environ_overrides=elsewhere)

    @pytest.mark.constants(bodies, MEMORY_BYTES=1_000)
    def test_a_right_signature_opens_its_address_for_large_bodies(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(failed_signatures_per_minute=1)
        large = PICTURE.ljust(2_000)
        assert [gateway.code(body) for body in (self.UNKNOWN, self.UNKNOWN, large)] == [172, 153, 153]
        assert [gateway.code(body) for body in (LIST, large, self.UNKNOWN, large)] == [0, 0, 153, 0]

    @pytest.mark.parametrize(
        ("settings", "here", "elsewhere"),
        [
            ({}, *({"environ_base": {"REMOTE_ADDR": f"192.0.2.{host}"}} for host in (7, 8))),
            (
                {"trusted_proxies": "127.0.0.1"},
                *({"headers": {"X-Forwarded-For": f"192.0.2.{host}"}} for host in (7, 8)),
            ),
        ],
        ids=["direct", "behind a trusted proxy"],
    )
    def test_another_address_is_not_touched(
        self, gateway: Harness, settings: dict[str, str], here: dict[str, object], elsewhere: dict[str, object]
    ) -> None:
        gateway = gateway.with_settings(failed_signatures_per_minute=1, **settings)
        assert [gateway.code(self.WRONG, **here) for _ in range(2)] == [171, 153]
        assert gateway.code(self.WRONG, **elsewhere) == 171

    def test_good_signatures_and_other_faults_do_not_count(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(failed_signatures_per_minute=1)
        for body, expected in ((LIST, 0), ("{", 160), (json.dumps({"Action": "Nothing"}), 161), (LIST, 0)):
            assert gateway.code(body) == expected


class TestKeys:
    def test_every_live_private_key_signs(self, gateway: Harness) -> None:
        pairs = KeyPairs(gateway.accounts)
        new = pairs.rotate(PUBLIC_KEY).private_key
        params = {"Action": "ListTasksDetails", "PublicKey": PUBLIC_KEY, "TaskUIDList": ["0" * 20]}
        bodies = (LIST, json.dumps(signed(params, new)))
        assert [gateway.code(body) for body in bodies] == [0, 0]
        pairs.finish_rotation(PUBLIC_KEY)
        assert [gateway.code(body) for body in bodies] == [171, 0]

    def test_a_revoked_pair_and_a_suspended_account_are_nobody(self, gateway: Harness) -> None:
        gateway.accounts.change(ACCOUNT, active=False)
        assert gateway.code(LIST) == 172
        gateway.accounts.change(ACCOUNT, active=True)
        assert gateway.code(LIST) == 0
        KeyPairs(gateway.accounts).revoke(PUBLIC_KEY)
        assert gateway.code(LIST) == 172


class TestTerms:
    @pytest.mark.parametrize(("price", "codes", "reserved"), [(4, [0, 0, 520], 8), (0, [0, 0, 0], 0)])
    def test_the_accounts_price_is_reserved(
        self, gateway: Harness, price: int, codes: list[int], reserved: int
    ) -> None:
        gateway.accounts.change(ACCOUNT, terms=Terms(price_credits=price))
        gateway.store.grant(ACCOUNT, 9)
        assert [gateway.code(PICTURE) for _ in range(3)] == codes
        assert there(gateway.store.balance(ACCOUNT)).reserved == reserved

    def test_the_accounts_queue_cap(self, gateway: Harness) -> None:
        gateway.accounts.change(ACCOUNT, terms=Terms(queue_cap=2))
        assert [gateway.code(PICTURE) for _ in range(2)] == [0, 0]
        refused = gateway.post(PICTURE)
        assert_throttled(refused)
        assert refused.headers["Retry-After"] == str(RETRY_AFTER_SECONDS)
        assert len(gateway.stored()) == 2

    def test_a_full_queue_says_when_there_is_room(self, gateway: Harness) -> None:
        """Three pictures ended in some three quarters of a second, and six must end before ten more fit."""
        gateway.accounts.change(ACCOUNT, terms=Terms(queue_cap=16))
        gateway.submit_batch(count=16)
        gateway.finish_one()
        started = time.monotonic()
        for _ in range(3):
            time.sleep(0.25)
            gateway.finish_one()
        ten = {"PublicKey": PUBLIC_KEY, "RawImages": [pictures.BASE64_8X8] * 10}
        answer = gateway.post(json.dumps(signed({"Action": "RemoveBackgroundsInBatch", **ten})))
        seconds_each = (time.monotonic() - started) / 3
        assert_throttled(answer)
        assert int(answer.headers["Retry-After"]) == pytest.approx(6 * seconds_each, abs=1)


def test_a_first_import_of_a_hundred_pictures_is_not_refused(gateway: Harness) -> None:
    """With the settings and limits that everybody has who sets nothing."""
    gateway = replace(gateway, settings=GatewaySettings(master_key=MASTER_KEY), store=FreshLedger())
    codes = run_at_once(100, lambda _: gateway.code(PICTURE))
    assert codes == [0] * 100
    assert gateway.store.waiting(gateway.lane) == 100
    uids = gateway.call("ListRunningTasks")["TaskUIDList"]
    # Each caller then asks for its own picture, twice a second or so.
    polls = [json.dumps(Harness.signed_list(uid)) for uid in uids for _ in range(4)]
    assert run_at_once(100, lambda number: {gateway.code(body) for body in polls[number::100]}) == [{0}] * 100


def test_fifty_submits_at_once_on_a_balance_for_ten(gateway: Harness) -> None:
    gateway.store.grant(ACCOUNT, 10)
    codes = run_at_once(50, lambda _: gateway.code(PICTURE))
    assert (codes.count(0), codes.count(520)) == (10, 40)
    balance = there(gateway.store.balance(ACCOUNT))
    assert (balance.granted, balance.reserved, balance.available) == (10, 10, 0)
    assert gateway.store.waiting(gateway.lane) == len(gateway.stored()) == 10


class TestKeysThatChange:
    """A process remembers key pairs, and no request is answered by what is not so any more."""

    def test_a_new_private_key_counts_with_the_next_request(self, gateway: Harness) -> None:
        assert gateway.code(LIST) == 0
        made = KeyPairs(gateway.accounts).rotate(PUBLIC_KEY, grace_seconds=0)
        params = {name: value for name, value in json.loads(LIST).items() if name != "Signature"}
        assert gateway.code(json.dumps(signed(params, made.private_key))) == 0
        assert gateway.code(LIST) == 171

    def test_terms_of_the_account_count_for_the_next_picture(self, gateway: Harness) -> None:
        assert gateway.code(PICTURE) == 0
        gateway.accounts.change(ACCOUNT, terms=Terms(price_credits=7))
        gateway.store.grant(ACCOUNT, 6)
        assert gateway.code(PICTURE) == 520

    def test_a_bad_request_has_counted_once(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(**NO_BURST, submits_per_second=2)
        assert gateway.code(PICTURE) == 0
        wrong = json.dumps(signed({"Action": "RemoveBackground", "PublicKey": PUBLIC_KEY, "RawImage": "no"}))
        assert [gateway.code(wrong), gateway.code(PICTURE)] == [230, 153]
