"""Tests of clients of rembg's server against a running stack, without a key and with one.

These are napari-rembg, curl, and two that work from the description of rembg's own server: a client in Python that
OpenAPI Generator makes, and Swagger UI's. `environments/rembg/openapi.json` is what `rembg s` of 2.0.86 answers.
"""

import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.clients.conftest import SIDE_PX, Told, told_by
from tests.clients.installed import PINS, node, npm_packages, python_client, run
from tests.servers.stack import LiveStack, tiny_stack

pytestmark = pytest.mark.long

DESCRIPTION = PINS / "rembg" / "openapi.json"
CENTRE = (SIDE_PX // 2, SIDE_PX // 2)


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """A service on the tiny network that needs no key for rembg's API."""
    settings = {"CUTGATE_REMBG_API": "1", "CUTGATE_REMBG_ACCOUNT": "first"}
    with tiny_stack(tmp_path_factory.mktemp("keyless"), **settings) as live:
        yield live


@pytest.fixture(scope="module")
def napari_told(keyless: LiveStack, picture: Path) -> Told:
    python = python_client("napari-rembg", "0.0.7", only_pins=True)  # the rest of it is a desktop
    return told_by(str(python), "driver_rembg.py", keyless.url, str(picture))


@pytest.mark.parametrize("model", ["u2net", "birefnet-general", "isnet-general-use"])
def test_napari_rembg_gets_a_mask(napari_told: Told, model: str) -> None:
    assert napari_told[model] == [[SIDE_PX, SIDE_PX], 0, 1]


def test_napari_rembg_sends_grey_pictures_and_is_told_of_prompts(napari_told: Told) -> None:
    assert napari_told["grey"] == [SIDE_PX, SIDE_PX]
    assert napari_told["sam"] is None


@pytest.fixture(scope="module")
def generated_told(keyless: LiveStack, picture: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    python, folder = python_client("openapi-generator", "7.26.0"), tmp_path_factory.mktemp("generated")
    words = ("-g", "python", "-i", str(DESCRIPTION), "-o", str(folder), "--package-name", "rembg_api")
    run(str(python.parent / "openapi-generator-cli"), "generate", *words)
    return told_by(
        str(python), "driver_rembg_generated.py", str(folder), keyless.url, keyless.api_key, str(picture)
    )


@pytest.fixture(scope="module")
def swagger_told(keyless: LiveStack, picture: Path) -> Told:
    module = npm_packages("swagger-client-3.39.0", PINS / "swagger") / "swagger-client" / "es" / "index.js"
    words = (str(module), str(DESCRIPTION), keyless.url, keyless.api_key, str(picture))
    return told_by(node(), "driver_rembg_swagger.mjs", *words)


def test_a_client_generated_from_rembgs_description_gets_pictures(generated_told: Told) -> None:
    for name in ("plain", "model", "matted"):
        told = generated_told[name]
        assert (told["status"], told["mode"], told["corner"][3], told["middle"][3]) == (200, "RGBA", 0, 255)
    assert generated_told["filled"]["corner"][:3] == [1, 2, 3]
    assert generated_told["mask"] == {"status": 200, "mode": "L", "corner": 0, "middle": 255}


def test_a_client_generated_from_rembgs_description_reads_refusals(generated_told: Told) -> None:
    statuses = {name: generated_told[name]["status"] for name in ("no picture", "wrong key", "wrong url")}
    assert statuses == {"no picture": 400, "wrong key": 401, "wrong url": 400}
    assert "Send a valid key" in generated_told["wrong key"]["detail"]


def test_the_client_of_swagger_ui_gets_pictures(swagger_told: Told) -> None:
    for name in ("plain", "model", "matted", "filled", "mask"):
        told = swagger_told[name]
        assert (told["status"], told["type"]) == (200, "image/png")
        assert told["bytes"] > 100


def test_the_client_of_swagger_ui_reads_refusals(swagger_told: Told) -> None:
    assert swagger_told["wrong number"]["status"] == 422
    assert swagger_told["wrong number"]["detail"][0]["loc"] == ["body", "af"]
    assert (swagger_told["wrong key"]["status"], swagger_told["wrong url"]["status"]) == (401, 400)


def curl(stack: LiveStack, *arguments: str, path: str = "/api/remove") -> tuple[int, str, bytes]:
    """Status, type and body of an answer to curl."""
    command = ["curl", "--silent", "--write-out", "%{stderr}%{json}", *arguments, f"{stack.url}{path}"]
    done = subprocess.run(command, capture_output=True, check=True)
    told = json.loads(done.stderr)
    return told["http_code"], told["content_type"], done.stdout


@pytest.mark.needs("curl")
@pytest.mark.parametrize("fields", [(), ("a=true", "ae=15"), ("dc=true",), ("ppm=true",), ("vm=1",)], ids=str)
def test_the_documented_line_for_curl(keyless: LiveStack, picture: Path, fields: tuple[str, ...]) -> None:
    options = [word for field in fields for word in ("-F", field)]
    status, media_type, body = curl(keyless, "-F", f"file=@{picture}", *options)
    assert (status, media_type) == (200, "image/png"), body[:300]
    with Image.open(io.BytesIO(body)) as image:
        alpha = image.convert("RGBA").getchannel("A")
    assert alpha.size == (SIDE_PX, SIDE_PX)
    assert (alpha.getpixel((0, 0)), alpha.getpixel(CENTRE)) == (0, 255)


@pytest.mark.needs("curl")
def test_curl_asks_for_a_background_and_for_the_mask(keyless: LiveStack, picture: Path) -> None:
    file = ("-F", f"file=@{picture}")
    _, _, body = curl(keyless, *file, path="/api/remove?bgc=1,2,3,255")
    with Image.open(io.BytesIO(body)) as image:
        assert image.convert("RGB").getpixel((0, 0)) == (1, 2, 3)
    _, _, body = curl(keyless, *file, "-F", "om=true")
    with Image.open(io.BytesIO(body)) as image:
        assert image.mode == "L"


@pytest.mark.needs("curl")
def test_curl_reads_refusals(keyless: LiveStack, picture: Path) -> None:
    file = ("-F", f"file=@{picture}")
    assert curl(keyless, *file, "-H", f"Authorization: Bearer {keyless.api_key}")[0] == 200
    assert curl(keyless, *file, "-H", "Authorization: Bearer wrong")[0] == 401
    status, _, body = curl(keyless, *file, "-F", "af=999")
    assert (status, json.loads(body)["detail"][0]["loc"]) == (422, ["body", "af"])
    assert curl(keyless, "--get", "--data-urlencode", "url=http://127.0.0.1:1/a.png")[0] == 400
