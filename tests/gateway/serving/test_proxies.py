"""Whose forwarded headers count."""

from __future__ import annotations

import json

import pytest

from tests.gateway.harness import Harness

FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cut.example"}


@pytest.mark.parametrize(
    ("peer", "base"),
    [
        ("10.1.2.3", "https://cut.example"),
        ("192.168.1.7", "https://cut.example"),
        ("fd00::1", "https://cut.example"),
        ("192.168.1.8", "http://localhost"),
        ("127.0.0.1", "http://localhost"),
        ("", "http://localhost"),
        ("a socket", "http://localhost"),
    ],
)
def test_forwarded_headers_count_from_trusted_peers_only(gateway: Harness, peer: str, base: str) -> None:
    gateway = gateway.with_settings(trusted_proxies="10.0.0.0/8,192.168.1.7,fd00::/8")
    assert address_of_a_result(gateway, peer).startswith(f"{base}/r/")


def test_no_peer_is_trusted_by_default(gateway: Harness) -> None:
    assert address_of_a_result(gateway, "127.0.0.1").startswith("http://localhost/r/")


def address_of_a_result(gateway: Harness, peer: str) -> str:
    body = json.dumps(gateway.signed_list(gateway.submit()))
    gateway.finish_one()
    response = gateway.post(body, headers=FORWARDED, environ_overrides={"REMOTE_ADDR": peer})
    return str(response.get_json()["TaskDetailList"][0]["ImgList"][0])
