"""Whose forwarded headers count."""

from __future__ import annotations

import pytest

from tests.gateway.harness import Harness, make_settings

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
    uid = gateway.submit()
    gateway.finish_one()
    settings = make_settings(trusted_proxies="10.0.0.0/8,192.168.1.7,fd00::/8")
    gateway.app = gateway.make_app(settings)
    body = gateway.signed_list(uid)
    response = gateway.app.test_client().post(
        "/", json=body, headers=FORWARDED, environ_overrides={"REMOTE_ADDR": peer}
    )
    (entry,) = response.get_json()["TaskDetailList"]
    assert entry["ImgList"][0].startswith(f"{base}/r/")


def test_no_peer_is_trusted_by_default(gateway: Harness) -> None:
    uid = gateway.submit()
    gateway.finish_one()
    response = gateway.app.test_client().post("/", json=gateway.signed_list(uid), headers=FORWARDED)
    assert response.get_json()["TaskDetailList"][0]["ImgList"][0].startswith("http://localhost/r/")
