"""The service's bare address, asked by a browser and by programs."""

from dataclasses import replace

from tests.gateway.harness import Harness, make_settings

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def test_a_browser_is_sent_to_the_page(gateway: Harness) -> None:
    caller = gateway.app.test_client()
    answer = caller.get("/", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.headers["Location"], answer.headers["Vary"]) == (
        303,
        "playground",
        "Accept",
    )
    assert caller.get("/", headers={"Accept": BROWSER}, follow_redirects=True).mimetype == "text/html"


def test_without_the_playground_nobody_is_sent_there(gateway: Harness) -> None:
    bare = replace(gateway, settings=make_settings(playground=False))
    answer = bare.app.test_client().get("/", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.get_json()["RetCode"]) == (405, 160)
