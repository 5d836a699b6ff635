"""A server that throws keys away is refused."""

import pytest
from structlog.testing import capture_logs

from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ledger.redis.client import EvictingServer, connect, require_no_eviction
from tests.servers.redis_server import redis_server


def test_the_usual_policy_keeps_everything(redis_url: str) -> None:
    with connect(redis_url) as client, capture_logs() as logs:
        require_no_eviction(client)
    assert logs == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_any_other_is_refused_with_a_way_out(policy: str) -> None:
    with (
        redis_server("--maxmemory-policy", policy) as url,
        connect(url) as client,
        pytest.raises(EvictingServer, match=f"is {policy}.*noeviction") as raised,
    ):
        require_no_eviction(client)
    assert raised.value.policy == policy


def test_a_server_that_does_not_say_is_accepted_with_a_log_line() -> None:
    with redis_server() as url, connect(url) as client, capture_logs() as logs:
        client.acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info"])
        require_no_eviction(client)
    assert [entry["event"] for entry in logs] == ["eviction_policy_unknown"]


def test_an_absent_server_is_not_an_answer() -> None:
    with connect("unix:///nowhere.sock", retries=0) as client, pytest.raises(LedgerUnavailable):
        require_no_eviction(client)
