"""The actions: one row each, from fields to a handler."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Self, TypeVar

import structlog

from gateway.account_records import Terms
from gateway.limits import Rate
from gateway.picpik.render import Members, task_detail
from gateway.picpik.requests import ListTasksDetails, RemoveBackground, Request
from gateway.query import Tasks
from gateway.submit import Corners, Draft, Submissions
from jobs.spec import CutoutSpec, Output, Precision, Refinement

R = TypeVar("R", bound=Request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What handlers work with."""

    submissions: Submissions
    tasks: Tasks
    model: str
    """The model that new pictures ask for."""
    precision: Precision

    def on_terms(self, terms: Terms) -> Self:
        """The same for an account with terms of its own."""
        return replace(self, submissions=self.submissions.on_terms(terms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, once the signature was found right."""

    account: str
    public_key: str
    signature: str = field(repr=False)
    """As presented."""
    base_url: str
    """Scheme and host in front of result paths."""


@dataclass(frozen=True, slots=True)
class Action(Generic[R]):
    """One row of the table."""

    fields: type[R]
    handle: Callable[[R, Caller, Services], Members]
    rate: Rate = Rate.POLL
    """What a request is counted as."""


def remove_background(request: RemoveBackground, caller: Caller, services: Services) -> Members:
    """Accept one picture."""
    spec = CutoutSpec(
        model=services.model,
        precision=services.precision,
        erode_px=request.erode_size,
        foreground_threshold=request.foreground_threshold,
        background_threshold=request.background_threshold,
        refinement=Refinement(request.hair_optimization),
        output=Output.MASK if request.only_mask else Output.CUTOUT,
    )
    draft = Draft(source=request.raw_image, spec=spec, corners=_corners(request.box))
    uid = services.submissions.submit(
        caller.account, "RemoveBackground", [draft], _idempotency_key("RemoveBackground", request, caller)
    )
    structlog.contextvars.bind_contextvars(task_uid=uid)
    return {"TaskUID": uid}


def list_tasks_details(request: ListTasksDetails, caller: Caller, services: Services) -> Members:
    """Show tasks, each as it stands, in the order of the request."""
    found = services.tasks.find(caller.account, request.uids)
    return {
        "TaskDetailList": [
            task_detail(uid, task, services.tasks, caller.base_url)
            for uid, task in zip(request.uids, found, strict=True)
        ]
    }


ACTIONS: Final[Mapping[str, Action[Any]]] = {
    "RemoveBackground": Action(RemoveBackground, remove_background, Rate.SUBMIT),
    "ListTasksDetails": Action(ListTasksDetails, list_tasks_details),
}


def _corners(box: list[int]) -> Corners | None:
    if not box:
        return None
    left, top, right, bottom = box
    return left, top, right, bottom


def _idempotency_key(action: str, request: Request, caller: Caller) -> str | None:
    """The name of this very request; None where the caller gave it no id.

    Some clients send a constant id, so the signature is part of the name.
    """
    if not request.request_uuid:
        return None
    parts = [caller.public_key, action, request.request_uuid, caller.signature.lower()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
