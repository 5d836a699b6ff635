"""The gateway with a path where callers wait: a picture in Base64 in, the bytes of its result out.

    python -m tests.gateway.waiting.waiting_gateway serve …

A façade has more to say; here is what it says of its callers' places and of their tasks.
"""

import io
from functools import partial
from typing import Any

from flask import Blueprint, Flask, Response, abort, request
from werkzeug.wsgi import wrap_file

from cutgate.gateway.__main__ import main
from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.serving import wsgi
from cutgate.gateway.serving.app import WAITING, create_app
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.tasks.drafts import Draft
from cutgate.gateway.tasks.offers import Offers
from cutgate.gateway.tasks.submit import DraftRejected, Submission, Submissions
from cutgate.gateway.waiting.callers import WaitingCallers
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import ItemState, Task
from cutgate.jobs.spec import CutoutSpec
from tests.gateway.harness import there

WAIT = "/wait"
"""With `account` and `seconds` in its query; `memory` has the answer come out of memory, `broken` have it fail."""


def waiting_app(settings: GatewaySettings, **parts: Any) -> Flask:
    """The application of `create_app`, and the path."""
    app = create_app(settings, **parts)
    submissions = Submissions(
        store=parts["store"],
        blobs=parts["blobs"],
        limits=settings.source_limits(),
        price=1,
        offers=Offers(presence=parts["presence"], own=settings.choice, memory_seconds=60),
    )
    waiting = Blueprint("waiting", __name__)
    view = partial(wait, app.extensions[WAITING], submissions, parts["blobs"], settings)
    waiting.add_url_rule(WAIT, "wait", view, methods=["POST"])
    app.register_blueprint(waiting)
    return app


def wait(
    waiting: WaitingCallers, submissions: Submissions, blobs: BlobStore, settings: GatewaySettings
) -> Response:
    account, spec = request.args["account"], CutoutSpec(model=settings.model, precision=settings.precision)
    drafts = [Draft(source=request.get_data(as_text=True), spec=spec)]
    submission = Submission(
        account=Account(name=account), origin="Wait", drafts=drafts, joins_seconds=600, urgent=True
    )
    if not waiting.has_place(account):
        return Response("no place", 503)
    try:
        uid = submissions.submit(submission)
    except DraftRejected:
        return Response("no picture", 400)
    return waiting.hold(account, uid, float(request.args["seconds"]), partial(render, blobs))


def render(blobs: BlobStore, task: Task) -> Response:
    if request.args.get("broken"):
        abort(404)
    if task.ended_at_ms is None:
        return Response("not yet", 429, {"Retry-After": "2"})
    [item] = task.items
    if item.state is not ItemState.DONE or item.result is None:
        return Response(there(item.error).kind, 422)
    file = blobs.open(item.result.blob)
    if request.args.get("memory"):
        with file:
            return Response(file.read(), mimetype="image/png")
    answer = Response(wrap_file(request.environ, file), mimetype="image/png", direct_passthrough=True)
    answer.content_length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return answer


if __name__ == "__main__":
    wsgi.__dict__["create_app"] = waiting_app
    main()
