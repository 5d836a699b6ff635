"""What is counted and logged of requests."""

import pytest
import structlog

from cutgate.jobs.observe import logs
from cutgate.jobs.observe import metric_names as names
from tests.gateway.removebg.service import RemoveBg
from tests.servers.scrapes import here


def test_the_time_counts_until_the_picture_is_there(service: RemoveBg) -> None:
    def count() -> float:
        labels = {"facade": "removebg", "action": "remove_background"}
        return here().value(names.REQUEST_SECONDS, "_count", **labels) or 0

    before = count()
    service.done()
    assert count() == before + 1


def test_a_line_names_account_and_task_and_no_secret(quick: RemoveBg, capsys: pytest.CaptureFixture[str]) -> None:
    structlog.configure(processors=[logs.merge_bound, structlog.processors.LogfmtRenderer()])
    quick.send(image_url="https://host/cat.jpg?token=secret")
    quick.send(image_url="https://user:secret@host/cat.jpg")
    quick.send(headers={"X-Api-Key": "cutgate_secret"})
    said = capsys.readouterr().out
    [uid] = quick.store.unfinished("shop")
    assert uid in said
    assert "account=shop" in said
    assert "invalid_image_url" in said
    assert "secret" not in said
    assert quick.api_key not in said
