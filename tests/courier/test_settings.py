"""The courier's settings: from the environment, and refused where they cannot work."""

from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from cutgate.courier.process import TOTAL_SECONDS
from cutgate.courier.settings import CourierSettings
from cutgate.jobs.limits import LedgerLimits
from tests.courier.parts import make_settings
from tests.gateway.harness import MASTER_KEY


def test_lists_are_split_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("CUTGATE_COURIER_PORTS", "80, 9000,")
    monkeypatch.setenv("CUTGATE_COURIER_ALLOWED_NETWORKS", "10.1.2.3/16, fd00::1")
    monkeypatch.setenv("CUTGATE_COURIER_REFUSED_NETWORKS", "8.8.8.8")
    settings = CourierSettings()
    assert settings.courier_ports == (80, 9_000)
    assert settings.courier_allowed_networks == (ip_network("10.1.0.0/16"), ip_network("fd00::1"))
    assert settings.courier_refused_networks == (ip_network("8.8.8.8"),)


@pytest.mark.parametrize(
    "change",
    [
        {"courier_ports": "http"},
        {"courier_ports": (0,)},
        {"courier_allowed_networks": "intranet.example"},
        {"courier_errands": 0},
    ],
    ids=str,
)
def test_what_cannot_work_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        make_settings(**change)


def test_by_default_nothing_that_is_not_public_is_allowed() -> None:
    assert make_settings().courier_allowed_networks == ()


def test_an_exchange_ends_before_its_lease() -> None:
    assert LedgerLimits().errand_lease_seconds > TOTAL_SECONDS
