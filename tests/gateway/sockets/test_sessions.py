"""What a lost connection is owed."""

import time

import pytest

from cutgate.gateway.runware.sockets.sessions import Sessions, is_session_uuid
from cutgate.jobs.ids import new_task_uid
from tests.ledgers import fresh_prefix, fresh_sessions


@pytest.fixture
def sessions() -> Sessions:
    return fresh_sessions(60)


def test_each_session_has_a_uuid_of_its_own(sessions: Sessions) -> None:
    first, second = sessions.open("anna", None), sessions.open("anna", None)
    assert first.session.uuid != second.session.uuid
    assert is_session_uuid(first.session.uuid)
    assert (first.owed, first.frames, first.oversized) == ((), (), frozenset())


def test_whoever_resumes_has_the_same_uuid_and_what_is_owed_in_order(sessions: Sessions) -> None:
    session = sessions.open("anna", None).session
    uids = [new_task_uid() for _ in range(12)]
    for uid in uids:
        sessions.owe(session, uid)
    sessions.owe(session, uids[0])  # once more changes nothing
    sessions.settle(session, [uids[3]])
    for frame in ("b", "a"):
        sessions.keep(session, frame)
    sessions.leave(session, ["x"])
    resumed = sessions.open("anna", session.uuid)
    assert resumed.session.uuid == session.uuid
    assert resumed.owed == (*uids[:3], *uids[4:])
    assert resumed.frames == ("b", "a")
    assert resumed.oversized == {"x"}


def test_what_is_owed_is_given_until_it_is_settled(sessions: Sessions) -> None:
    session = sessions.open("anna", None).session
    uid = new_task_uid()
    sessions.owe(session, uid)
    for frame in ("frame", "other"):
        sessions.keep(session, frame)
    sessions.leave(session, [])
    sessions.open("anna", session.uuid)
    again = sessions.open("anna", session.uuid)
    assert (again.owed, again.frames) == ((uid,), ("frame", "other"))
    sessions.settle(again.session, [uid], ["frame"])
    last = sessions.open("anna", session.uuid)
    assert (last.owed, last.frames) == ((), ("other",))


@pytest.mark.parametrize("account", ["bert", "anna "])
def test_another_accounts_session_is_not_taken(sessions: Sessions, account: str) -> None:
    session = sessions.open("anna", None).session
    sessions.owe(session, new_task_uid())
    foreign = sessions.open(account, session.uuid)
    assert foreign.session.uuid != session.uuid
    assert foreign.owed == ()
    assert sessions.renew([session]) == (True,)


def test_a_session_ends_after_its_time() -> None:
    sessions = fresh_sessions(0.05)
    session = sessions.open("anna", None).session
    time.sleep(0.1)
    assert sessions.renew([session]) == (True,), "its connection lives"
    sessions.leave(session, [])
    time.sleep(0.1)
    assert sessions.open("anna", session.uuid).session.uuid != session.uuid


def test_a_session_that_is_gone_is_its_holders_again() -> None:
    prefix = fresh_prefix()
    brief, sessions = fresh_sessions(0.05, prefix), fresh_sessions(key_prefix=prefix)
    session = brief.open("anna", None).session
    brief.leave(session, [])
    time.sleep(0.1)
    assert sessions.renew([session]) == (True,)
    assert sessions.open("anna", session.uuid).session.uuid == session.uuid


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


@pytest.mark.parametrize("text", [None, 7, "", "x", "C4F57A0E-1D53-4A3C-9F3B-0C7A2A0B9F11", "*" * 36])
def test_not_every_text_names_a_session(text: object) -> None:
    assert not is_session_uuid(text)
