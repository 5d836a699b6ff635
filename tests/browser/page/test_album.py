"""Tests of many photos in the playground: the strip, parallel jobs, filters, folders and one ZIP."""

import io
import re
import zipfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Route, expect

from tests.browser.page.conftest import picture
from tests.browser.visitor import CUT_MS, Visitor, bodies_of

WATCH = """
() => {
  window.mostAtWork = 0;
  const look = () => {
    const atWork = document.querySelectorAll('#thumbs [data-state="working"]').length;
    window.mostAtWork = Math.max(window.mostAtWork, atWork);
  };
  new MutationObserver(look).observe(document.querySelector("#thumbs"), { subtree: true, attributes: true });
}
"""
DROP_LINK = """
() => {
  const transfer = new DataTransfer();
  transfer.setData("text/uri-list", "https://elsewhere.example.com/cat.jpg");
  const event = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.querySelector("#stage").dispatchEvent(event);
}
"""


HOLD_BACK = """
(count) => {
  const decode = window.createImageBitmap;
  const released = new Promise((release) => (window.release = release));
  let begun = 0;
  window.createImageBitmap = async (...picture) => {
    if (++begun > count) await released;
    return decode(...picture);
  };
}
"""
"""All pictures but some stay unread until `release` is called."""


def thumb(visitor: Visitor, name: str) -> Locator:
    return visitor.page.locator(f'#thumbs .show[aria-label^="{name}:"]')


def filter_by(visitor: Visitor, name: str) -> None:
    visitor.by_id("filter").locator("label").filter(has_text=re.compile(name.replace(" ", r"\s+"))).click()


def put_in(visitor: Visitor, *paths: Path) -> None:
    before = visitor.by_id("thumbs").locator("li").count()
    visitor.by_id("file").set_input_files(paths)
    expect(visitor.by_id("thumbs").locator("li")).to_have_count(before + len(paths), timeout=CUT_MS)


def test_forty_photos_at_once(visitor: Visitor, tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"photo-{number:02}.jpg") for number in range(38)]
    paths.append(picture(tmp_path / "wall.jpg", disc=None))
    (tmp_path / "notes.jpg").write_text("no picture at all")
    (tmp_path / "more").mkdir()
    paths += [
        tmp_path / "notes.jpg",
        picture(tmp_path / "more" / "Photo-00.jpg", disc=(10, 10, 40, 40), size=(64, 48)),
    ]
    visitor.type_keys()
    put_in(visitor, *paths)
    visitor.page.evaluate(WATCH)
    expect(visitor.by_id("status")).to_have_text("41 photos are ready. Each costs credits: press Cut out.")
    expect(visitor.by_id("run")).to_have_text(f"Cut out {len(paths)} photos")
    visitor.by_id("run").click()
    expect(visitor.by_id("cancel")).to_be_visible()
    visitor.keep_picture("forty-at-work")
    expect(visitor.by_id("status")).to_contain_text("Done: 40 of 41", timeout=2 * CUT_MS)
    expect(visitor.by_id("status")).to_contain_text("1 without a subject, 1 failed.")
    assert 1 < visitor.page.evaluate("mostAtWork") <= 3
    expect(visitor.page.locator('#thumbs [data-state="done"]')).to_have_count(39)

    thumb(visitor, "wall.jpg").click()
    expect(visitor.by_id("problem-title")).to_have_text("No subject was found")
    expect(visitor.by_id("problem-detail")).to_have_text("")
    visitor.keep_picture("no-subject")
    thumb(visitor, "notes.jpg").click()
    expect(visitor.by_id("problem-title")).to_have_text("This file is not a picture")
    thumb(visitor, "photo-07.jpg").click()
    expect(visitor.by_id("problem")).to_be_hidden()
    expect(visitor.by_id("run")).to_be_disabled()  # what is no picture will not be one the next time

    archive = zipfile.ZipFile(io.BytesIO(visitor.saved_bytes("save-all")))
    assert archive.testzip() is None
    names = archive.namelist()
    assert len(names) == 40
    assert {"photo-07-cutout.png", "wall-cutout.png", "Photo-00-cutout-2.png"} <= set(names)
    assert archive.read("photo-07-cutout.png") == visitor.saved_bytes()
    with Image.open(archive.open("Photo-00-cutout-2.png")) as small:
        assert small.size == (64, 48)


def test_photos_that_are_still_being_read_are_cut_out_with_the_others(visitor: Visitor, tmp_path: Path) -> None:
    visitor.page.evaluate(HOLD_BACK, 2)
    visitor.by_id("file").set_input_files([picture(tmp_path / f"{number}.png") for number in range(5)])
    expect(visitor.by_id("status")).to_have_text("2 of 5 photos are read.")
    visitor.type_keys()
    visitor.by_id("run").click()
    visitor.page.evaluate("release()")
    expect(visitor.by_id("status")).to_contain_text("Done: 5 of 5", timeout=CUT_MS)
    expect(visitor.by_id("run")).to_be_disabled()


def test_a_failure_gives_the_stage_to_a_success_and_can_be_filtered(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("no picture at all")
    put_in(visitor, tmp_path / "notes.jpg", *(picture(tmp_path / f"{number}.png") for number in range(3)))
    expect(visitor.by_id("filter")).to_be_hidden()
    visitor.cut_out()
    expect(visitor.by_id("status")).to_contain_text("Done: 3 of 4")
    expect(visitor.by_id("stage")).to_have_attribute("data-state", "done")
    expect(visitor.by_id("problem")).to_be_hidden()
    filter_by(visitor, "Failed 1")
    expect(visitor.page.locator("#thumbs .show").filter(visible=True)).to_have_count(1)
    thumb(visitor, "notes.jpg").click()
    expect(visitor.by_id("problem-title")).to_have_text("This file is not a picture")
    visitor.page.get_by_label("Remove notes.jpg").click()
    expect(visitor.by_id("filter")).to_be_hidden()
    expect(visitor.page.locator("#thumbs .show").filter(visible=True)).to_have_count(3)


def test_photos_are_cut_out_at_once_where_that_costs_nothing(guest: Visitor, tmp_path: Path) -> None:
    sent = bodies_of(guest)
    guest.choose(picture(tmp_path / "one.png"))
    guest.wait_until_done()
    guest.by_id("box-toggle").click()  # another Box is another cut, which somebody has to ask for
    guest.by_id("box-toggle").click()
    expect(guest.by_id("run")).to_have_text("Apply")
    guest.choose(picture(tmp_path / "two.png"))
    done = re.compile(r"^two\.png: Done, \d+ %$")
    expect(thumb(guest, "two.png")).to_have_attribute("aria-label", done, timeout=CUT_MS)
    expect(thumb(guest, "one.png")).to_have_attribute("aria-label", "one.png: Changed")
    assert sum('"RemoveBackground"' in body for body in sent()) == 2


def test_a_photo_waits_for_keys_that_nobody_knows(visitor: Visitor, tmp_path: Path) -> None:
    visitor.choose(picture(tmp_path / "one.png"))
    expect(visitor.by_id("public-key")).to_be_focused()
    expect(thumb(visitor, "one.png")).to_have_attribute("aria-label", "one.png: Not cut out yet")
    visitor.type_keys()
    visitor.by_id("private-key").press("Enter")
    visitor.wait_until_done()


def test_a_photo_that_waited_is_cut_out_once_its_keys_are_checked(visitor: Visitor, tmp_path: Path) -> None:
    visitor.choose(picture(tmp_path / "one.png"))
    visitor.type_keys()
    visitor.by_id("check").click()
    visitor.wait_until_done()


def test_a_number_that_nobody_sees_stops_nothing(guest: Visitor, tmp_path: Path) -> None:
    guest.by_id("crop").check()
    guest.by_id("margin").fill("99")
    guest.by_id("crop").uncheck()
    guest.choose(picture(tmp_path / "one.png"))
    guest.wait_until_done()


def test_what_is_doubtful_is_filtered_until_it_is_corrected(guest: Visitor, tmp_path: Path) -> None:
    """The tiny network is sure of all: the service's header says otherwise for two photos."""
    doubted: list[str] = []

    def doubt(route: Route) -> None:
        answer = route.fetch()
        confidence = "0.41" if len(doubted) < 2 else "0.93"
        doubted.append(route.request.url)
        route.fulfill(response=answer, headers={**answer.headers, "Cutgate-Confidence": confidence})

    guest.page.route("**/r/**", doubt)
    put_in(guest, *(picture(tmp_path / f"{number}.png") for number in range(4)))
    guest.wait_until_done()
    filter_by(guest, "To review 2")
    shown = guest.page.locator("#thumbs .show").filter(visible=True)
    expect(shown).to_have_count(2)
    expect(shown.first).to_contain_text("Review, 41 %")
    guest.by_id("as-grid").click()
    expect(guest.by_id("stage")).to_be_hidden()
    guest.keep_picture("grid-review")
    shown.first.click()
    expect(guest.by_id("stage")).to_be_visible()
    expect(guest.by_id("confidence")).to_have_text("How sure: 41 %: look at it closely")
    guest.by_id("tools").get_by_text("Keep", exact=True).click()
    guest.by_id("result").click(position={"x": 5, "y": 5}, force=True)
    expect(guest.by_id("confidence")).to_contain_text("corrected", timeout=CUT_MS)
    expect(shown).to_have_count(1)


def test_the_bar_shows_how_many_are_done(visitor: Visitor, tmp_path: Path) -> None:
    bar = visitor.by_id("progress")
    visitor.page.route("**/r/**", lambda route: None)  # the results do not come, but one picture fails
    (tmp_path / "notes.jpg").write_text("no picture at all")
    put_in(visitor, tmp_path / "notes.jpg", *(picture(tmp_path / f"{number}.png") for number in range(5)))
    visitor.type_keys()
    visitor.by_id("run").click()
    expect(bar).to_have_js_property("max", 6)
    expect(bar).to_have_js_property("value", 1)
    visitor.by_id("cancel").click()
    expect(bar).to_be_hidden()


SENT_IN_PARTS = """
() => {
  window.shown = [];
  const send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (body) {
    for (const loaded of [body.size / 4, body.size / 2, body.size]) {
      this.upload.dispatchEvent(new ProgressEvent("progress", { loaded, total: body.size }));
      const [bar, status] = [document.querySelector("#progress"), document.querySelector("#status")];
      window.shown.push([bar.value, status.textContent.match(/\\d+ %$/)[0]]);
    }
    send.call(this, body);
  };
}
"""
"""The browser's own events come when the network lets them."""


def test_a_photo_says_how_much_of_it_is_sent(visitor: Visitor, tmp_path: Path) -> None:
    visitor.page.evaluate(SENT_IN_PARTS)
    visitor.choose(picture(tmp_path / "disc.png"))
    visitor.cut_out()
    assert visitor.page.evaluate("shown") == [[0.25, "20 %"], [0.5, "50 %"], [1, "100 %"]]


def test_each_is_shown_and_taken_away(visitor: Visitor, tmp_path: Path) -> None:
    names = ["one.png", "two.png", "three.png"]
    put_in(visitor, *(picture(tmp_path / name, size=(100 + len(name), 100)) for name in names))
    shown = visitor.by_id("before")
    expect(shown).to_have_js_property("naturalWidth", 107)
    thumb(visitor, "three.png").click()
    expect(shown).to_have_js_property("naturalWidth", 109)
    press = visitor.page.keyboard.press
    press("ArrowLeft")
    expect(thumb(visitor, "two.png")).to_be_focused()
    expect(thumb(visitor, "two.png")).to_have_attribute("aria-current", "true")
    press("Delete")
    expect(thumb(visitor, "two.png")).to_have_count(0)
    expect(thumb(visitor, "three.png")).to_be_focused()
    visitor.page.get_by_label("Remove three.png").click()
    expect(visitor.by_id("strip")).to_be_hidden()
    expect(shown).to_have_js_property("naturalWidth", 107)
    visitor.cut_out()
    put_in(visitor, picture(tmp_path / "four.png"))
    expect(thumb(visitor, "one.png")).to_have_attribute("aria-label", re.compile("^one.png: Done"))


def test_one_that_is_at_work_is_ended_as_it_is_taken_away(visitor: Visitor, tmp_path: Path) -> None:
    put_in(visitor, *(picture(tmp_path / f"{number}.png") for number in range(8)))
    visitor.page.route("**/r/**", lambda route: None)  # the results do not come
    visitor.type_keys()
    visitor.by_id("run").click()
    expect(visitor.page.locator('#thumbs [data-state="working"]')).to_have_count(3)
    for number in range(7):
        visitor.page.locator(f'[aria-label="Remove {number}.png"]').click()
    visitor.by_id("remove").click()
    expect(visitor.by_id("cancel")).to_be_hidden()
    expect(visitor.by_id("stage")).to_have_attribute("data-state", "empty")
    expect(visitor.by_id("zoom")).to_be_hidden()
    expect(visitor.by_id("problem")).to_be_hidden()


def test_all_are_cancelled(visitor: Visitor, tmp_path: Path) -> None:
    put_in(visitor, *(picture(tmp_path / f"{number}.png") for number in range(8)))
    visitor.page.route("**/r/**", lambda route: None)
    visitor.type_keys()
    visitor.by_id("run").click()
    expect(visitor.page.locator('#thumbs [data-state="working"]')).to_have_count(3)
    visitor.by_id("cancel").click()
    expect(visitor.by_id("status")).to_have_text("Cancelled.")
    expect(visitor.page.get_by_text("Not cut out yet")).to_have_count(8)
    visitor.page.unroute_all(behavior="ignoreErrors")
    visitor.cut_out()


def test_a_sample_is_one_click_away(visitor: Visitor) -> None:
    samples = visitor.page.locator("[data-sample]")
    assert samples.count() == 2
    visitor.type_keys()
    samples.first.click()
    expect(visitor.by_id("status")).to_contain_text("Done", timeout=CUT_MS)
    assert visitor.saved().suggested_filename == "cup-cutout.png"


def test_other_files_are_left_out_and_the_photos_go_on(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture at all")
    photos = [picture(tmp_path / name) for name in ("one.png", "two.png")]
    visitor.by_id("file").set_input_files([photos[0], tmp_path / "notes.txt", photos[1]])
    expect(visitor.by_id("problem-title")).to_have_text("notes.txt is not a picture")
    expect(visitor.by_id("thumbs").locator("li")).to_have_count(2)
    visitor.cut_out()
    expect(visitor.by_id("status")).to_contain_text("Done: 2 of 2")


def test_a_picture_of_another_page_is_told_what_to_do(visitor: Visitor) -> None:
    visitor.page.evaluate(DROP_LINK)
    expect(visitor.by_id("problem-title")).to_have_text("That is a link to a picture, not the picture")
    expect(visitor.by_id("problem-advice")).to_contain_text("save the picture")
    assert not any("elsewhere" in url for url in visitor.requests)


def drop(visitor: Visitor, *paths: Path) -> None:
    """As from a window of files; a script could hand over no folder."""
    place = visitor.by_id("stage").bounding_box()
    assert place is not None
    driver = visitor.page.context.new_cdp_session(visitor.page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        driver.send(
            "Input.dispatchDragEvent", {"type": kind, "x": place["x"] + 50, "y": place["y"] + 50, "data": data}
        )


def test_a_folder_is_dropped_with_all_that_is_beneath(visitor: Visitor, tmp_path: Path) -> None:
    album = tmp_path / "album"
    (album / "summer").mkdir(parents=True)
    (album / ".hidden").mkdir()
    for number in range(120):
        picture(album / f"photo-{number}.png", size=(40, 30), disc=(10, 5, 30, 25))
    picture(album / "summer" / "beach.png")
    picture(album / ".hidden" / "no.png")
    (album / "notes.txt").write_text("no picture")
    (album / ".DS_Store").write_bytes(b"none either")
    drop(visitor, album, picture(tmp_path / "single.png"))
    thumbs = visitor.page.locator("#thumbs .show")
    expect(thumbs).to_have_count(122, timeout=CUT_MS)
    names = [str(label).partition(":")[0] for label in thumbs.evaluate_all("all => all.map(one => one.ariaLabel)")]
    assert names == [*(f"photo-{number}.png" for number in range(120)), "beach.png", "single.png"]
    expect(visitor.by_id("run")).to_have_text("Cut out 122 photos")


def test_a_folder_without_pictures_says_so(visitor: Visitor, tmp_path: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    (album / "notes.txt").write_text("no picture")
    drop(visitor, album)
    expect(visitor.page.get_by_text("There is no picture in album")).to_be_visible()
    expect(visitor.by_id("thumbs").locator("li")).to_have_count(0)
