"""Tests of the gateway's settings: from the environment, and refused where they cannot work."""

import base64
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.settings import load_settings
from tests.gateway.harness import MASTER_KEY, make_settings


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


KEY, NEW_KEY = (base64.b64encode(bytes(range(first, first + 32))).decode() for first in (0, 32))
SHORT_KEY = base64.b64encode(bytes(range(31))).decode()


@pytest.mark.parametrize(
    "key", ["", "not base64!", SHORT_KEY, KEY + "AAAA", "é", f"{KEY} {SHORT_KEY}", f"{KEY} {KEY} {NEW_KEY}"]
)
def test_a_master_key_is_32_bytes(key: str) -> None:
    with pytest.raises(ValidationError, match="32 bytes in Base64") as caught:
        GatewaySettings.model_validate({"master_key": key})
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("between", [" ", "\n"])
def test_while_a_master_key_is_replaced_there_are_two(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, between: str
) -> None:
    monkeypatch.setenv("CUTGATE_SECRETS_DIR", str(tmp_path))
    (tmp_path / "cutgate_master_key").write_text(f"{NEW_KEY}{between}{KEY}\n")
    settings = load_settings(GatewaySettings)
    assert settings.master_keys() == (bytes(range(32, 64)), bytes(range(32)))
    assert not {text for text in (KEY, NEW_KEY) if text in f"{settings!r}{settings.model_dump_json()}"}
