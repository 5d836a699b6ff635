"""A process remembers API keys, and no request is answered by what is not so any more."""

import pytest

from cutgate.gateway.accounts.records import Terms
from tests.gateway.removebg.service import ACCOUNT, RemoveBg, error_of


@pytest.mark.parametrize(("method", "path"), [("POST", "removebg"), ("GET", "account"), ("POST", "improve")])
@pytest.mark.parametrize("ended", ["revoked", "suspended"])
def test_a_key_that_ended_is_refused_with_the_next_request(
    service: RemoveBg, method: str, path: str, ended: str
) -> None:
    assert service.open("/v1.0/account").status_code == 200
    service.end_key(ended)
    for _ in range(2):
        assert error_of(service.open(f"/v1.0/{path}", method=method), 403)["code"] == "auth_failed"
    assert service.count() == 0


def test_terms_of_the_account_count_for_the_next_picture(service: RemoveBg) -> None:
    service.store.accounts.grant(ACCOUNT, 6)
    service.done(size="full")
    service.accounts.change(ACCOUNT, terms=Terms(price_credits=7))
    assert error_of(service.send(size="full", bg_color="red"), 402)["code"] == "insufficient_credits"


def test_a_key_is_read_once_for_as_long_as_it_stays(service: RemoveBg, keys_read: list[str]) -> None:
    for _ in range(3):
        service.done()
        service.open("/v1.0/account")
    assert len(keys_read) == 1
