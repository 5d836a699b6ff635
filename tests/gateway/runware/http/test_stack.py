"""A whole stack: the courier fetches pictures, a worker cuts one out, the courier tells of it; one is kept."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.courier.outside import OutsideServer, Visit, picture, serving
from tests.gateway.runware.service import new_removal, new_uuid
from tests.pictures.tiny_network import write_tiny_model
from tests.servers.stack import ROOT, cutgate_up

pytestmark = pytest.mark.long

HERE = "127.0.0.1"
PICTURE = (ROOT / "examples" / "chelsea.jpg").read_bytes()


def confirm(visit: Visit) -> None:
    visit.answer(200)


def new_api_key(data: Path) -> str:
    """A key made by the command."""
    command = ["-m", "cutgate", "keys", "--data", str(data), "add", "--runware", "--name", "shop", "--json"]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["api_key"])


def test_a_url_in_and_a_webhook_and_an_upload_out(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    scripts = {
        "/cat.jpg": picture(PICTURE, "image/jpeg"),
        "/hook": confirm,
        "/put": confirm,
    }
    with serving(OutsideServer(HERE, scripts)) as server:
        environment = {
            "CUTGATE_MODEL": write_tiny_model(tmp_path / "models"),
            "CUTGATE_MODELS_DIR": str(tmp_path / "models"),
            "CUTGATE_CACHE_DIR": str(tmp_path / "graphs"),
            "CUTGATE_COURIER_ALLOWED_NETWORKS": HERE,
            "CUTGATE_COURIER_PORTS": str(server.port),
            "CUTGATE_PUBLIC_URL": "",
        }
        with cutgate_up(tmp_path / "data", **environment) as stack:
            key = new_api_key(stack.data)
            task = new_removal(
                server.url("/cat.jpg"),
                deliveryMethod="sync",
                webhookURL=server.url("/hook?token=secret"),
                uploadEndpoint=server.url("/put"),
                outputType=["URL", "base64Data"],
                outputFormat="WEBP",
            )
            headers = {"Authorization": f"Bearer {key}"}
            answer = httpx.post(f"{stack.url}/v1", json=[task], headers=headers, timeout=60)
            assert answer.status_code == 200, answer.text
            [item] = answer.json()["data"]
            result = httpx.get(item["imageURL"])
            ends_at = time.monotonic() + 10
            while len(server.requests) < len(scripts) and time.monotonic() < ends_at:
                time.sleep(0.05)
            upload = {
                "taskType": "imageUpload",
                "taskUUID": new_uuid(),
                "image": server.url("/cat.jpg?token=secret"),
            }
            kept = httpx.post(f"{stack.url}/v1", json=[upload], headers=headers, timeout=60)
            assert kept.status_code == 200, kept.text
            [stored] = kept.json()["data"]
            assert httpx.get(stored["imageURL"]).content == PICTURE
            task = new_removal(stored["imageUUID"])
            again = httpx.post(f"{stack.url}/v1", json=[task], headers=headers, timeout=60)
            assert again.json()["data"][0]["status"] == "success", again.text
        said = (stack.data / "cutgate.log").read_text(encoding="utf-8")
    by_path = {request.path: request for request in server.requests}
    assert json.loads(by_path["/hook?token=secret"].body) == answer.json()
    assert result.headers["Content-Type"] == by_path["/put"].headers["content-type"] == "image/webp"
    assert by_path["/put"].body == result.content
    assert "secret" not in said
    assert key not in said
