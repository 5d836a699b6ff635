"""A whole stack: the courier fetches pictures, a worker cuts one out, the courier tells of it; one is kept."""

import json
from pathlib import Path

import httpx

from tests.courier.outside import OutsideServer, Visit, picture, serving
from tests.gateway.runware.service import new_removal, upload
from tests.servers.stack import ROOT, tiny_stack
from tests.waiting import eventually

HERE = "127.0.0.1"
PICTURE = (ROOT / "examples" / "chelsea.jpg").read_bytes()


def confirm(visit: Visit) -> None:
    visit.answer(200)


def test_a_url_in_and_a_webhook_and_an_upload_out(tmp_path: Path) -> None:
    scripts = {"/cat.jpg": picture(PICTURE, "image/jpeg"), "/hook": confirm, "/put": confirm}
    with serving(OutsideServer(HERE, scripts)) as server:
        environment = {
            "CUTGATE_CACHE_DIR": str(tmp_path / "graphs"),
            "CUTGATE_COURIER_ALLOWED_NETWORKS": HERE,
            "CUTGATE_COURIER_PORTS": str(server.port),
            "CUTGATE_PUBLIC_URL": "",
        }
        with tiny_stack(tmp_path, **environment) as stack:
            key = stack.api_key
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
            eventually(lambda: len(server.requests) == len(scripts))
            source = upload(server.url("/cat.jpg?token=secret"))
            kept = httpx.post(f"{stack.url}/v1", json=[source], headers=headers, timeout=60)
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
