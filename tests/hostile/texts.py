"""What parsers are given: signed JSON, forms, messages of all façades, Base64, paths of results, ids."""

import io
import json
import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import quote_plus, urlencode

from cutgate.gateway.picpik.actions import ACTIONS
from cutgate.gateway.picpik.errors import Refused as PicpikRefused
from cutgate.gateway.picpik.requests import IGNORED, read_request
from cutgate.gateway.pictures.base64 import decode_source
from cutgate.gateway.removebg.errors import FIELDS
from cutgate.gateway.removebg.errors import Refused as RemoveBgRefused
from cutgate.gateway.removebg.forms import read_fields as read_removal
from cutgate.gateway.removebg.options import Options
from cutgate.gateway.removebg.sources import Sources
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
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.record import Result
from cutgate.jobs.spec import ModelChoice
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
        for ignore_unknown in (False, True):
            with suppress(SigningError, PicpikRefused):
                read_request(action.request, rest, ignore_unknown=ignore_unknown, max_batch_images=16)


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


class Fields(NamedTuple):
    """A body of remove.bg's protocol."""

    data: bytes
    media_type: str


_MULTIPART: Final = "multipart/form-data; boundary=x"
_PART_WORDS: Final = (b"--x", b"\r\n", b"\r\n\r\n", b'; name="', b"; filename*=utf-8''a", b"Content-Type: a/b\r\n")
_VALUES: Final[Mapping[str, tuple[object, ...]]] = {
    "crop_margin": ("10px 5% 3px", "30%"),
    "roi": ("0% 0% 100% 100%", "1px 2px 7px 8px"),
    "bg_color": ("81d4fa77", "green"),
    "size": ("auto", "full", "50MP"),
    "format": ("zip", "jpg", "webp"),
    "channels": ("alpha", "rgba"),
    "crop": (True, "true"),
    "shadow_opacity": (50, "1e1"),
}
_SOURCES: Final = Sources(SourceLimits(max_bytes=10_000, max_pixels=10_000, max_side_px=1_000))
_CHOICE: Final = ModelChoice(model="m")
_FORM: Final = "application/x-www-form-urlencoded"


def removebg_fields(chance: random.Random) -> Fields:
    """Fields with sound values and others, in one of the three forms."""
    source = chance.choice(("image_file_b64", "image_file_b64", "image_file", "image_url"))
    fields: dict[str, object] = {source: BASE64_8X8}
    for _ in range(chance.randrange(5)):
        name = chance.choice((*_VALUES, *FIELDS, "bg_image_file", "bg_image_url", "image_url"))
        fields[name] = chance.choice((*_VALUES.get(name, ()), any_json(chance, FIELDS)))
    media_type = chance.choice(("application/json", _FORM, _MULTIPART))
    if media_type == "application/json":
        return Fields(json_bytes(fields), media_type)
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    if media_type == _FORM:
        return Fields(urlencode(texts, errors="replace").encode(), media_type)
    files = {"image_file": png(), "bg_image_file": png()}
    heads = (f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() for name in texts)
    contents = (files.get(name, text.encode("utf-8", "replace")) for name, text in texts.items())
    parts = (head + content + b"\r\n" for head, content in zip(heads, contents, strict=True))
    return Fields(b"".join(parts) + b"--x--\r\n", media_type)


def make_removebg(chance: random.Random, _number: int) -> Fields:
    bodies = [removebg_fields(chance) for _ in range(2)]
    data, media_type = bodies[0]
    words = _PART_WORDS if media_type == _MULTIPART else (*_WORDS, *_FORM_WORDS)
    if chance.random() < 0.6:
        data = damaged(data, [each.data for each in bodies], words, chance)
    return Fields(data, media_type)


def _data_of(body: Fields) -> bytes:
    return body.data


def enter_removebg(body: Fields) -> None:
    """Read the fields, what is to be done, and the pictures."""
    given = read_removal(io.BytesIO(body.data), body.media_type)
    _SOURCES.check(given)
    options = Options.read(given)
    options.shown_type()
    options.spec(_CHOICE, options.size, has_background="bg_image_file" in given)
    _SOURCES.picture(given)
    _SOURCES.background(given)


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
REMOVEBG: Final = Trial(
    name="remove.bg's fields",
    make=make_removebg,
    enter=enter_removebg,
    refusals=(RemoveBgRefused,),
    data_of=_data_of,
)
TEXTS: Final = Trial(name="Base64, paths, ids", make=make_text, enter=enter_text, refusals=(SourceRejected,))
