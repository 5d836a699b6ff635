"""The gateway's settings: from the environment, and refused where they cannot work."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from cutgate.gateway.settings import GatewaySettings
from tests.gateway.harness import MASTER_KEY, make_settings


def test_the_default_body_holds_the_largest_picture() -> None:
    settings = make_settings()
    assert settings.max_body_bytes > settings.max_source_bytes * 4 / 3


def test_a_body_that_cannot_hold_the_largest_picture_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_body_bytes"):
        make_settings(max_source_bytes=2**26)


def test_proxies_are_split_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("CUTGATE_TRUSTED_PROXIES", " 10.0.0.0/8, 192.168.1.7 ,fd00::/8,")
    assert GatewaySettings().trusted_proxies == tuple(map(ip_network, ("10.0.0.0/8", "192.168.1.7", "fd00::/8")))


@pytest.mark.parametrize("proxies", ["proxy.example", "10.0.0.0/99", "10.0.0.1 10.0.0.2"])
def test_proxies_that_are_no_addresses(proxies: str) -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        make_settings(trusted_proxies=proxies)


@pytest.mark.parametrize(
    ("given", "kept"), [("https://a.example/", "https://a.example"), ("", None), (None, None)]
)
def test_the_public_url_has_no_slash_at_its_end(given: str | None, kept: str | None) -> None:
    assert make_settings(public_url=given).public_url == kept


def test_a_public_url_needs_a_scheme() -> None:
    with pytest.raises(ValidationError, match="public_url"):
        make_settings(public_url="cut.example")


def test_they_are_frozen_and_show_no_secret() -> None:
    settings = make_settings()
    assert settings.model_config["frozen"]
    assert MASTER_KEY not in repr(settings)
