"""Tests of PICPIK: transport, envelope, order of checks, key pairs and rates, the signature vectors."""

import json
import uuid
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

import pytest

from cutgate.gateway.accounts.rates import Rate
from cutgate.gateway.picpik.actions import ACTIONS, Action
from cutgate.gateway.picpik.answers import Answer
from cutgate.gateway.picpik.requests import Plain
from cutgate.jobs.ids import new_task_uid
from cutgate.signing import dump_body
from tests.gateway import picture_files as pictures
from tests.gateway.harness import PUBLIC_KEY, Harness, signed
from tests.signing.vector_cases import NOT_RUN, VECTORS, Vector

TASK = "d5ari00q5cu0v880200g"
LIST = {"Action": "ListTasksDetails", "PublicKey": PUBLIC_KEY, "TaskUIDList": [TASK]}
GOOD = json.dumps(signed(LIST))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # Each body has every later fault as well, so the code shows which is looked at first.
        ({"Signature": "x"}, 160),
        ({"Action": None}, 160),
        ({"Action": ""}, 160),
        ({"Action": 7}, 160),
        ({"Action": ["RemoveBackground"]}, 160),
        ({"Action": "Nothing"}, 161),
        ({"Action": "removebackground"}, 161),
        ({"Action": "RemoveBackground", "Foo": 1}, 170),
        ({"Action": "RemoveBackground", "Foo": 1, "Signature": ""}, 170),
        ({"Action": "RemoveBackground", "Foo": 1, "Signature": None, "signature": "0" * 40}, 170),
        ({"Action": "RemoveBackground", "Foo": 1, "Signature": 7}, 170),
        ({"Action": "RemoveBackground", "Foo": 1, "Signature": "x"}, 220),
        ({"Action": "RemoveBackground", "Foo": 1, "Signature": "x", "PublicKey": ""}, 220),
        ({"Action": "RemoveBackground", "Foo": 1, "Signature": "x", "PublicKey": 7}, 220),
        ({"Action": "RemoveBackground", "Foo": 1, "Signature": "x", "PublicKey": "nobody"}, 172),
        ({"Action": "RemoveBackground", "Foo": 1, "Signature": "x", "PublicKey": "Ünbekannt\n"}, 172),
        ({"Action": "RemoveBackground", "Foo": 1, "Signature": "x", "PublicKey": PUBLIC_KEY}, 171),
        ({"Action": "RemoveBackground", "Foo": 1, "Signature": "0" * 40, "PublicKey": PUBLIC_KEY}, 171),
    ],
)
def test_order_of_checks(refusing: Harness, body: dict[str, Any], expected: int) -> None:
    assert refusing.code(json.dumps(body)) == expected
    refusing.assert_nothing_left()


def test_a_long_name_of_an_action_is_cut_off(refusing: Harness) -> None:
    unknown = refusing.answer(refusing.post(json.dumps({"Action": "N" * 200})))
    assert (unknown["Message"], unknown["Action"]) == (f"Action [{'N' * 128}] not found", "N" * 128)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        *((GOOD, {"content_type": name}) for name in (None, "application/json; charset=utf-8", "text/plain", "x")),
        (GOOD, {"content_type": "multipart/form-data"}),
        (f"\n {GOOD}", {"content_type": "application/x-www-form-urlencoded"}),
        (b"\xef\xbb\xbf" + GOOD.encode(), {}),
        (GOOD, {"query_string": {"Action": "Nothing"}}),
        (GOOD, {"headers": {"Content-Encoding": "identity"}}),
    ],
)
def test_json_is_known_by_its_first_character(
    refusing: Harness, body: str | bytes, options: dict[str, Any]
) -> None:
    assert refusing.code(body, **options) == 0


@pytest.mark.parametrize("address", ["/", "//", "/?Action=RemoveBackground", "//?Action=RemoveBackground"])
def test_the_bare_host_however_it_is_written(refusing: Harness, address: str) -> None:
    path, _, query = address.partition("?")
    as_sent = {"PATH_INFO": path, "QUERY_STRING": query}  # the client of the tests would shorten it
    assert refusing.code(GOOD, environ_overrides=as_sent) == 0


def test_signatures_in_upper_case_and_under_the_lower_case_name(refusing: Harness) -> None:
    request = signed(LIST)
    signature = request.pop("Signature")
    for written, expected in (
        ({"Signature": signature.upper()}, 0),
        ({"signature": signature}, 0),
        ({"Signature": f" {signature}"}, 171),
    ):
        assert refusing.code(json.dumps(request | written)) == expected


def test_the_request_id_is_repeated_or_made(refusing: Harness) -> None:
    for request_uuid in ("r-1", "id with ü and\nline", str(uuid.uuid4())):
        response = refusing.post(json.dumps(signed({**LIST, "request_uuid": request_uuid})))
        assert refusing.answer(response)["request_uuid"] == request_uuid
        assert response.headers["X-UCLOUD-REQUEST-UUID"].isascii()
    for refused in ({**LIST, "request_uuid": 7}, {"Action": "x"}, {**LIST, "request_uuid": ""}):
        response = refusing.post(json.dumps(refused))
        made = refusing.answer(response)["request_uuid"]
        assert uuid.UUID(made).version == 4
        assert response.headers["X-UCLOUD-REQUEST-UUID"] == made
    wrong = refusing.answer(refusing.post(json.dumps({**LIST, "Signature": "x", "request_uuid": "r-2"})))
    assert (wrong["RetCode"], wrong["request_uuid"]) == (171, "r-2")


def test_unknown_fields_can_be_ignored(gateway: Harness) -> None:
    body = json.dumps(signed({**LIST, "Foo": [1], "Foo.1": None}))
    assert gateway.with_settings(ignore_unknown_fields=True).code(body) == 0


@pytest.mark.parametrize("ignore_unknown", [False, True])
def test_a_signed_picture_is_no_other_action(gateway: Harness, ignore_unknown: bool) -> None:
    """A signer whose caller chooses the picture's text does not sign the end of a task with it.

    Both requests have one text and one signature: what stands before the second's action is one ignored name.
    """
    gateway = gateway.with_settings(ignore_unknown_fields=ignore_unknown)
    uid = gateway.submit()
    ending = f"ActionTerminateTaskPublicKey{PUBLIC_KEY}TaskUID{uid}Z"
    common = {"Action": "RemoveBackground", "PublicKey": PUBLIC_KEY}
    genuine = signed({**common, "RawImage": f"data:{ending};base64,{pictures.BASE64_8X8}"})
    assert gateway.code(json.dumps(genuine)) == 0
    forged = {
        "": f"ActionRemoveBackgroundPublicKey{PUBLIC_KEY}RawImagedata:",
        "Action": "TerminateTask",
        "PublicKey": PUBLIC_KEY,
        "TaskUID": uid,
        "Z": f";base64,{pictures.BASE64_8X8}",
    }
    assert signed(forged)["Signature"] == genuine["Signature"]
    answer = gateway.answer(gateway.post(json.dumps({**forged, "Signature": genuine["Signature"]})))
    assert (answer["RetCode"], answer["Message"]) == (230, "Params [] not available")
    assert gateway.detail(uid)["Status"] == "Queuing"


@pytest.mark.parametrize(("name", "ignore_unknown"), [("RemoveType", False), ("RemoveType", True), ("ZZ", True)])
def test_an_ignored_field_hides_no_other(gateway: Harness, name: str, ignore_unknown: bool) -> None:
    """The same signature, without the id under which the request runs once: it would be a new task each time."""
    gateway = gateway.with_settings(ignore_unknown_fields=ignore_unknown)
    common = {"Action": "RemoveBackground", "PublicKey": PUBLIC_KEY, "RawImage": pictures.BASE64_8X8}
    genuine = signed({**common, name: "general", "request_uuid": "order-4711"})
    bent = {**common, name: "generalrequest_uuidorder-4711", "Signature": genuine["Signature"]}
    assert signed({**common, name: bent[name]})["Signature"] == genuine["Signature"]
    assert gateway.code(json.dumps(genuine)) == 0
    answer = gateway.answer(gateway.post(json.dumps(bent)))
    assert (answer["RetCode"], answer["Message"]) == (230, f"Params [{name}] not available")
    for value in ("x" * 65, ["x" * 33, "x" * 32], ["request_", "uuid"], {"request_uuid": 1}):
        assert gateway.code(json.dumps(signed({**common, name: value}))) == 230


@pytest.mark.parametrize("bent", [{"ZZarequest_uuidorder": ""}, {"ZZ": "arequest", "_uuid": "order"}], ids=str)
def test_an_unknown_name_hides_no_id(gateway: Harness, bent: dict[str, str]) -> None:
    gateway = gateway.with_settings(ignore_unknown_fields=True)
    common = {"Action": "RemoveBackground", "PublicKey": PUBLIC_KEY, "RawImage": pictures.BASE64_8X8}
    genuine = signed({**common, "ZZ": "a", "request_uuid": "order"})
    assert signed({**common, **bent})["Signature"] == genuine["Signature"]
    assert gateway.code(json.dumps(genuine)) == 0
    answer = gateway.answer(gateway.post(json.dumps({**common, **bent, "Signature": genuine["Signature"]})))
    assert (answer["RetCode"], answer["Message"]) == (230, "Params [request_uuid] not available")


def test_names_before_the_action_are_not_ignored(gateway: Harness) -> None:
    gateway = gateway.with_settings(ignore_unknown_fields=True)
    answer = gateway.call("ListModels", AAA="x")
    assert (answer["RetCode"], answer["Message"]) == (230, "Params [AAA] not available")
    assert "sort before Action" in answer["Detail"]
    further = {"Action": "ListModels", "PublicKey": PUBLIC_KEY, "Actions": "x", "Action.0": 1, "zzz": None}
    assert gateway.code(json.dumps(signed(further))) == 0


# Key pairs, and what a request counts as.

WRONG = json.dumps({**LIST, "Signature": "0" * 40})


@pytest.mark.parametrize(("changes", "code"), [({"Signature": "0" * 40}, 171), ({"Signature": None}, 170)])
def test_each_way_to_sign_wrongly_counts_and_is_told_why(
    gateway: Harness, changes: dict[str, str | None], code: int
) -> None:
    gateway = gateway.with_settings(failed_signatures_per_minute=2)
    body = json.dumps({**LIST, **changes})
    assert [gateway.code(body) for _ in range(3)] == [code, code, 153]
    assert gateway.post(body).get_json()["Action"] == "ListTasksDetails"
    assert gateway.code(GOOD) == 0


def test_a_wrong_signature_of_one_key_is_not_anothers(gateway: Harness) -> None:
    gateway = gateway.with_settings(failed_signatures_per_minute=1)
    wrong = json.dumps({**json.loads(WRONG), "PublicKey": gateway.add_pair("other").public_key})
    assert [gateway.code(body) for body in (wrong, WRONG, wrong)] == [171, 171, 153]


def test_every_live_private_key_signs_from_the_next_request_on(gateway: Harness) -> None:
    assert gateway.code(GOOD) == 0
    second = json.dumps(signed(LIST, gateway.rotate_pair(PUBLIC_KEY).private_key))
    assert [gateway.code(body) for body in (GOOD, second)] == [0, 0]
    third = json.dumps(signed(LIST, gateway.rotate_pair(PUBLIC_KEY, grace_seconds=0).private_key))
    assert [gateway.code(body) for body in (GOOD, second, third)] == [171, 171, 0]


def test_the_actions_that_make_tasks_count_as_submits() -> None:
    submits = {name for name, action in ACTIONS.items() if action.rate is Rate.SUBMIT}
    assert submits == {"RefineTask", *(name for name in ACTIONS if name.startswith("RemoveBackground"))}


def test_a_poll_counts_by_its_ids_and_duplicates_once(gateway: Harness) -> None:
    """Twenty tasks are one request: a thousand would hold the ledger for all others."""
    gateway = gateway.with_settings(account_queue_cap=1, polls_per_second=4)
    uids = [new_task_uid() for _ in range(41)]
    assert gateway.code(json.dumps(Harness.signed_list(*uids))) == 0  # three requests
    assert gateway.code(json.dumps(Harness.signed_list(*uids[:20] * 3))) == 0
    assert gateway.code(GOOD) == 153


FILE = Path(__file__).parents[2] / "signing" / "vectors" / "picpik_vectors.json"
CODES = {
    case["name"]: case["expect_ret_code"] for case in json.loads(FILE.read_bytes()) if "expect_ret_code" in case
}
CASES = [case for case in VECTORS if case.name in CODES]
GO = [case for case in VECTORS if case.accepts_optional and case.name not in NOT_RUN]


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    actions = cast("dict[str, Action[Any, Any]]", ACTIONS)
    monkeypatch.setitem(actions, "Probe", Action(Plain, Answer, lambda request, caller, services: Answer()))


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize("case", CASES, ids=attrgetter("name"))
def test_vector(gateway: Harness, case: Vector) -> None:
    assert gateway.code(case.signed_body()) == CODES[case.name]


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize("case", GO, ids=attrgetter("name"))
@pytest.mark.parametrize(("changes", "code"), [({}, 0), ({"go_numbers": False}, 171)])
def test_signatures_of_the_go_signer(gateway: Harness, case: Vector, changes: dict[str, bool], code: int) -> None:
    gateway = gateway.with_settings(ignore_unknown_fields=True, **changes)
    for signature in case.accepts_optional:
        assert gateway.code(dump_body({**case.params, "Signature": signature})) == code
