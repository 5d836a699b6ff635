"""Tests of the API page: Execute calls the service, signed or with an API key."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from tests.browser.page.conftest import link, picture
from tests.browser.visitor import CUT_MS, Visitor, bodies_of, visiting
from tests.servers.stack import LiveStack

# The viewer escapes the dot, and a selector the backslash.
OF_REMOVE_BG = r"remove\\.bg"
REMOVAL = f"{OF_REMOVE_BG}-remove_background"


@pytest.fixture
def visitor(browser: Browser, quick_stack: LiveStack) -> Iterator[Visitor]:
    with visiting(browser, quick_stack) as visitor:
        open_docs(visitor)
        yield visitor


def open_docs(visitor: Visitor) -> None:
    visitor.open("/docs")
    expect(visitor.page.locator(".opblock").first).to_be_visible()


def type_api_key(visitor: Visitor, api_key: str) -> None:
    visitor.page.get_by_text("API key", exact=True).first.click()
    visitor.by_id("api-key").fill(api_key)


def opened(visitor: Visitor, name: str) -> Locator:
    """An operation with its body to be edited."""
    block = visitor.page.locator(f'[id="operations-{name}"]')
    if not block.locator(".opblock-body").count():
        block.locator(".opblock-summary-control").click()
    return block


def execute(visitor: Visitor, name: str, body: str | None = None) -> tuple[int, Any]:
    """Press the button of an operation; gives the answer's status and members, as the page shows them."""
    block = opened(visitor, name)
    if body is not None:
        block.locator("textarea").fill(body)
    clear = block.locator("button.btn-clear")
    if clear.count():
        clear.click()
    block.locator("button.execute").click()
    row = block.locator(".live-responses-table tbody tr").first
    expect(row).to_be_visible(timeout=CUT_MS)
    text = row.locator(".highlight-code pre").first.inner_text()
    return int(row.locator(".response-col_status").inner_text().split()[0]), json.loads(text)


def result_of(visitor: Visitor) -> Image.Image:
    """The picture that the page has a link to."""
    url = visitor.by_id("result").get_attribute("href")
    assert url
    return Image.open(io.BytesIO(httpx.get(url, trust_env=False).raise_for_status().content))


def test_an_action_is_signed_and_its_task_can_be_asked_about(visitor: Visitor, quick_stack: LiveStack) -> None:
    visitor.type_keys()
    status, answer = execute(visitor, "PICPIK-RemoveBackground")
    assert (status, answer["RetCode"], answer["Message"]) == (200, 0, "")
    expect(visitor.by_id("variable-task_uid")).to_have_text(answer["TaskUID"])
    status, shown = execute(visitor, "PICPIK-ListTasksDetails")
    assert (status, shown["RetCode"]) == (200, 0)
    [task] = shown["TaskDetailList"]
    assert (task["TaskUID"], task["Status"]) == (answer["TaskUID"], "Finished")
    assert result_of(visitor).convert("RGBA").getchannel("A").getextrema() == (0, 255)
    visitor.keep_picture("docs-picpik")
    curl = visitor.page.locator("#operations-PICPIK-ListTasksDetails .curl").inner_text()
    assert "Signature" in curl
    assert quick_stack.private_key not in visitor.page.content()


def test_a_task_goes_with_the_api_key_which_is_not_shown(visitor: Visitor, quick_stack: LiveStack) -> None:
    type_api_key(visitor, quick_stack.api_key)
    sent = bodies_of(visitor)
    for name in ("Runware-removeBackground", "Runware-getResponse", "Runware-removeBackground"):
        status, answer = execute(visitor, name)
        assert (status, [item["status"] for item in answer["data"]]) == (200, ["success"])
    first, asked, second = [json.loads(body)[0]["taskUUID"] for body in sent()]
    assert first == asked != second  # another press is another task
    assert result_of(visitor).convert("RGBA").getchannel("A").getextrema() == (0, 255)
    curl = visitor.page.locator("#operations-Runware-removeBackground .curl").inner_text()
    assert "Bearer $CUTGATE_API_KEY" in curl
    assert quick_stack.api_key not in visitor.page.content()


def removal_of(visitor: Visitor, media_type: str) -> Locator:
    """The operation of remove.bg's protocol, with its body in a form."""
    block = opened(visitor, REMOVAL)
    block.locator(".opblock-section-request-body select[aria-label='Request content type']").select_option(
        media_type
    )
    return block


def shown_picture(visitor: Visitor, block: Locator) -> None:
    block.locator("button.execute").click()
    shown = block.locator(".live-responses-table img")
    expect(shown).to_be_visible(timeout=CUT_MS)
    assert block.locator(".live-responses-table .response-col_status").nth(1).inner_text().startswith("200")


def test_a_removal_shows_its_picture(visitor: Visitor, quick_stack: LiveStack, tmp_path: Path) -> None:
    type_api_key(visitor, quick_stack.api_key)
    block = removal_of(visitor, "multipart/form-data")
    block.locator("input[type=file]").first.set_input_files(picture(tmp_path / "disc.png"))
    shown_picture(visitor, block)
    visitor.keep_picture("docs-removebg")
    assert quick_stack.api_key not in visitor.page.content()


def test_keys_go_along_with_a_link_and_are_left_nowhere(browser: Browser, quick_stack: LiveStack) -> None:
    stack = quick_stack
    with visiting(browser, stack) as visitor:
        stored = "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])"
        visitor.open(link(stack))
        expect(visitor.by_id("balance")).to_be_visible()
        visitor.page.get_by_role("link", name="API").click()
        expect(visitor.by_id("private-key")).to_have_value(stack.private_key)
        assert visitor.page.evaluate(stored) == '[{},{},""]'
        assert visitor.page.url == f"{stack.url}/docs"
        assert execute(visitor, "PICPIK-GetCreditBalance")[1]["RetCode"] == 0
        visitor.page.get_by_role("link", name="Playground").click()
        expect(visitor.by_id("balance")).to_be_visible()
        assert visitor.page.evaluate(stored) == '[{},{},""]'
        assert not any(stack.private_key in url for url in visitor.requests)
        visitor.page.reload()
        expect(visitor.by_id("public-key")).to_have_value("")


@pytest.mark.parametrize(
    ("html", "is_taken"),
    [
        *(("<p>A <code>b</code></p>", True), ('<table class="x"><td>1</td></table>', True), ("1 &lt; 2", True)),
        *(("<img src=x onerror=alert(1)>", False), ("<script>1</script>", False), ('<p onclick="1">', False)),
        *(("<a href=javascript:1>x</a>", False), ("<p", False), ("<SCRIPT>", False), ("<iframe>", False)),
    ],
)
def test_html_is_plain_tags_or_nothing(visitor: Visitor, html: str, *, is_taken: bool) -> None:
    visitor.expected_complaint = "TrustedHTML|Trusted Type"
    script = """html => {
        const element = document.createElement("div");
        try { element.innerHTML = html; } catch (error) { return error.name; }
        return element.innerHTML !== "";
    }"""
    assert visitor.page.evaluate(script, html) == (True if is_taken else "TypeError")
