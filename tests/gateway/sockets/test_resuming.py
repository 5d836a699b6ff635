"""Tests of a connection that is lost: what it is owed, and what its caller finds when it comes back."""

import threading
import time
from typing import NoReturn

import pytest

from cutgate.gateway.accounts.credentials import Credentials
from cutgate.gateway.runware.sockets.sender import Sender
from cutgate.gateway.runware.sockets.sessions import Sessions
from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.ids import BlobKey, new_task_uid
from tests.gateway.on_loop import served
from tests.gateway.runware.service import Service, authentication, poll, removal, upload
from tests.gateway.sockets.serving import Caller, admitted, calling, lost_session, wait_for_items
from tests.ledgers import fresh_sessions

UNKNOWN = "c4f57a0e-1d53-4a3c-9f3b-0c7a2a0b9f11"


def test_results_that_ended_while_nobody_was_there_come_oldest_first(service: Service, address: str) -> None:
    tasks = [removal() for _ in range(3)]
    session = lost_session(address, service, *tasks)
    for _ in tasks:
        assert service.work_once()
        service.clock.advance(0.01)
    with calling(address) as again:
        assert again.authenticate(service.api_key, session) == session
        assert [again.data()["taskUUID"] for _ in tasks] == [task["taskUUID"] for task in tasks]
        assert again.is_silent()
    with calling(address) as third:
        assert third.authenticate(service.api_key, session) == session
        assert third.is_silent(), "they have arrived"


def test_a_task_that_still_runs_is_answered_on_the_new_connection(service: Service, address: str) -> None:
    task = removal()
    session = lost_session(address, service, task)
    with admitted(address, service, session) as again, service.working():
        assert again.data()["taskUUID"] == task["taskUUID"]


def test_another_process_takes_the_session_over(service: Service) -> None:
    sessions = fresh_sessions()
    here = service.harness.make_app(service.settings, sessions=sessions)
    there = service.harness.make_app(service.settings, sessions=sessions)
    task = removal()
    with (
        served(here) as first_address,
        served(there) as second_address,
        admitted(first_address, service) as first,
        calling(second_address) as second,
    ):
        first.send(task)
        wait_for_items(service)
        # The first process has not noticed that its connection is dead.
        assert second.authenticate(service.api_key, first.session) == first.session
        with service.working():
            assert second.data()["taskUUID"] == task["taskUUID"]


def test_an_upload_whose_answer_was_lost_is_told_again_once(service: Service) -> None:
    sessions = fresh_sessions()
    app = service.harness.make_app(service.settings, sessions=sessions)
    opened = sessions.open("shop", None)
    sessions.keep(opened.session, '{"data":[{"taskType":"imageUpload"}]}')
    sessions.leave(opened.session, [])
    with served(app) as address:
        with admitted(address, service, opened.session.uuid) as caller:
            assert caller.data() == {"taskType": "imageUpload"}
            assert caller.connection.ping().wait(10)
        with admitted(address, service, opened.session.uuid) as again:
            assert again.is_silent()


def test_an_upload_that_was_answered_is_not_told_again(service: Service, address: str) -> None:
    with admitted(address, service) as first:
        first.ask(upload())
        assert first.connection.ping().wait(10)
        first.vanish()
    with admitted(address, service, first.session) as again:
        assert again.is_silent()


def test_an_upload_is_told_again_before_its_connection_is_known_to_be_lost(
    service: Service, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with admitted(address, service) as first, monkeypatch.context() as patched:
        patched.setattr(Sender, "delivered", lambda *_: None)  # its caller acknowledges nothing
        told = first.ask(upload())
        with admitted(address, service, first.session) as again:
            assert again.data() == told


def test_a_result_that_cannot_be_read_is_told_and_keeps_no_other_back(
    service: Service, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, other = removal(outputType="base64Data"), removal()
    session = lost_session(address, service, lost, other)
    assert service.work_once()
    service.clock.advance(0.01)
    assert service.work_once()
    monkeypatch.setattr(service.blobs, "get", _missing)
    with calling(address) as again:
        later = poll(removal())
        again.send(authentication(service.api_key) | {"connectionSessionUUID": session}, later)
        frames = [again.next() for _ in range(4)]
    said = {item["taskUUID"]: item.get("code", "ok") for frame in frames[1:] for (item,) in frame.values()}
    assert said == {lost["taskUUID"]: "taskNotFound", other["taskUUID"]: "ok", later["taskUUID"]: "taskNotFound"}
    with admitted(address, service, session) as third:
        assert third.is_silent(), "it was told once"


def test_tasks_are_taken_while_results_are_sent_again(
    service: Service, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = lost_session(address, service, removal(outputType="base64Data"))
    assert service.work_once()
    may_read, read = threading.Event(), service.blobs.get

    def slowly(key: BlobKey) -> bytes:
        may_read.wait()
        return read(key)

    monkeypatch.setattr(service.blobs, "get", slowly)
    with admitted(address, service, session) as again:
        again.send(removal(deliveryMethod="async"))
        try:
            wait_for_items(service)
        finally:
            may_read.set()
        assert any("imageBase64Data" in again.data() for _ in range(2)), "beside the new task's own answer"


def _missing(key: BlobKey) -> NoReturn:
    raise BlobMissing(str(key))


@pytest.mark.parametrize("session", [UNKNOWN, "", "no uuid", 7, None, {}])
def test_a_session_that_cannot_be_resumed_is_no_error(service: Service, stranger: Caller, session: object) -> None:
    fresh = stranger.ask(authentication(service.api_key) | {"connectionSessionUUID": session})
    assert fresh["connectionSessionUUID"] != session


def test_a_foreign_session_gives_a_fresh_one(service: Service, address: str) -> None:
    stranger = Credentials(service.accounts).add_api_key("stranger")
    with admitted(address, service) as first, calling(address) as other:
        first.send(removal())
        wait_for_items(service)
        assert other.authenticate(stranger, first.session) != first.session
        assert service.work_once()
        assert first.data()["status"] == "success"
        assert other.is_silent()


def test_a_second_authentication_keeps_the_session(service: Service, caller: Caller) -> None:
    first = caller.session
    assert caller.authenticate(service.api_key) == first


def test_a_connection_stays_with_its_account(service: Service, caller: Caller) -> None:
    other = Credentials(service.accounts).add_api_key("other")
    task = removal(deliveryMethod="async")
    assert caller.refused(authentication(other)) == "invalidApiKey"
    caller.ask(task)
    assert service.task_of(task).account == "shop"


# What a lost connection is owed.


@pytest.fixture
def sessions() -> Sessions:
    return fresh_sessions(60)


def test_a_session_ends_after_its_time() -> None:
    sessions = fresh_sessions(0.05)
    session = sessions.open("anna", None).session
    time.sleep(0.1)
    assert sessions.renew([session]) == (True,), "its connection lives"
    sessions.leave(session, [])
    time.sleep(0.1)
    assert sessions.open("anna", session.uuid).session.uuid != session.uuid


def test_who_has_lost_the_session_changes_nothing(sessions: Sessions) -> None:
    old = sessions.open("anna", None).session
    owed, other = new_task_uid(), new_task_uid()
    sessions.owe(old, owed)
    new = sessions.open("anna", old.uuid).session
    sessions.owe(old, other)
    sessions.settle(old, [owed])
    sessions.keep(old, "late")
    sessions.leave(old, ["late"])
    assert sessions.renew([old, new]) == (False, True)
    again = sessions.open("anna", old.uuid)
    assert (again.owed, again.frames, again.oversized) == ((owed,), (), frozenset())
