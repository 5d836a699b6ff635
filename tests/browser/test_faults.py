"""Tests of errors in the playground: what the visitor reads, and that the page stays usable."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from cutgate import Client
from cutgate.errors import ADVICE
from tests.browser.visitor import CUT_MS, PHOTO, Visitor, bodies_of

UNMETERED = re.compile(r"^unmetered, [\d,]+ used$")


def assert_told(visitor: Visitor, *texts: str, may_try_again: bool = True) -> None:
    """The page says what went wrong, and can be used again."""
    problem = visitor.by_id("problem")
    expect(problem).to_be_visible(timeout=CUT_MS)
    for text in texts:
        expect(problem).to_contain_text(text)
    expect(visitor.by_id("run")).to_be_enabled(enabled=may_try_again)
    expect(visitor.by_id("progress")).to_be_hidden()


def start(visitor: Visitor, photo: Path, private_key: str | None = None) -> None:
    visitor.type_keys(private_key)
    visitor.choose(photo)


def test_the_page_advises_wherever_the_command_does(visitor: Visitor) -> None:
    advice = visitor.page.evaluate("async () => (await import('/playground/service/errors.js')).PICPIK_WORDS")
    assert ADVICE.keys() <= set(map(int, advice))


def test_a_wrong_key_and_then_the_right_one(visitor: Visitor) -> None:
    start(visitor, PHOTO, "wrong")
    assert_told(
        visitor, "The private key is wrong", "check the private key", "Signature VerifyAC Error (code 171)"
    )
    visitor.keep_picture("wrong-key")
    visitor.type_keys()
    visitor.by_id("check").click()
    expect(visitor.by_id("balance")).to_have_text(UNMETERED)
    expect(visitor.by_id("problem")).to_be_hidden()


def test_keys_are_asked_for(visitor: Visitor) -> None:
    visitor.choose(PHOTO)
    visitor.by_id("run").click()
    expect(visitor.by_id("public-key")).to_be_focused()
    assert not any(url.endswith("/") for url in visitor.requests)


def test_a_file_that_is_no_picture(visitor: Visitor, tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("no picture at all")
    visitor.choose(path)
    expect(visitor.by_id("unshown")).to_contain_text("The service may read it all the same.")
    visitor.type_keys()
    visitor.by_id("run").click()
    assert_told(
        visitor,
        "This file is not a picture",
        "choose a file of JPEG",
        "Params [RawImage] not available (code 230)",
        may_try_again=False,
    )
    expect(visitor.by_id("unshown")).to_have_text("This browser cannot show notes.jpg.")
    expect(visitor.by_id("problem-title")).to_have_text("This file is not a picture")


def png_of(width_px: int, height_px: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width_px, height_px)).save(file, "PNG")
    return file.getvalue()


JPEG = PHOTO.read_bytes()
DAMAGED = JPEG[:170] + bytes(40) + JPEG[210:]
"""Without the table that its pixels are decoded by."""


@pytest.mark.parametrize(
    ("data", "complaint", "told"),
    [
        (DAMAGED, "", ("This file is damaged", "it cannot be decoded (code 1001)", "choose another copy")),
        (png_of(12_001, 2), "", ("This picture cannot be used", "code 230", "12000")),
        (JPEG + bytes(37 * 2**20), "413", ("This file is too large", "Request body too large (code 230)")),
    ],
    ids=["damaged", "too wide", "a body that is too large"],
)
def test_a_picture_that_is_refused(
    visitor: Visitor, tmp_path: Path, data: bytes, complaint: str, told: tuple[str, ...]
) -> None:
    visitor.expected_complaint = complaint
    path = tmp_path / "picture"
    path.write_bytes(data)
    start(visitor, path)
    assert_told(visitor, *told, may_try_again=data is not DAMAGED)


def test_a_picture_that_the_browser_cannot_show_is_cut_out_all_the_same(visitor: Visitor, tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    with Image.open(PHOTO) as image:
        image.save(path)
    visitor.type_keys()
    visitor.choose(path)
    expect(visitor.by_id("unshown")).to_be_visible()
    expect(visitor.by_id("box-toggle")).to_be_hidden()
    visitor.wait_until_done()
    expect(visitor.by_id("result")).to_be_visible()
    expect(visitor.by_id("split")).to_be_hidden()


def test_the_service_is_away(visitor: Visitor) -> None:
    visitor.expected_complaint = "ERR_INTERNET_DISCONNECTED"
    visitor.page.context.set_offline(True)
    start(visitor, PHOTO)
    assert_told(visitor, "No usable answer came", "no answer from", "check the connection")
    visitor.page.context.set_offline(False)
    visitor.cut_out()


def test_something_else_answers(visitor: Visitor) -> None:
    """A proxy's own page, where the service should be."""
    visitor.page.route(visitor.stack.url + "/", lambda route: route.fulfill(body="<h1>Welcome</h1>"))
    start(visitor, PHOTO)
    assert_told(visitor, "HTTP 200 with a body that is not the protocol's")


def test_the_service_asks_for_patience(visitor: Visitor) -> None:
    """A refusal that passes is met with the same request again, after the time that it names."""
    visitor.expected_complaint = "429"
    refused: list[Route] = []
    sent = bodies_of(visitor)

    def busy_once(route: Route) -> None:
        if not refused:
            refused.append(route)
            route.fulfill(status=429, headers={"Retry-After": "1"}, json={"RetCode": 153, "Message": "busy"})
        else:
            route.continue_()

    visitor.page.route(visitor.stack.url + "/", busy_once)
    visitor.type_keys()
    visitor.choose(PHOTO)
    visitor.wait_until_done()
    first, second = [body for body in sent() if '"RemoveBackground"' in body]
    assert refused
    assert first == second


@pytest.mark.parametrize("fault", ["no room for a listener", "the connection breaks"])
def test_a_service_that_tells_nothing_is_asked(visitor: Visitor, fault: str) -> None:
    visitor.expected_complaint = "ERR_FAILED"
    asked: list[bool] = []

    def deaf(route: Route) -> None:
        headers = route.request.headers
        listens = headers.get("accept") == "text/event-stream"
        asked.append(listens)
        if listens and fault == "the connection breaks":
            route.abort()
        else:
            route.continue_(headers={**headers, "accept": "*/*"})

    visitor.page.route(visitor.stack.url + "/", deaf)
    start(visitor, PHOTO)
    visitor.wait_until_done()
    assert asked.count(True) == 1
    assert asked[asked.index(True) + 1] is False


def test_a_service_that_tells_how_a_task_goes_on_is_asked_once(visitor: Visitor) -> None:
    asked: list[str] = []

    def watch(route: Route) -> None:
        asked.append(route.request.headers.get("accept", ""))
        route.continue_()

    visitor.page.route(visitor.stack.url + "/", watch)
    start(visitor, PHOTO)
    visitor.wait_until_done()
    assert asked[1:] == ["text/event-stream", "*/*"]  # behind the photo; and the credits at the end


@pytest.mark.parametrize("leave", [False, True], ids=["cancelled", "page left"])
def test_a_task_that_nobody_waits_for_is_ended(visitor: Visitor, *, leave: bool) -> None:
    stack = visitor.stack
    with Client(stack.url, stack.public_key, stack.private_key) as client:
        used = client.call("GetCreditBalance")["UsedCredits"]
        # Work for the worker, so that the visitor's picture waits.
        jobs = [client.remove_background(PHOTO) for _ in range(3)]
        start(visitor, PHOTO)
        expect(visitor.by_id("status")).to_have_text(re.compile(r"^Waiting: \d before it\.$"))
        if leave:
            visitor.page.goto("about:blank")
        else:
            visitor.by_id("cancel").click()
            expect(visitor.by_id("status")).to_have_text("Cancelled.")
            expect(visitor.by_id("problem")).to_be_hidden()
        for job in jobs:
            job.wait()
        assert client.call("ListRunningTasks")["TaskUIDList"] == []
        assert client.call("GetCreditBalance")["UsedCredits"] == used + len(jobs)
