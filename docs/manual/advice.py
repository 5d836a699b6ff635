"""What a caller does about each refusal; a test holds these to the tables of errors, in both directions."""

from collections.abc import Mapping
from typing import Final

PICPIK_ADVICE: Final[Mapping[tuple[int, int], str]] = {
    (130, 500): "Retry once; then tell the operator.",
    (130, 503): "Or Redis or the storage does not answer: `/readyz` on the metrics port says which.",
    (150, 200): "Tell the operator the model that `Detail` names.",
    (150, 503): "Send it again.",
    (153, 429): "Ask the operator for a higher rate or cap.",
    (160, 200): "Send one JSON object in UTF-8, with `Action`.",
    (160, 404): "Call `/`.",
    (160, 405): "Use POST.",
    (160, 408): "Use a faster connection or a smaller picture.",
    (160, 415): "Leave out `Content-Encoding`.",
    (161, 200): "See the actions above; case matters.",
    (170, 200): "",
    (171, 200): "Check the private key, then the signer by the [example](picpik.md#by-hand); or take a new "
    "`request_uuid`.",
    (172, 200): "See `keys list`.",
    (220, 200): "",
    (230, 200): "",
    (230, 404): "Submit the picture again.",
    (230, 413): "Send a smaller picture or batch.",
    (230, 416): "Ask for the result without `Range`.",
    (310, 200): 'Send numbers without quotes: `15`, not `"15"`.',
    (520, 200): "Grant credits: `keys credits NAME --grant N`.",
}
"""By code and HTTP status."""

RUNWARE_ADVICE: Final[Mapping[str, str]] = {
    "conflictTaskUUID": "Take a new `taskUUID`.",
    "invalid<Field>": "",
    "invalidInputImage": "Check its URL and format; upload it again if it has expired.",
    "invalidRequest": "Send a JSON array of task objects, with POST or over a WebSocket.",
    "invalidTaskUUID": "Send a UUID that you made.",
    "maxMessageSizeExceeded": "Upload large pictures first, and ask for `outputType` `URL`.",
    "missing<Field>": "",
    "missingTaskType": "",
    "missingTaskUUID": "Send a new one for each task.",
    "unsupportedModel": "Take another `model`, or none; `/readyz` on the metrics port lists those offered.",
    "unsupportedParameter": "",
    "unsupportedTaskType": "See the tasks above.",
    "invalidApiKey": "See `keys list`.",
    "missingApiKey": "Send it as above.",
    "insufficientCredits": "Grant credits: `keys credits NAME --grant N`.",
    "uploadQuotaExceeded": "Delete uploads with `mediaStorage`, or raise the caps: "
    "`keys account NAME --upload-cap N --upload-bytes N`.",
    "taskNotFound": "Send the task under a new `taskUUID`.",
    "rateLimitExceeded": "Ask the operator for a higher rate or cap.",
    "internalServerError": "Retry once; then tell the operator.",
    "serviceUnavailable": "Or a part does not answer: `/readyz` on the metrics port says which.",
    "requestTimeout": "Use a faster connection or a smaller picture.",
    "timeoutProvider": "Call `getResponse`, or repeat the same task.",
}
"""By code."""
