"""An errand's lines say what it belongs to, and of its URL the host alone."""

from __future__ import annotations

import pytest
import structlog

from cutgate.courier.observe import told
from tests.courier.house import ACCOUNT, House
from tests.courier.outside import OutsideServer


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("user:secret@127.0.0.1", "127.0.0.1")])
def test_what_is_bound(house: House, server: OutsideServer, host: str, shown: str) -> None:
    uid = house.source_at(server.url("/secret?token=secret", host=host))
    errand = house.take()
    with told(errand):
        bound = structlog.contextvars.get_contextvars()
    assert bound == {
        "errand": "fetch",
        "request_uuid": "",
        "task_uid": uid,
        "item": 0,
        "account": ACCOUNT,
        "attempt": 1,
        "host": shown,
    }
    assert structlog.contextvars.get_contextvars() == {}
