"""Tests of who is let in: credentials that are missing, wrong or ended, and addresses that try them out."""

import io
from typing import Any

import pytest
from typing_extensions import Buffer, override

from cutgate.gateway import bodies
from cutgate.gateway.accounts.records import Terms
from cutgate.jobs.errors import LedgerUnavailable
from tests.fakes import failing
from tests.gateway.contract.facades import Facade, Maker, Picpik, Rembg, RemoveBg, Runware, only
from tests.gateway.harness import ACCOUNT

ELSEWHERE = "192.0.2.7"


class Unreadable(io.BytesIO):
    """A body that must not be read."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError("it is read")

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        raise OSError("it is read")


def unread_body(**overrides: Any) -> dict[str, Any]:
    """A large body that must not be read, as an option of a request."""
    return {"environ_overrides": {"wsgi.input": Unreadable(), "CONTENT_LENGTH": "1001", **overrides}}


def test_without_a_credential_that_counts_nothing_is_taken(facade: Facade) -> None:
    for caller, why in ((facade.anonymous(), "no key"), (facade.stranger, "wrong key")):
        for reply in (caller.submit(), caller.submit("not base64!"), caller.ask()):
            facade.refused(reply, why)
            assert not [name for name, _ in reply.response.headers if name.startswith("X-RateLimit")]
    facade.gateway.assert_nothing_left()


@pytest.mark.parametrize("ended", ["revoked", "suspended"])
def test_a_credential_that_ended_is_refused_with_the_next_request(facade: Facade, ended: str) -> None:
    job = facade.accept()
    stored = facade.gateway.stored()
    if ended == "revoked":
        facade.revoke()
    else:
        facade.gateway.accounts.change(ACCOUNT, active=False)
    for reply in (facade.submit(), facade.poll(job), facade.ask(), facade.submit("not base64!")):
        facade.refused(reply, "wrong key")
    assert facade.gateway.stored() == stored
    if ended == "suspended":
        facade.gateway.accounts.change(ACCOUNT, active=True)
        facade.accept()


def test_terms_of_the_account_count_for_the_next_picture(facade: Facade) -> None:
    facade.accept()
    facade.gateway.accounts.change(ACCOUNT, terms=Terms(price_credits=7))
    facade.gateway.store.accounts.grant(ACCOUNT, 6)
    facade.refused(facade.submit(), "no credits")
    facade.gateway.store.accounts.grant(ACCOUNT, 1)
    facade.accept()


def test_a_credential_is_read_once_for_as_long_as_it_stays(facade: Facade, keys_read: list[str]) -> None:
    for _ in range(3):
        facade.accept()
        assert not facade.ask().code
    assert len(keys_read) == 1
    facade.gateway.accounts.change(ACCOUNT, terms=Terms(queue_cap=70))
    facade.accept()
    assert len(keys_read) == 2


def test_two_credentials_of_an_account_share_its_jobs(facade: Facade) -> None:
    job = facade.accept()
    facade.gateway.finish_one()
    assert facade.other(ACCOUNT).poll(job).image == b"result"


class TestAddresses:
    """Who tries credentials is throttled, and whoever shares the address with them works on."""

    def test_wrong_credentials_are_throttled_and_right_ones_pass(self, make: Maker) -> None:
        facade = make(failed_signatures_per_minute=2)
        for _ in range(2):
            facade.refused(facade.stranger.submit(), "wrong key")
        refused = facade.refused(facade.stranger.submit(), "too often")
        assert 25 <= refused.retry_after_seconds <= 30
        facade.accept()
        assert not facade.ask().code

    @only(Picpik, Runware)
    def test_the_refusal_says_why(self, make: Maker) -> None:
        """Texts of remove.bg's refusal are its table's."""
        facade = make(failed_signatures_per_minute=1)
        _, refused = facade.stranger.submit(), facade.stranger.submit()
        assert "came from your address" in refused.text

    def test_a_right_credential_and_other_faults_do_not_count(self, make: Maker) -> None:
        facade = make(failed_signatures_per_minute=1)
        facade.accept()
        facade.submit("not base64!")
        facade.send(b"{")
        facade.accept()
        facade.refused(facade.stranger.submit(), "wrong key")

    @pytest.mark.parametrize("proxies", ["", "127.0.0.1"], ids=["direct", "behind a trusted proxy"])
    def test_another_address_is_not_touched(self, make: Maker, proxies: str) -> None:
        facade = make(failed_signatures_per_minute=1, trusted_proxies=proxies)
        stranger = facade.stranger
        stranger.submit()
        facade.refused(stranger.submit(), "too often")
        there: dict[str, Any] = (
            {"headers": {"X-Forwarded-For": ELSEWHERE}}
            if proxies
            else {"environ_base": {"REMOTE_ADDR": ELSEWHERE}}
        )
        facade.refused(stranger.send(stranger.body(), **there), "wrong key")

    @pytest.mark.constants(bodies, MEMORY_BYTES=1_000)
    def test_a_large_body_of_an_address_that_is_shut_out_is_not_read(self, make: Maker) -> None:
        facade = make(failed_signatures_per_minute=1)
        facade.stranger.submit()
        facade.refused(facade.stranger.submit(), "too often")
        failing(facade.gateway.store, accounts__take_rate=LedgerUnavailable("asked all the same"))
        for told in ({}, {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}):
            facade.refused(facade.stranger.send(b"", **unread_body(**told)), "too often")

    @only(Runware, RemoveBg, Rembg)
    @pytest.mark.constants(bodies, MEMORY_BYTES=1_000)
    def test_a_key_in_the_header_counts_before_the_body_does(self, make: Maker) -> None:
        facade = make(failed_signatures_per_minute=1)
        for _ in range(2):
            facade.stranger.submit()
        with pytest.raises(OSError, match="it is read"):
            facade.send(b"", **unread_body())

    @only(Picpik)
    @pytest.mark.constants(bodies, MEMORY_BYTES=1_000)
    def test_a_right_signature_opens_its_address_for_large_bodies(self, make: Maker) -> None:
        """It is in the body, which an address that is shut out has read only if it is small."""
        facade = make(failed_signatures_per_minute=1)
        large = facade.body().ljust(2_000)
        for _ in range(2):
            facade.stranger.submit()
        facade.refused(facade.send(large), "too often")
        assert not facade.ask().code
        assert not facade.send(large).code
        facade.refused(facade.stranger.submit(), "too often")
