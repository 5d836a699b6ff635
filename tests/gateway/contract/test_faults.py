"""Tests of what goes wrong beside the picture: bodies, parts that are away, faults of ours; and of the logs."""

import errno
import gzip
import tempfile
from collections import Counter
from unittest.mock import Mock

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import LogCapture, capture_logs

from cutgate.gateway import bodies
from cutgate.gateway.removebg.sources import MAX_BODY_BYTES
from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable
from cutgate.jobs.observe import logs
from cutgate.jobs.observe import metric_names as names
from tests.fakes import failing
from tests.gateway import picture_files as pictures
from tests.gateway.contract.facades import ADDRESS, Facade, Maker, Picpik, RemoveBg
from tests.gateway.harness import ACCOUNT
from tests.servers.scrapes import here


class TestParts:
    def test_a_ledger_that_is_away_is_passing(self, facade: Facade) -> None:
        failing(facade.gateway.store, tasks__look=LedgerUnavailable("away"))
        assert facade.refused(facade.submit(), "ledger away").retry_after_seconds >= 1
        facade.gateway.assert_nothing_left()

    def test_a_ledger_that_came_up_empty_calls_nobody_unknown(self, facade: Facade) -> None:
        facade.gateway.store.server.known = "1.it-had-one"
        assert facade.refused(facade.stranger.ask(), "ledger away").retry_after_seconds >= 1
        facade.gateway.store.server.wrong = "its storage is not there"
        facade.refused(facade.submit(), "ledger away")
        assert not facade.ask().code
        facade.gateway.assert_nothing_left()

    def test_a_blob_store_that_is_away_is_passing(self, facade: Facade) -> None:
        failing(facade.gateway.blobs, put=BlobStoreUnavailable("the disk is full"))
        assert facade.refused(facade.submit(), "storage away").retry_after_seconds == 2
        facade.gateway.assert_nothing_left()

    def test_a_fault_of_the_server_tells_nothing(self, facade: Facade) -> None:
        failing(facade.gateway.store, tasks__look=RuntimeError("inner secret"))
        with capture_logs() as lines:
            told = facade.refused(facade.submit(), "fault")
        assert b"inner secret" not in told.response.data
        assert "error" in {line["log_level"] for line in lines}


class TestBodies:
    def test_a_compressed_body_is_refused(self, facade: Facade) -> None:
        refused = facade.send(gzip.compress(facade.body()), headers={"Content-Encoding": "gzip"})
        assert "Content-Encoding" in facade.refused(refused, "compressed").text

    @pytest.mark.parametrize("body", [b"nonsense", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"a":1,"a":2}'])
    def test_a_body_of_another_form_is_refused(self, facade: Facade, body: bytes) -> None:
        facade.refused(facade.send(body), "unreadable")

    @pytest.mark.constants(bodies, MEMORY_BYTES=1_000)
    @pytest.mark.parametrize("stated", [True, False])
    def test_a_body_over_the_limit_is_refused(self, make: Maker, stated: bool) -> None:
        limits = dict.fromkeys(("max_body_bytes", "max_batch_body_bytes", "max_runware_body_bytes"), 400_000)
        facade = make(max_source_bytes=200_000, **limits)
        size = MAX_BODY_BYTES + 1 if isinstance(facade, RemoveBg) else 400_001
        overrides = {} if stated else {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
        facade.refused(facade.send(facade.body().ljust(size), environ_overrides=overrides), "too long")
        facade.gateway.assert_nothing_left()

    @pytest.mark.constants(bodies, MEMORY_BYTES=1)
    def test_a_body_that_finds_no_space_may_come_again(
        self, facade: Facade, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            full = Mock(side_effect=OSError(errno.ENOSPC, "no space left"))
            patched.setattr(tempfile, "TemporaryFile", full)
            assert facade.refused(facade.submit(), "storage away").retry_after_seconds == 2
        facade.gateway.assert_nothing_left()
        facade.accept()

    def test_another_method_is_refused_in_the_protocols_form(self, facade: Facade) -> None:
        refused = facade.refused(facade.send(b"", method="PUT"), "another method")
        assert "POST" in refused.response.headers["Allow"]


# The fixture is shared between examples; none of them is accepted.
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=st.binary(max_size=200), form=st.booleans())
def test_any_bytes_are_answered_in_the_protocols_form(facade: Facade, body: bytes, form: bool) -> None:
    sent = facade.send(body, content_type="application/x-www-form-urlencoded" if form else "application/json")
    assert sent.code
    assert sent.status < 500
    facade.gateway.assert_nothing_left()


def test_a_line_names_account_and_job_and_no_secret(facade: Facade) -> None:
    capture = LogCapture()
    structlog.configure(processors=[logs.merge_bound, capture])
    facade.accept()
    for source in (ADDRESS, "https://user:hidden@host/cat.png", "cHJpdmF0ZSB3b3Jkcw"):
        facade.submit(source)
    facade.stranger.submit()
    uid, *_ = facade.gateway.store.tasks.unfinished(ACCOUNT)
    assert [line for line in capture.entries if (line.get("account"), line.get("task_uid")) == (ACCOUNT, uid)]
    secret = facade.key.private_key if isinstance(facade, Picpik) else facade.key
    for hidden in ("hidden", secret, "cutgate_wrong", "cHJpdmF0ZSB3b3Jkcw", pictures.BASE64_8X8[40:60]):
        assert hidden not in str(capture.entries)


def test_each_request_is_counted_by_its_outcome(facade: Facade) -> None:
    def counted(metric: str = names.REQUESTS.name) -> Counter[tuple[str, str]]:
        rows = [(dict(labels), value) for (name, labels), value in here().samples().items() if name == metric]
        ours = [(row, value) for row, value in rows if row["facade"] == facade.name]
        return Counter({(row["action"], row.get("code", "")): int(value) for row, value in ours})

    timed = f"{names.REQUEST_SECONDS.name}_count"

    before, timed_before = counted(), counted(timed)
    facade.accept()
    facade.submit("not base64!")
    facade.stranger.submit()
    grown = counted() - before
    assert grown.total() == (counted(timed) - timed_before).total() == 3
    assert {code for _, code in grown} == set(facade.counted_codes)
