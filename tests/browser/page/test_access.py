"""Tests of keys in the playground: from a link, remembered, and of either protocol."""

import io
import json
import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from cutgate.gateway.runware.messages.errors import ROWS, TASK_ROWS
from tests.browser.page.conftest import link, picture, with_credits
from tests.browser.visitor import Visitor, bodies_of, visiting
from tests.servers.stack import LiveStack

STORED = "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])"


def test_a_link_signs_in_and_leaves_the_address_bar(browser: Browser, quick_stack: LiveStack) -> None:
    stack = quick_stack
    with visiting(browser, stack) as visitor:
        said: list[str] = []
        visitor.page.on(
            "request", lambda request: said.append(f"{request.url} {request.headers} {request.post_data}")
        )
        visitor.open(link(stack))
        expect(visitor.by_id("balance")).to_contain_text("unmetered")
        assert visitor.page.evaluate("location.href") == f"{stack.url}/playground"
        assert visitor.page.evaluate("history.length") == 2  # about:blank, and the page without its keys
        assert visitor.by_id("keys").get_attribute("open") is None
        assert visitor.page.evaluate(STORED) == '[{},{},""]'
        assert any(stack.public_key in text for text in said)
        assert not any(stack.private_key in text for text in said)
        visitor.page.reload()
        expect(visitor.by_id("public-key")).to_have_value("")


def test_keys_are_remembered_for_the_tab_alone_if_asked_for(browser: Browser, quick_stack: LiveStack) -> None:
    stack = quick_stack
    with visiting(browser, stack) as visitor:
        page = visitor.page
        visitor.open()
        visitor.type_keys()
        visitor.by_id("remember").check()
        page.reload()
        expect(visitor.by_id("balance")).to_be_visible()
        assert visitor.by_id("private-key").input_value() == stack.private_key
        assert stack.private_key not in page.evaluate("JSON.stringify({ ...localStorage }) + document.cookie")

        other = Visitor(page.context.new_page(), stack)
        other.open()
        assert other.by_id("private-key").input_value() == ""

        visitor.by_id("keys").locator("summary").click()
        visitor.by_id("remember").uncheck()
        assert page.evaluate(STORED) == '[{},{},""]'
        page.reload()
        assert visitor.by_id("private-key").input_value() == ""


def test_an_api_key_does_it_too(browser: Browser, quick_stack: LiveStack, tmp_path: Path) -> None:
    with visiting(browser, quick_stack) as visitor:
        visitor.open(f"/playground#api_key={quick_stack.api_key}")
        expect(visitor.by_id("balance")).to_contain_text("unmetered")
        visitor.choose(picture(tmp_path / "disc.png"))
        visitor.wait_until_done()
        visitor.unfold()
        for name in ("box-toggle", "box-numbers", "hair-label"):
            expect(visitor.by_id(name)).to_be_hidden()
        visitor.slide("erode", 3)
        visitor.cut_out()
        expect(visitor.by_id("cancel")).to_be_hidden()
        with Image.open(io.BytesIO(visitor.saved_bytes())) as cutout:
            assert cutout.convert("RGBA").getchannel("A").getextrema() == (0, 255)
        asked = {url.removeprefix(quick_stack.url) for url in visitor.requests if not url.startswith("blob:")}
        assert "/v1" in asked
        assert "/" not in asked
        visitor.by_id("request").locator("summary").click()
        shown = visitor.by_id("curl").inner_text()
        assert "$CUTGATE_API_KEY" in shown
        (task,) = json.loads(visitor.saved_bytes("save-request"))
        assert task["settings"]["alphaMattingErodeSize"] == 3
        assert quick_stack.api_key not in shown + json.dumps(task)
        command = visitor.by_id("file-command").inner_text()
        assert "/v1.0/removebg'" in command
        (tmp_path / "photo.jpg").write_bytes((tmp_path / "disc.png").read_bytes())
        key = {"CUTGATE_API_KEY": quick_stack.api_key}
        subprocess.run(["sh", "-c", f"{command} --silent"], cwd=tmp_path, env=os.environ | key, check=True)
        with Image.open(tmp_path / "cutout.png") as image:
            assert image.mode == "RGBA"


@pytest.mark.parametrize("kind", ["Key pair", "API key"])
def test_typed_keys_fold_later(browser: Browser, quick_stack: LiveStack, tmp_path: Path, kind: str) -> None:
    with visiting(browser, quick_stack) as visitor:
        visitor.open()
        keys = visitor.by_id("keys")
        expect(keys.get_by_text("cutgate up")).to_be_visible()
        visitor.type_keys()
        keys.get_by_text(kind, exact=True).first.click()
        if kind == "API key":
            visitor.by_id("api-key").fill(quick_stack.api_key)
        visitor.choose(picture(tmp_path / "disc.png"))
        visitor.wait_until_done()
        expect(visitor.by_id("check")).to_be_hidden()
        expect(visitor.by_id("key-name")).not_to_be_empty()


def test_a_wrong_api_key(browser: Browser, quick_stack: LiveStack) -> None:
    with visiting(browser, quick_stack) as visitor:
        visitor.expected_complaint = "401"
        visitor.open("/playground#api_key=wrong")
        expect(visitor.by_id("problem-title")).to_have_text("The API key is wrong")
        expect(visitor.by_id("problem-code")).to_contain_text("invalidApiKey")
        expect(visitor.by_id("api-key")).to_be_visible()


def test_words_are_for_codes_that_there_are(visitor: Visitor) -> None:
    words = visitor.page.evaluate("async () => (await import('/playground/service/errors.js')).RUNWARE_WORDS")
    assert words.keys() <= {row.code for row in (*ROWS.values(), *TASK_ROWS.values())}


def test_the_credits_of_a_metered_account(browser: Browser, quick_stack: LiveStack, tmp_path: Path) -> None:
    metered = with_credits(quick_stack, 5)
    with visiting(browser, metered) as visitor:
        visitor.open(link(metered))
        expect(visitor.by_id("balance")).to_have_text("5 credits left")
        visitor.choose(picture(tmp_path / "disc.png"))
        visitor.wait_until_done()
        expect(visitor.by_id("balance")).to_have_text("4 credits left")


def test_a_wrong_key_stops_all_photos_at_once(visitor: Visitor, tmp_path: Path) -> None:
    visitor.type_keys("wrong")
    sent = bodies_of(visitor)
    visitor.by_id("file").set_input_files([picture(tmp_path / f"{n}.png") for n in range(12)])
    expect(visitor.by_id("thumbs").locator("li")).to_have_count(12)
    visitor.by_id("run").click()
    expect(visitor.by_id("problem-title")).to_have_text("The private key is wrong")
    expect(visitor.by_id("cancel")).to_be_hidden()
    expect(visitor.page.get_by_text("Not cut out yet")).to_have_count(12)
    assert 1 <= sum('"RemoveBackground"' in body for body in sent()) <= 3
