"""When a request is refused, and what its caller does then; a test holds these to the tables of errors."""

from collections.abc import Mapping
from typing import Final

PICPIK_WHEN: Final[Mapping[str, str]] = {
    "no_action": "The body is neither a JSON object nor a form. `Action` is absent, null, empty or not a string. "
    "The body cannot be read as parameters, so there is nothing to verify.",
    "too_large": "The body is too large.",
    "too_slow": "The body arrives too slowly.",
    "encoded": "The body is compressed.",
    "unknown_path": "The path does not exist.",
    "no_method": "The path does not take the method.",
    "no_result": "The result has expired, or its address was altered.",
    "no_range": "The range lies outside the result.",
    "unknown_action": "The action does not exist here.",
    "no_signature": "`Signature` is absent, null, empty or not a string.",
    "wrong_signature": "The signature is not 40 hex digits, or equals no accepted form.",
    "unknown_user": "`PublicKey` is not registered.",
    "missing": "A required parameter is absent, null or empty.",
    "not_available": "The value is out of range or malformed, or the name is unknown. The members `Name.K` of an "
    "array do not make one.",
    "wrong_type": "The JSON type is not the field's.",
    "fault": "The server made a mistake; its log says which, under the `request_uuid`.",
}
"""By key of the table, where its errors do not say it themselves."""

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

RUNWARE_WHEN: Final[Mapping[str, str]] = {
    "no_key": "There is no API key, or none yet.",
    "wrong_key": "The API key is unknown or revoked.",
    "unreadable": "The message is no JSON array of objects, or an empty one.",
    "too_large": "The message is too large.",
    "too_slow": "The message arrives too slowly.",
    "encoded": "The body is compressed.",
    "no_method": "The path takes POST, and GET for a WebSocket.",
    "no_upgrade": "A GET that does not ask for a WebSocket.",
    "no_task_type": "`taskType` is absent, empty or not a string.",
    "unknown_task_type": "The task type does not exist here.",
    "no_task_uuid": "`taskUUID` is absent or empty.",
    "wrong_task_uuid": "`taskUUID` is not a UUID.",
    "unknown_task": "No task of the account has the UUID, or its results have expired.",
    "unknown": "The task does not have such a field.",
    "missing": "A required field is absent or empty.",
    "wrong": "The value has the wrong type or is out of range.",
    "picture": "The picture cannot be found or read.",
    "took_too_long": "The result took longer than a caller may wait; the task goes on.",
    "no_place": "Too many calls are waiting.",
    "stopping": "The server is stopping.",
    "result_too_large": "The client refused the result's frame as too long.",
    "fault": "The server made a mistake; its log says which.",
}
"""By key of the table, where its errors do not say it themselves."""

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
