"""Tests of remove.bg's clients from PyPI and npm, and of curl, against a running stack."""

import base64
import io
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.clients.conftest import SIDE_PX, Told, told_by
from tests.clients.installed import PINS, node, npm_packages, python_client
from tests.servers.relay import served
from tests.servers.stack import LiveStack
from tests.servers.tls import HttpsProxy, write_certificates

CLEAR, OPAQUE = 0, 255
CENTRE = (SIDE_PX // 2, SIDE_PX // 2)


@pytest.fixture(scope="module")
def python_told(tiny: LiveStack, picture: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("removebg")
    return told_by_python(tiny.url, tiny.api_key, picture, folder)


def told_by_python(url: str, api_key: str, picture: Path, folder: Path) -> Told:
    """What the clients from PyPI tell."""
    python = python_client("removebg", "0.4")
    return told_by(str(python), "driver_removebg.py", url, api_key, str(picture), str(folder))


@pytest.fixture(scope="module")
def js_told(tiny: LiveStack, picture: Path) -> Told:
    return told_by_js(tiny.url, tiny.api_key, picture)


def told_by_js(url: str, api_key: str, picture: Path) -> Told:
    """What the client from npm tells."""
    module = npm_packages("remove.bg-1.3.0", PINS / "removebg") / "remove.bg"
    return told_by(node(), "driver_removebg_js.mjs", str(module), url, api_key, str(picture))


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


def assert_cut_out(text: str) -> None:
    """The disc is there, and what was around it is not."""
    alpha = opened(text).convert("RGBA").getchannel("A")
    assert alpha.size == (SIDE_PX, SIDE_PX)
    assert (alpha.getpixel((0, 0)), alpha.getpixel(CENTRE)) == (CLEAR, OPAQUE)


def test_removebg_from_pypi_cuts_out_a_file(python_told: Told) -> None:
    assert_cut_out(python_told["file"]["file"])


def test_removebg_from_pypi_sends_base64_and_a_colour(python_told: Told) -> None:
    with opened(python_told["coloured"]["file"]) as image:
        red, green, blue = image.convert("RGB").getpixel((2, 2))  # type: ignore[misc]
    assert max(abs(red - 0x81), abs(green - 0xD4), abs(blue - 0xFA)) < 4


def test_removebg_from_pypi_raises_for_what_is_refused(python_told: Told) -> None:
    assert python_told["wrong_key"]["status"] == 403
    assert python_told["wrong_key"]["error"]["code"] == "auth_failed"
    assert python_told["wrong_size"]["status"] == 400
    assert python_told["wrong_size"]["error"]["code"] == "invalid_size"


def test_removebg_cli_from_pypi_crops_and_adds_a_shadow(python_told: Told) -> None:
    assert python_told["command"]["ended_well"], python_told["command"]["said"]
    assert "0.25 credits" in python_told["command"]["said"]
    with opened(python_told["cropped"]["file"]) as image:
        assert max(image.size) < SIDE_PX


def test_removebg_cli_from_pypi_asks_for_webp(python_told: Told) -> None:
    assert "1 credits" in python_told["command_webp"]["said"]
    with opened(python_told["webp"]["file"]) as image:
        assert image.format == "WEBP"


def test_removebg_cli_from_pypi_shows_the_account_and_what_is_wrong(python_told: Told) -> None:
    assert python_told["account"]["ended_well"]
    assert "Credits" in python_told["account"]["said"]
    assert not python_told["command_wrong_key"]["ended_well"]
    assert "API Key invalid" in python_told["command_wrong_key"]["said"]


@pytest.mark.parametrize("scenario", ["base64", "file"])
def test_remove_bg_from_npm_reads_the_picture_and_six_headers(js_told: Told, scenario: str) -> None:
    told = js_told[scenario]
    assert "errors" not in told, told
    with opened(told["base64img"]) as image:
        assert [str(side_px) for side_px in image.size] == [told["resultWidth"], told["resultHeight"]]
        assert (max(image.size) < SIDE_PX) == (scenario == "base64")
    assert (told["creditsCharged"], told["detectedType"], told["rateLimit"]) == ("0.25", "other", "500")
    assert int(told["rateLimitRemaining"]) <= 500
    assert int(told["rateLimitReset"]) > 0


def test_remove_bg_from_npm_rejects_with_the_errors(js_told: Told) -> None:
    assert [error["code"] for error in js_told["wrong_key"]["errors"]] == ["auth_failed"]
    assert [error["code"] for error in js_told["wrong_size"]["errors"]] == ["invalid_size"]


def test_the_vendors_sample_for_node(js_told: Told) -> None:
    assert (js_told["sample"]["status"], js_told["sample"]["type"]) == (200, "image/png")
    assert_cut_out(js_told["sample"]["base64img"])


def curl(stack: LiveStack, *arguments: str) -> tuple[Mapping[str, Any], bytes]:
    """Status, type and body of an answer to curl."""
    known = ("curl", "--silent", "--write-out", "%{stderr}%{json}", "-H", f"X-Api-Key: {stack.api_key}")
    address = f"{stack.url}/v1.0/removebg"
    done = subprocess.run([*known, *arguments, address], capture_output=True, check=True)
    told = json.loads(done.stderr)
    assert isinstance(told, dict)
    return told, done.stdout


@pytest.mark.needs("curl")
@pytest.mark.parametrize(
    ("arguments", "media_type"),
    [
        (("-F", "size=auto"), "image/png"),
        (("-F", "format=jpg", "-F", "bg_color=fff"), "image/jpeg"),
        (("-F", "format=zip"), "application/zip"),
        (("-F", "channels=alpha"), "image/png"),
        (("-H", "Accept: application/json"), "application/json; charset=utf-8"),
        (("-H", "Transfer-Encoding: chunked"), "image/png"),
        (("-H", "Expect: 100-continue"), "image/png"),
    ],
    ids=str,
)
def test_the_sample_for_curl(tiny: LiveStack, picture: Path, arguments: tuple[str, ...], media_type: str) -> None:
    told, body = curl(tiny, "-F", f"image_file=@{picture}", *arguments)
    assert (told["http_code"], told["content_type"]) == (200, media_type), body[:300]
    assert body


@pytest.mark.needs("curl")
@pytest.mark.parametrize(
    ("size_bytes", "key", "status", "code"),
    [(8 * 2**20, "wrong", 403, "auth_failed"), (64 * 2**20, "", 400, "file_too_large")],
    ids=["a wrong key", "too large"],
)
def test_curl_reads_refusals(
    tiny: LiveStack, tmp_path: Path, size_bytes: int, key: str, status: int, code: str
) -> None:
    file = tmp_path / "large.png"
    with file.open("wb") as large:
        large.truncate(size_bytes)
    stack = replace(tiny, api_key=key or tiny.api_key)
    told, body = curl(stack, "-F", f"image_file=@{file}")
    assert told["http_code"] == status, body[:300]
    assert json.loads(body)["errors"][0]["code"] == code


@pytest.mark.needs("curl")
def test_a_client_with_a_fixed_host_can_be_moved(tiny: LiveStack, picture: Path, tmp_path: Path) -> None:
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
