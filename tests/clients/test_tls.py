"""Tests of clients through a proxy that ends TLS, with a private authority."""

import os
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cutgate import Client
from tests.clients.conftest import told_against
from tests.servers.relay import served
from tests.servers.stack import LiveStack
from tests.servers.tls import HttpsProxy, write_certificates


@dataclass(frozen=True)
class Proxied:
    """The stack behind a proxy."""

    url: str
    authority: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))

    def fetch(self, url: str) -> httpx.Response:
        return httpx.get(url, verify=self.trust())


@pytest.fixture(scope="module")
def proxied(tiny: LiveStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    authority, certificate, key = write_certificates(tmp_path_factory.mktemp("tls"))
    upstream = urlsplit(tiny.url)
    assert upstream.hostname
    assert upstream.port
    with served(HttpsProxy((upstream.hostname, upstream.port), certificate, key)) as proxy:
        yield Proxied(proxy.url, authority)


def test_a_runware_client_over_wss_gets_urls_of_the_proxy(
    tiny: LiveStack, proxied: Proxied, picture: Path
) -> None:
    trust = {"NODE_EXTRA_CA_CERTS": str(proxied.authority)}
    told = told_against("sdk_js", proxied.url, tiny.api_key, picture, **trust)
    for scenario in ("defaults", "upload", "async"):
        result_url = told[scenario]["imageURL"]
        assert result_url.startswith(f"{proxied.url}/r/")
        assert proxied.fetch(result_url).status_code == 200
    assert told["uploaded"]["imageURL"].startswith(proxied.url)
    assert "Invalid API key" in told["wrong_key"]["error"]["message"]


def test_a_picpik_client_over_https_gets_urls_of_the_proxy(
    tiny: LiveStack, proxied: Proxied, picture: Path
) -> None:
    live = tiny
    transport = httpx.HTTPTransport(verify=proxied.trust())
    with Client(proxied.url, live.public_key, live.private_key, transport=transport) as client:
        status = client.remove_background(picture).wait()
    (result_url,) = status.result_urls
    assert result_url.startswith(f"{proxied.url}/r/")
    assert proxied.fetch(result_url).headers["Content-Type"] == "image/png"


@pytest.mark.needs("curl")
def test_a_client_whose_host_is_fixed_is_moved_by_name_and_certificate(
    tiny: LiveStack, picture: Path, tmp_path: Path
) -> None:
    authority, certificate, key = write_certificates(tmp_path, "api.remove.bg")
    upstream = urlsplit(tiny.url)
    assert upstream.hostname
    assert upstream.port
    with served(HttpsProxy((upstream.hostname, upstream.port), certificate, key)) as proxy:
        there = urlsplit(proxy.url)
        command = [
            *("curl", "--silent", "--fail", "--connect-to", f"api.remove.bg:443:{there.hostname}:{there.port}"),
            *("-H", f"X-Api-Key: {tiny.api_key}", "-F", f"image_file=@{picture}", "-F", "size=auto"),
            "https://api.remove.bg/v1.0/removebg",
        ]
        trust = os.environ | {"CURL_CA_BUNDLE": str(authority)}
        done = subprocess.run(command, env=trust, capture_output=True, check=True)
        assert done.stdout.startswith(b"\x89PNG")
        strangers = subprocess.run(command, env=os.environ, capture_output=True, check=False)
        assert strangers.returncode == 60  # the certificate is not to be trusted
