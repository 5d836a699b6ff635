"""Corrections by the client: a real gateway over HTTP, and a worker's runner that does what it accepts."""

import asyncio
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cutgate import AsyncClient, ServiceError, WrongSuffix
from cutgate.jobs.spec import CORRECTIONS
from cutgate.protocol.picpik import correction
from tests.cutgate.conftest import Service
from tests.gateway.harness import PRIVATE_KEY, PUBLIC_KEY
from tests.worker.process.runner_bench import picture, runner_of

KEPT, REMOVED = (5, 5), (20, 15)
"""A point of the background, and one of the subject, of `picture`."""


@pytest.fixture
def running_service(service: Service) -> Iterator[Service]:
    """A service whose worker cuts out what is bright."""
    stop, runner = threading.Event(), runner_of(service.gateway.store, service.gateway.blobs)

    def work() -> None:
        while not stop.is_set():
            if not runner.run_one([service.gateway.lane, CORRECTIONS]):
                stop.wait(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    yield service
    stop.set()
    thread.join()


def alpha_of(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))[..., 3]


def test_a_result_is_corrected_and_corrected_again(running_service: Service) -> None:
    with running_service.client() as client:
        first = client.remove_background(picture(), hair_optimization="off", erode_size=0)
        second = first.refine(keep=[[(KEPT[0] - 0.4, KEPT[1] + 0.3)]], radius_px=2)
        third = second.refine(remove=[[REMOVED]], radius_px=2)
        before, kept, both = (alpha_of(job.result()) for job in (first, second, third))
        assert (client.balance().used, len({first.uid, second.uid, third.uid})) == (1, 3)
    for alpha, seen in ((before, (0, 255)), (kept, (255, 255)), (both, (255, 0))):
        assert (alpha[KEPT[::-1]], alpha[REMOVED[::-1]]) == seen


def test_a_result_is_shown_another_way_in_another_format(running_service: Service, tmp_path: Path) -> None:
    with running_service.client() as client:
        job = client.remove_background(picture(), hair_optimization="off")
        shown = job.render(crop_margin=0, background=(0, 0, 255), file_format="jpeg", quality=90)
        with Image.open(shown.save(tmp_path / "a.jpg")) as image:
            assert (image.format, image.width < 40, image.height < 30) == ("JPEG", True, True)
        with pytest.raises(WrongSuffix, match="the result is jpeg"):
            shown.save(tmp_path / "a.png")
        plain = shown.render(crop_margin="none", background="transparent", file_format="png").result()
        assert plain == job.render().result() == job.result()
    assert (image.format, image.width < 40, image.height < 30) == ("JPEG", True, True)


def test_the_other_client_refines_as_well(running_service: Service) -> None:
    async def talk() -> tuple[bytes, bytes]:
        async with AsyncClient(running_service.url, PUBLIC_KEY, PRIVATE_KEY) as client:
            job = await client.remove_background(picture())
            removed = await job.refine(remove=[[(10, 15), (30, 15)]], radius_px=12)
            return await removed.result(), await (await removed.refine(only_mask=True)).result()

    removed, mask = asyncio.run(talk())
    assert not alpha_of(removed).any()
    assert Image.open(io.BytesIO(mask)).mode == "L"


def test_every_option_goes_over_the_wire_as_the_protocol_has_it() -> None:
    options: dict[str, Any] = {
        "background": (255, 0, 0, 128),
        "megapixels": 0.25,
        "crop_margin": 20,
        "scale": 0.8,
        "position": (0.5, 1),
        "shadow": False,
        "file_format": "jpeg",
        "quality": None,
        "erode_size": 3,
    }
    assert correction("t", [], [[(1.5, 2.4)]], 7, options) == {
        "TaskUID": "t",
        "Remove": [[(2, 2)]],
        "RadiusPx": 7,
        "Background": "#ff000080",
        "Megapixels": "0.25",
        "CropMargin": "20",
        "Scale": "80.000000000%",
        "Position": "50.000000000% 100.000000000%",
        "Shadow": "none",
        "Format": "jpg",
        "ErodeSize": 3,
    }


@pytest.mark.parametrize(
    "strokes", [[(1, 2)], [[1, 2]], [[(1, 2, 3)]], [[]], [[("a", 2)]], [[(float("nan"), 0)]], 7]
)
def test_what_is_no_stroke_is_refused_before_anything_is_sent(strokes: Any) -> None:
    with pytest.raises(ValueError, match=r"keep: it is a list of strokes of points, such as"):
        correction("t", strokes, [], 7, {})
    with pytest.raises(ValueError, match="have 3001 points, at most 3000"):
        correction("t", [[(1, 2)] * 1_500], [[(1, 2)] * 1_501], 7, {})
    with pytest.raises(TypeError, match="no such option: background_image"):
        correction("t", [], [], 7, {"background_image": "a.png"})


def test_a_service_that_keeps_nothing_says_what_to_do(service: Service) -> None:
    with service.client() as client:
        job = client.remove_background(picture())
        service.gateway.finish_one()
        with pytest.raises(ServiceError, match="submit the picture again") as caught:
            job.refine(remove=[[REMOVED]])
    assert caught.value.ret_code == 230
