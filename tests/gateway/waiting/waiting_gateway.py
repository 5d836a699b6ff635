"""The gateway with a path where callers wait: a picture in Base64 in, the bytes of its result out.

    python -m tests.gateway.waiting.waiting_gateway serve …

A façade has more to say; here is what it says of its callers' places and of their tasks.
"""

import io
from functools import partial

from flask import Blueprint, Flask, Response, abort, request
from werkzeug.wsgi import wrap_file

from cutgate.gateway.__main__ import main
from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.runware.sockets.sessions import Sessions
from cutgate.gateway.serving import wsgi
from cutgate.gateway.serving.app import create_app
from cutgate.gateway.tasks.drafts import Draft
from cutgate.gateway.tasks.parts import Parts
from cutgate.gateway.tasks.submit import DraftRejected, Submission
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import ItemState, Task
from cutgate.jobs.spec import CutoutSpec
from tests.gateway.harness import there

WAIT = "/wait"
"""With `account` and `seconds` in its query; `memory` has the answer come out of memory, `broken` have it fail."""


def waiting_app(parts: Parts, sessions: Sessions) -> Flask:
    """The application of `create_app`, and the path."""
    app = create_app(parts, sessions)
    waiting = Blueprint("waiting", __name__)
    view = partial(wait, parts)
    waiting.add_url_rule(WAIT, "wait", view, methods=["POST"])
    app.register_blueprint(waiting)
    return app


def wait(parts: Parts) -> Response:
    settings = parts.settings
    account, spec = request.args["account"], CutoutSpec(model=settings.model, precision=settings.precision)
    drafts = [Draft(source=request.get_data(as_text=True), spec=spec)]
    submission = Submission(
        account=Account(name=account), origin="Wait", drafts=drafts, joins_seconds=600, urgent=True
    )
    if not parts.waiting.has_place(account):
        return Response("no place", 503)
    try:
        uid = parts.submissions.submit(submission)
    except DraftRejected:
        return Response("no picture", 400)
    return parts.waiting.hold(account, uid, float(request.args["seconds"]), partial(render, parts.blobs))


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
