"""What a caller does about each refusal; a test holds these to the tables of errors, in both directions."""

from collections.abc import Mapping
from typing import Final

_LATER: Final = "Send the same request again after `Retry-After`."

PICPIK_ADVICE: Final[Mapping[tuple[int, int], str]] = {
    (130, 500): "Send it again once; then tell the operator the `request_uuid`.",
    (130, 503): f"{_LATER} The operator sees in `/readyz` at the port of metrics what is away.",
    (150, 200): "Tell the operator: no worker offers the model that `Detail` names.",
    (150, 503): _LATER,
    (153, 429): f"{_LATER} For more at a time ask the operator for a higher rate or cap, or for more workers.",
    (160, 200): "Send one JSON object in UTF-8, with `Action`.",
    (160, 404): "Send calls to `/`. A result's address that answers so has expired.",
    (160, 405): "Send calls with POST.",
    (160, 408): "Send the request again, over a faster line or with a smaller picture.",
    (160, 415): "Send the body without `Content-Encoding`.",
    (161, 200): "See the actions above; letter case counts.",
    (170, 200): "Sign the request.",
    (
        171,
        200,
    ): "Check the private key, then the signer with the example in [Moving from PICPIK](picpik.md). Under a "
    "`request_uuid` that was used before, send the same content or another id.",
    (172, 200): "Check the public key; the operator lists keys with `keys list`.",
    (220, 200): "Send the field that the message names.",
    (230, 200): "Mend the field that the message names; `Detail` says what is wrong with it.",
    (230, 413): "Send a smaller picture, or the batch in parts.",
    (230, 416): "Ask for the result without `Range`.",
    (310, 200): 'A number without quotes: `15`, not `"15"`.',
    (520, 200): "Have credits granted: `keys credits NAME --grant N`.",
}
"""By code and HTTP status."""

RUNWARE_ADVICE: Final[Mapping[str, str]] = {
    "conflictTaskUUID": "Take a new `taskUUID`.",
    "invalid<Field>": "Mend the field that `parameter` names; the message says what it takes.",
    "invalidInputImage": "Send a picture that the message does not speak of; an upload that has expired, again.",
    "invalidRequest": "Send a JSON array of task objects, with POST or over a WebSocket.",
    "invalidTaskUUID": "Send a UUID of your own making.",
    "maxMessageSizeExceeded": "Upload large pictures first, and ask for `outputType` `URL`.",
    "missing<Field>": "Send the field that `parameter` names.",
    "missingTaskType": "Send `taskType`.",
    "missingTaskUUID": "Send a `taskUUID`, a new one for each task.",
    "unsupportedModel": "Take another `model`, or none; those that workers offer stand in `/readyz` at the port "
    "of metrics.",
    "unsupportedParameter": "Leave the field out that `parameter` names.",
    "unsupportedTaskType": "See the tasks above.",
    "invalidApiKey": "Check the key; the operator lists keys with `keys list`.",
    "missingApiKey": "Send `Authorization: Bearer`, or an element of type `authentication` first.",
    "insufficientCredits": "Have credits granted: `keys credits NAME --grant N`.",
    "uploadQuotaExceeded": "Delete uploads with `mediaStorage`, or have the account's caps raised: "
    "`keys account NAME --upload-cap N --upload-bytes N`.",
    "taskNotFound": "Send the task anew, under a new `taskUUID`.",
    "rateLimitExceeded": "Repeat the same task after `Retry-After`.",
    "internalServerError": "Repeat it once; then tell the operator the `taskUUID`.",
    "serviceUnavailable": "Repeat the same task after `Retry-After`.",
    "requestTimeout": "Send it again, over a faster line or with a smaller picture.",
    "timeoutProvider": "Ask with `getResponse`, or repeat the same task: it goes on meanwhile.",
}
"""By code."""
