"""What a caller does about each refusal; a test holds these to the tables of errors, in both directions."""

from collections.abc import Mapping
from typing import Final

_LATER: Final = "Retry after `Retry-After`."

PICPIK_ADVICE: Final[Mapping[tuple[int, int], str]] = {
    (130, 500): "Retry once; then tell the operator the `request_uuid`.",
    (130, 503): f"{_LATER} `/readyz` on the metrics port tells the operator what is down.",
    (150, 200): "Tell the operator: no worker offers the model that `Detail` names.",
    (150, 503): _LATER,
    (153, 429): f"{_LATER} Ask the operator for a higher rate or cap.",
    (160, 200): "Send one JSON object in UTF-8, with `Action`.",
    (160, 404): "Call `/`. A result that answers this has expired.",
    (160, 405): "Use POST.",
    (160, 408): "Use a faster connection or a smaller picture.",
    (160, 415): "Send the body without `Content-Encoding`.",
    (161, 200): "See the actions above; case matters.",
    (170, 200): "Sign the request.",
    (
        171,
        200,
    ): "Check the private key, then the signer with the [example](picpik.md#by-hand). For other content take "
    "another `request_uuid`.",
    (172, 200): "Check the public key against `keys list`.",
    (220, 200): "Send the field that the message names.",
    (230, 200): "Correct the field; `Detail` says how.",
    (230, 413): "Send a smaller picture or batch.",
    (230, 416): "Ask for the result without `Range`.",
    (310, 200): 'Send numbers without quotes: `15`, not `"15"`.',
    (520, 200): "Grant credits: `keys credits NAME --grant N`.",
}
"""By code and HTTP status."""

RUNWARE_ADVICE: Final[Mapping[str, str]] = {
    "conflictTaskUUID": "Take a new `taskUUID`.",
    "invalid<Field>": "Correct the field that `parameter` names.",
    "invalidInputImage": "Read the message; upload again what has expired.",
    "invalidRequest": "Send a JSON array of task objects, with POST or over a WebSocket.",
    "invalidTaskUUID": "Send a UUID of your own making.",
    "maxMessageSizeExceeded": "Upload large pictures first, and ask for `outputType` `URL`.",
    "missing<Field>": "Send the field that `parameter` names.",
    "missingTaskType": "Send `taskType`.",
    "missingTaskUUID": "Send a `taskUUID`, a new one for each task.",
    "unsupportedModel": "Take another `model`, or none; `/readyz` on the metrics port lists those offered.",
    "unsupportedParameter": "Leave out the field that `parameter` names.",
    "unsupportedTaskType": "See the tasks above.",
    "invalidApiKey": "Check the key against `keys list`.",
    "missingApiKey": "Send `Authorization: Bearer`, or an element of type `authentication` first.",
    "insufficientCredits": "Grant credits: `keys credits NAME --grant N`.",
    "uploadQuotaExceeded": "Delete uploads with `mediaStorage`, or raise the caps: "
    "`keys account NAME --upload-cap N --upload-bytes N`.",
    "taskNotFound": "Send the task under a new `taskUUID`.",
    "rateLimitExceeded": "Retry the same task after `Retry-After`.",
    "internalServerError": "Retry once; then tell the operator the `taskUUID`.",
    "serviceUnavailable": "Retry the same task after `Retry-After`.",
    "requestTimeout": "Use a faster connection or a smaller picture.",
    "timeoutProvider": "Call `getResponse`, or repeat the same task.",
}
"""By code."""
