"""One trace for one picture, from its request through the queue to each step, no secret in it, no harm done."""

import json
from collections.abc import Callable

import httpx
import pytest

from cutgate import Client
from cutgate.signing import sign_params
from tests.end_to_end.observed.callers import RAW_IMAGE, WRONG_KEY
from tests.end_to_end.observed.collector import Seen
from tests.end_to_end.observed.observation import PICTURE, URL_SECRET, Observed
from tests.end_to_end.observed.test_lines import forms, pieces
from tests.waiting import eventually

pytestmark = pytest.mark.long

STEPS = (
    "read select_region find_subject zoom_in_pass choose_by_box rate_mask detect_subject crop_to_subject "
    "choose_refinement estimate_alpha cut_to_box give_cutout restore_size encode write"
)
CALLERS_SPAN = "b7ad6b7169203331"


def with_all(*names: str) -> Callable[[list[Seen]], bool]:
    return lambda trace: {span.name for span in trace} >= set(names)


def cut_out(client: Client) -> str:
    job = client.remove_background(PICTURE, hair_optimization="off")
    job.wait(timeout_seconds=60)
    return job.uid


@pytest.fixture(scope="module")
def picpik(observed: Observed) -> list[Seen]:
    """The trace of a picture, its callback included."""
    with observed.stack.client() as client:
        cut_out(client)
    return observed.collector.trace_of("errand callback", with_all("POST /", "submit", "wait", "item"))


def one(trace: list[Seen], name: str) -> Seen:
    found = [span for span in trace if span.name == name]
    assert len(found) == 1, [(span.name, span.attributes) for span in trace]
    return found[0]


def below(trace: list[Seen], parent: Seen) -> list[Seen]:
    """A span's children in the order in which they began."""
    children = [span for span in trace if span.parent == parent.id]
    return sorted(children, key=lambda span: span.span.start_time_unix_nano)


def test_from_the_request_to_each_step(picpik: list[Seen]) -> None:
    request, item = one(picpik, "POST /"), one(picpik, "item")
    assert (request.parent, request.service) == ("", "cutgate-gateway")
    submit = one(picpik, "submit")
    assert below(picpik, request) == [submit]
    assert [(span.name, span.service) for span in below(picpik, submit)] == [
        ("wait", "cutgate-worker"),
        ("item", "cutgate-worker"),
        ("errand callback", "cutgate-courier"),
    ]
    steps = [span.name for span in below(picpik, item)]
    assert " ".join(steps) == STEPS
    assert len(picpik) == 5 + len(steps)
    assert len({span.id for span in picpik}) == len(picpik)


def test_what_they_say(picpik: list[Seen]) -> None:
    request, item = one(picpik, "POST /").attributes, one(picpik, "item").attributes
    assert request["http.request.method"] == "POST"
    assert request["http.route"] == "/"
    assert request["http.response.status_code"] == 200
    assert request["cutgate.action"] == "RemoveBackground"
    assert request["cutgate.task_uid"] == item["cutgate.task_uid"]
    assert request["cutgate.request_uuid"] == item["cutgate.request_uuid"]
    assert item["cutgate.pixels"] == 451 * 300
    assert (item["cutgate.model"], item["cutgate.lane"], item["cutgate.outcome"]) == ("tiny", "tiny:exact", "done")
    assert one(picpik, "errand callback").attributes["cutgate.outcome"] == "done"
    assert (item["cutgate.account"], item["cutgate.item"], item["cutgate.attempt"]) == ("first", 0, 1)


def test_a_task_of_runwares_with_a_fetch(worked: Observed) -> None:
    trace = worked.collector.trace_of("errand upload", with_all("POST /v1", "item", "errand fetch"))
    task = one(trace, "task removeBackground")
    assert below(trace, one(trace, "POST /v1")) == [task]
    submit = one(trace, "submit")
    assert below(trace, task) == [submit]
    assert {span.name for span in below(trace, submit)} >= {"errand fetch", "wait", "item", "errand upload"}


def test_what_is_refused_is_said_by_kind_alone(worked: Observed) -> None:
    spans = worked.collector.spans

    def kinds() -> set[object]:
        return {span.attributes.get("error.type") for span in spans()}

    eventually(lambda: kinds() >= {"source_undecodable", "unsupportedTaskType"}, say=kinds)
    assert not [span for span in spans() if span.span.events or span.span.status.message]


@pytest.mark.parametrize(
    ("callers_trace", "padding"),
    [("0af7651916cd43dd8448eb211c80319c", ""), ("0af7651916cd43dd8448eb211c80319d", " " * 100_000)],
    ids=["small", "with a body that is received after a first look"],
)
def test_a_callers_trace_goes_on_in_one_span(observed: Observed, callers_trace: str, padding: str) -> None:
    stack = observed.stack
    fields = {"Action": "GetCreditBalance", "PublicKey": stack.public_key}
    body = json.dumps(fields | {"Signature": sign_params(fields, stack.private_key)}) + padding
    sent = {"traceparent": f"00-{callers_trace}-{CALLERS_SPAN}-01"}
    assert httpx.post(stack.url, content=body, headers=sent).json()["RetCode"] == 0
    line = observed.wait_for("request", trace_id=callers_trace)
    assert line["action"] == "GetCreditBalance"

    def told() -> list[Seen]:
        return [span for span in observed.collector.spans() if span.trace_id == callers_trace]

    eventually(told)
    [span] = told()
    assert (span.name, span.parent) == ("POST /", CALLERS_SPAN)
    assert span.attributes["cutgate.action"] == "GetCreditBalance"


def test_no_span_holds_a_secret(worked: Observed) -> None:
    sent = b"".join(worked.collector.requests)
    for name, secret in (worked.secrets | {"an address": URL_SECRET, "a wrong key": WRONG_KEY}).items():
        assert not [form for form in forms(secret) if form.encode() in sent], name
    assert not [piece for piece in pieces(PICTURE) if piece.encode() in sent]
    assert RAW_IMAGE[:24].encode() not in sent


def test_a_collector_that_is_away_costs_nobody_anything(observed: Observed) -> None:
    collector = observed.collector
    before = len([line for _, line in observed.lines() if line["event"] == "traces_not_sent"])
    with observed.stack.client() as client:
        collector.away = True
        for _ in range(3):
            cut_out(client)
        observed.wait_for("traces_not_sent", logger="cutgate.jobs.observe.otlp")
        collector.away = False
        cut_out(client)
    observed.wait_for("traces_sent_again")
    said = len([line for _, line in observed.lines() if line["event"] == "traces_not_sent"]) - before
    assert said <= 12  # three processes, each at most once for each time that it was away
    assert not [line for _, line in observed.lines() if line["logger"].startswith("opentelemetry")]
