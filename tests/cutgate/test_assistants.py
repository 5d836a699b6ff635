"""`cutgate mcp`, asked by the official client: in process and by a service, within its folders."""

import asyncio
import base64
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, ImageContent
from PIL import Image

from cutgate.assistants.server import PREVIEW_PX
from tests.cutgate.client.test_refine import running_service
from tests.cutgate.conftest import Service
from tests.gateway.harness import PRIVATE_KEY, PUBLIC_KEY
from tests.pictures.tiny_network import tiny_environment
from tests.worker.process.runner_bench import picture

__all__ = ["running_service"]

pytestmark = pytest.mark.usefixtures("bare_environment")
TOOL = "remove_background"


@pytest.fixture(autouse=True)
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photo in a folder that the server may use; it is larger than a preview."""
    folder = tmp_path / "allowed"
    folder.mkdir()
    for name, value in tiny_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    levels = np.full((300, 2 * PREVIEW_PX, 3), 255, np.uint8)
    levels[100:200, 200:500] = 20
    Image.fromarray(levels).save(folder / "photo.png")
    return folder / "photo.png"


def ask(
    folder: Path, *calls: dict[str, Any], arguments: tuple[str, ...] = (), **more: str
) -> list[CallToolResult]:
    """Start the command in a process of its own, and call its tool."""
    command = ["-m", "cutgate", "mcp", "--folder", str(folder), *arguments]
    server = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ) | more)

    async def talk() -> list[CallToolResult]:
        async with Client(server) as client:
            [tool] = (await client.list_tools()).tools
            assert tool.name == TOOL
            answers = [await client.call_tool(TOOL, call) for call in calls]
        assert all(isinstance(answer, CallToolResult) for answer in answers)
        return answers

    return asyncio.run(talk())


def error_of(answer: CallToolResult) -> str:
    assert answer.is_error
    [text] = answer.content
    assert text.type == "text"
    return text.text


def test_a_file_is_cut_out_and_described(photo: Path) -> None:
    shown = photo.parent / "shown.jpg"
    plain, over_blue = ask(
        photo.parent,
        {"picture": "photo.png", "hair_optimization": "off"},
        {"picture": str(photo), "output": str(shown), "background": "#0000ff", "crop_margin": "0"},
    )
    facts = plain.structured_content
    assert facts is not None
    assert facts | {"subject_box": None, "confidence": 1, "subject_share": 0} == {
        "output": str(photo.parent / "photo-cutout.png"),
        "width_px": 2 * PREVIEW_PX,
        "height_px": 300,
        "subject_found": True,
        "confidence": 1,
        "review": facts["confidence"] < 0.6,
        "subject_box": None,
        "subject_share": 0,
    }
    assert facts["subject_box"] == pytest.approx([200, 100, 500, 200], abs=40)
    assert facts["subject_share"] == pytest.approx(100 * 300 / (300 * 2 * PREVIEW_PX), abs=0.05)
    text, preview = plain.content
    assert text.type == "text"
    assert json.loads(text.text) == facts
    assert isinstance(preview, ImageContent)
    with Image.open(io.BytesIO(base64.b64decode(preview.data))) as image:
        assert (image.format, image.size) == ("JPEG", (PREVIEW_PX, 150))
        assert image.getpixel((0, 0)) == pytest.approx((128, 128, 128), abs=8)
    with Image.open(facts["output"]) as image:
        assert (image.mode, image.getchannel("A").getbbox()) == ("RGBA", tuple(facts["subject_box"]))
    assert over_blue.structured_content is not None
    assert over_blue.structured_content["subject_box"] is None
    with Image.open(shown) as image:
        assert image.format == "JPEG"
        assert image.width < 600


def test_a_service_cuts_out_where_one_is_named(running_service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "allowed"
    (folder / "dark.png").write_bytes(picture())
    account = ("--url", running_service.url, "--public-key", PUBLIC_KEY)
    cut, shown = ask(
        folder,
        {"picture": "dark.png", "hair_optimization": "off"},
        {"picture": "dark.png", "output": "shown.webp", "background": "white"},
        arguments=account,
        CUTGATE_PRIVATE_KEY=PRIVATE_KEY,
    )
    assert cut.structured_content is not None
    assert cut.structured_content["subject_found"] is True
    assert 0 <= cut.structured_content["confidence"] <= 1
    assert not shown.is_error
    with Image.open(folder / "shown.webp") as image:
        assert image.format == "WEBP"
    with running_service.client() as client:
        assert client.balance().used == 2


def test_what_an_assistant_may_not_do_is_said_and_leaves_nothing(photo: Path) -> None:
    folder = photo.parent
    (folder / "taken.png").write_bytes(b"mine")
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    (folder.parent / "outside.png").write_bytes(photo.read_bytes())
    before = {path: path.read_bytes() for path in folder.iterdir()}
    answers = ask(
        folder,
        {"picture": "../outside.png"},
        {"picture": "link.png"},
        {"picture": "photo.png", "output": "../out.png"},
        {"picture": "photo.png", "output": "taken.png"},
        {"picture": "photo.png", "output": "photo.png", "overwrite": True},
        {"picture": "photo.png", "output": "none/out.png"},
        {"picture": "photo.png", "output": "out.gif"},
        {"picture": "photo.png", "background": "bluish"},
        {"picture": "missing.png"},
        {"picture": "broken.png"},
        {"picture": "photo.png", "box": [1, 2, 3]},
    )
    wanted = (
        "is outside",
        "is outside",
        "is outside",
        "exists already",
        "exists already",
        "there is no folder",
        ".gif is no format",
        "bluish",
        "there is no file",
        "picture",
        "box",
    )
    for answer, text in zip(answers, wanted, strict=True):
        assert text in error_of(answer)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    [over] = ask(folder, {"picture": "photo.png", "output": "taken.png", "overwrite": True})
    assert not over.is_error
