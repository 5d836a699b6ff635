"""What parsers are given: signed JSON, forms, Runware's messages, Base64, paths of results, ids."""

import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import quote_plus, urlencode

from cutgate.gateway.picpik.actions import ACTIONS
from cutgate.gateway.picpik.errors import Refused as PicpikRefused
from cutgate.gateway.picpik.requests import IGNORED, ReadingRules, read_request
from cutgate.gateway.pictures.base64 import decode_source
from cutgate.gateway.runware.messages.errors import Refused as RunwareRefused
from cutgate.gateway.runware.messages.reading import (
    pings_in,
    read_fields,
    read_message,
    read_task_type,
    read_task_uuid,
)
from cutgate.gateway.runware.messages.requests import (
    AccountManagement,
    ImageUpload,
    MediaStorage,
    Plain,
    Removal,
    TaskType,
)
from cutgate.gateway.web_url import is_web_url
from cutgate.jobs.errors import SourceRejected
from cutgate.jobs.ids import parse_task_uid, result_key
from cutgate.jobs.record import Result
from cutgate.jobs.urls import ResultPaths
from cutgate.signing import (
    BodyRejected,
    JsonValue,
    SigningError,
    dump_body,
    parse_body,
    parse_form,
    sign_params,
    take_signature,
    verify,
)
from tests.gateway.picture_files import BASE64_8X8, data_uri, png
from tests.hostile.mutation import any_json, damaged, json_bytes
from tests.hostile.trials import Trial

_TOKEN: Final = "A" * 22
UID: Final = parse_task_uid("d5ari00q5cu0v880200g")
_KEY: Final = "k" * 40
_NO_SIGNATURE: Final = "0" * 40
_RULES: Final = tuple(ReadingRules(ignore_unknown=flag, max_batch_images=16) for flag in (False, True))
_FIELDS: Final = tuple(
    sorted(
        {field.alias or name for action in ACTIONS.values() for name, field in action.request.model_fields.items()}
        | IGNORED
        | {"Action", "PublicKey", "Signature", "Box.0", "Box.3", "RawImages.0", "RawImages.15", "TaskUIDList.1"}
    )
)
_SOUND: Final[tuple[dict[str, JsonValue], ...]] = (
    {"Action": "RemoveBackground", "RawImage": BASE64_8X8, "OnlyMask": True, "HairOptimization": "auto"},
    {"Action": "RemoveBackground", "RawImage": data_uri(png()), "request_uuid": "an-id"},
    {"Action": "RemoveBackgroundsInBatch", "RawImages": [BASE64_8X8] * 3},
    {"Action": "ListTasksDetails", "TaskUIDList": [UID]},
    {"Action": "ListGenerateTaskDetail", "TaskUIDs": [UID]},
    {"Action": "TerminateTask", "TaskUID": UID},
    {"Action": "ListModels"},
    {"Action": "GetCreditBalance"},
)
_NUMBERS: Final = (b"-0.0", b"1E+2", b"1.5e300", b"1e400", b"1e-400", b"0.1e1", b"9" * 400, b"-", b"01", b"NaN")
_ESCAPES: Final = (*rb"\ud83d\ude00 \ud800 \u0000 \" \\".split(), b"\xed\xa0\x80", b"\xff", b"\xef\xbb\xbf")
_BRACKETS: Final = (b"[" * 300, b'{"a":' * 300, b"]", b"}", b",", b":", b"null", b'"Action":"ListModels",')
_WORDS: Final = (*_NUMBERS, *_ESCAPES, *_BRACKETS, *(f'"{name}":'.encode() for name in _FIELDS))


def signed_json(chance: random.Random) -> dict[str, JsonValue]:
    """A request with some members that it should not have, signed for what it says."""
    params = dict(chance.choice(_SOUND)) | {"PublicKey": "abcdefg"}
    for _ in range(chance.randrange(3)):
        params[chance.choice(_FIELDS)] = any_json(chance, _FIELDS)
    return params


def _signed(params: dict[str, JsonValue]) -> dict[str, JsonValue]:
    with suppress(SigningError):
        return params | {"Signature": sign_params(params, _KEY)}
    return params


def make_json(chance: random.Random, _number: int) -> bytes:
    bodies = [json_bytes(_signed(signed_json(chance))) for _ in range(2)]
    return bodies[0] if chance.random() < 0.2 else damaged(bodies[0], bodies, _WORDS, chance)


def enter_json(body: bytes) -> None:
    """Parse, write and parse again, verify, and read as each action."""
    params = parse_body(body)
    assert parse_body(dump_body(params)) == params
    _read_as_each_action(params)


def make_form(chance: random.Random, _number: int) -> bytes:
    params = {name: value for name, value in signed_json(chance).items() if isinstance(value, str)}
    body = urlencode(params, quote_via=quote_plus, errors="replace").encode()
    return body if chance.random() < 0.2 else damaged(body, [body], _FORM_WORDS, chance)


_FORM_WORDS: Final = (*b"% %zz %00 %ff & = + &&&&".split(), *(f"&{name}=".encode() for name in _FIELDS))


def enter_form(body: bytes) -> None:
    """Parse, verify, and read as each action."""
    _read_as_each_action(parse_form(body))


def _read_as_each_action(params: Mapping[str, JsonValue]) -> None:
    rest, signature = take_signature(params)
    verify(rest, signature or _NO_SIGNATURE, [_KEY])
    for action in ACTIONS.values():
        for rules in _RULES:
            with suppress(SigningError, PicpikRefused):
                read_request(action.request, rest, rules)


_FORMS: Final = (Removal, ImageUpload, MediaStorage, AccountManagement, Plain)
_RUNWARE_NAMES: Final = tuple(
    sorted(
        {field.alias or name for form in _FORMS for name, field in form.model_fields.items()}
        | {"taskType", "taskUUID", "ping", "apiKey", "connectionSessionUUID", "settings", "inputs", "rgba"}
    )
)
_RUNWARE_WORDS: Final = (*_NUMBERS, *_ESCAPES, *_BRACKETS, *(f'"{name}":'.encode() for name in _RUNWARE_NAMES))


def runware_tasks(chance: random.Random) -> list[dict[str, object]]:
    """Tasks of any type, with sound members and others."""
    return [_runware_task(chance) for _ in range(chance.choice((1, 1, 2, 32, 33)))]


def _runware_task(chance: random.Random) -> dict[str, object]:
    task: dict[str, object] = {
        "taskType": str(chance.choice(tuple(TaskType))),
        "taskUUID": f"{chance.getrandbits(128):032x}"[:8] + "-51b6-4a8f-9667-17e58886a59f",
    }
    if chance.random() < 0.6:
        task |= {
            "inputImage": BASE64_8X8,
            "outputFormat": "PNG",
            "outputType": chance.choice(("URL", ["dataURI"])),
        }
    for _ in range(chance.randrange(4)):
        task[chance.choice(_RUNWARE_NAMES)] = any_json(chance, _RUNWARE_NAMES)
    return task


def make_runware(chance: random.Random, _number: int) -> bytes:
    messages = [json_bytes(runware_tasks(chance)) for _ in range(2)]
    return messages[0] if chance.random() < 0.3 else damaged(messages[0], messages, _RUNWARE_WORDS, chance)


def enter_runware(message: bytes) -> None:
    """Read a message, and each of its tasks as each type."""
    pings_in(message)
    for task in read_message(message, 32):
        for look in (read_task_type, read_task_uuid):
            with suppress(RunwareRefused):
                look(task)
        for form in _FORMS:
            with suppress(RunwareRefused):
                read_fields(form, task)


_PATHS: Final = ResultPaths([bytes(32)])
_SOURCE_BYTES: Final = 1_000


def make_text(chance: random.Random, _number: int) -> bytes:
    key = result_key(UID, 0, _TOKEN)
    result = Result(blob=key, media_type="image/png", width_px=1, height_px=1, size_bytes=1)
    texts = (
        BASE64_8X8.encode(),
        data_uri(png()).encode(),
        _PATHS.path(result, 999).encode(),
        b"https://user@host.example:8443/a/b?c=d#e",
        UID.encode(),
    )
    return damaged(chance.choice(texts), texts, b"data: ;base64, :// / .none =".split(), chance)


def enter_text(text: bytes) -> None:
    """Read a text as a picture, as a result's path, as an address and as a task's id; no path may be opened."""
    read = text.decode("latin-1")
    _, _, mac, expires, *name = read.split("/") if read.count("/") >= 4 else ("", "", "", "", read)
    # Within its time, a path that was not changed is opened: it is asked for after it.
    assert _PATHS.open(mac, expires, "/".join(name), 1_000) is None
    is_web_url(read)
    with suppress(ValueError):
        parse_task_uid(read)
    decode_source(read, _SOURCE_BYTES)


JSON: Final = Trial(name="signed JSON", make=make_json, enter=enter_json, refusals=(BodyRejected,))
FORMS: Final = Trial(name="forms", make=make_form, enter=enter_form, refusals=(BodyRejected,))
RUNWARE: Final = Trial(name="Runware messages", make=make_runware, enter=enter_runware, refusals=(RunwareRefused,))
TEXTS: Final = Trial(name="Base64, paths, ids", make=make_text, enter=enter_text, refusals=(SourceRejected,))
