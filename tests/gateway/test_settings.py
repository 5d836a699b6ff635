"""The gateway's settings: from the environment, and refused where they cannot work."""

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from cutgate.gateway.settings import GatewaySettings
from tests.gateway.harness import MASTER_KEY, make_settings


def test_the_default_body_holds_the_largest_picture() -> None:
    settings = make_settings()
    assert settings.max_body_bytes > settings.max_source_bytes * 4 / 3


def test_proxies_are_split_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("CUTGATE_TRUSTED_PROXIES", " 10.0.0.0/8, 192.168.1.7 ,fd00::/8,")
    assert GatewaySettings().trusted_proxies == tuple(map(ip_network, ("10.0.0.0/8", "192.168.1.7", "fd00::/8")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("trusted_proxies", value) for value in ("proxy.example", "10.0.0.0/99", "10.0.0.1 10.0.0.2")),
        ("public_url", "cut.example"),
        ("max_body_bytes", 2**20),  # which cannot hold the largest picture
        ("request_threads", 1),  # half of which may wait for results
    ],
)
def test_what_cannot_work_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        make_settings(**{name: value})


@pytest.mark.parametrize(
    ("given", "kept"), [("https://a.example/", "https://a.example"), ("", None), (None, None)]
)
def test_the_public_url_has_no_slash_at_its_end(given: str | None, kept: str | None) -> None:
    assert make_settings(public_url=given).public_url == kept


def test_they_are_frozen_and_show_no_secret() -> None:
    settings = make_settings()
    assert settings.model_config["frozen"]
    assert MASTER_KEY not in repr(settings)
