"""Signed requests that somebody saw, bent: other names and values, whose text in one piece is the signed one.

That text has nothing between names and values. What stands in it can be parted anew wherever a name of a field
occurs, and the signature stays right. No such request may do what its signer did not ask for.
"""

import random
import re
from collections.abc import Iterator
from itertools import chain, combinations
from typing import Final, NamedTuple
from urllib.parse import urlencode

from cutgate.gateway.picpik.actions import ACTIONS
from cutgate.gateway.picpik.errors import Refused
from cutgate.gateway.picpik.requests import IGNORED, Request, read_request
from cutgate.gateway.pictures.base64 import decode_source
from cutgate.jobs.errors import SourceRejected
from cutgate.signing import SigningError, parse_form, sign_params, take_signature, verify
from tests.gateway.picture_files import BASE64_8X8
from tests.hostile.trials import Trial

_KEY: Final = "k" * 40
_PUBLIC_KEY: Final = "abcdefg"
_UIDS: Final = ("d5ari00q5cu0v880200g", "d5ari00q5cu0v8802010")
_NEEDED: Final[dict[str, dict[str, str]]] = {
    "RemoveBackground": {"RawImage": BASE64_8X8},
    "RemoveBackgroundsInBatch": {"RawImages.0": BASE64_8X8, "RawImages.1": BASE64_8X8},
    "ListTasksDetails": {"TaskUIDList.0": _UIDS[0], "TaskUIDList.1": _UIDS[1]},
    "ListGenerateTaskDetail": {"TaskUIDs.0": _UIDS[0]},
    "TerminateTask": {"TaskUID": _UIDS[0]},
    "GetCreditBalance": {},
}
_NUMBERS: Final = {
    "ErodeSize": "15",
    "ForegroundThreshold": "240",
    "BackgroundThreshold": "10",
    "WaitSeconds": "3",
}
_TEXTS: Final = {"OnlyMask": "true", "HairOptimization": "on", "Region": "cn", "Zone": "cn-02", "ProjectId": "org"}
_BOX: Final = {"Box.0": "0", "Box.1": "1", "Box.2": "7", "Box.3": "8"}
_ELSE: Final = _NUMBERS | _TEXTS | {"RemoveType": "general", "SecurityToken": "t"}
_RANDOM_BENDS: Final = 50
_MOST_FIELDS: Final = 6
_PICTURE_BYTES: Final = 10_000

Bend = tuple[tuple[str, str], ...]
"""Names and values, as they stand in the text one after the other."""


class Seen(NamedTuple):
    """A signed request, and others with its text."""

    fields: dict[str, str]
    bends: list[Bend]


def make_seen(chance: random.Random, number: int) -> Seen:
    """A request with some fields, bent for each pair of them and at random."""
    action = list(_NEEDED)[number % len(_NEEDED)]
    known = {field.alias or name for name, field in ACTIONS[action].request.model_fields.items()} | IGNORED
    others = [name for name in _ELSE if name in known]
    chosen = chance.sample(others, min(len(others), chance.randrange(_MOST_FIELDS)))
    box = _BOX if "Box" in known and chance.random() < 0.2 else {}
    fields = {"Action": action, "PublicKey": _PUBLIC_KEY, "request_uuid": "order-4711", **_NEEDED[action]}
    fields = dict(sorted((fields | box | {name: _ELSE[name] for name in chosen}).items()))
    names = {*fields, *known, "Action", "PublicKey"}
    return Seen(
        fields, [*_merged(list(fields.items())), *_parted_anew("".join(chain(*fields.items())), names, chance)]
    )


def _merged(fields: list[tuple[str, str]]) -> Iterator[Bend]:
    """For each pair of fields, all behind the first one up to the second as part of the first one's value."""
    for first, last in combinations(range(len(fields)), 2):
        name, value = fields[first]
        swallowed = "".join(chain(value, *chain(*fields[first + 1 : last + 1])))
        yield (*fields[:first], (name, swallowed), *fields[last + 1 :])
        yield (*fields[:first], (name + swallowed, ""), *fields[last + 1 :])


def _parted_anew(text: str, names: set[str], chance: random.Random) -> Iterator[Bend]:
    """The text with its names at random places where they occur, and with names that nobody knows."""
    places = {(at.start(), at.end()) for name in names for at in re.finditer(re.escape(name), text)}
    for _ in range(_RANDOM_BENDS):
        chosen = {(0, len("Action"))} | {place for place in places if chance.random() < 0.8}
        if chance.random() < 0.3:
            start = chance.randrange(len(text))
            chosen.add((start, chance.randrange(start, len(text)) + 1))
        bend, upto = list[tuple[str, str]](), len(text)
        for start, end in sorted(chosen, reverse=True):
            if end <= upto and (not bend or text[start:end] < bend[-1][0]):
                bend.append((text[start:end], text[end:upto]))
                upto = start
        if upto == 0:
            yield tuple(reversed(bend))


def _data_of(seen: Seen) -> bytes:
    return urlencode(seen.fields).encode()


def enter_seen(seen: Seen) -> None:
    """Whatever is taken of the bent requests is the one that was signed, or at least has its id."""
    signature = sign_params(seen.fields, _KEY)
    for ignore_unknown in (False, True):
        signed = _taken(tuple(seen.fields.items()), signature, ignore_unknown=ignore_unknown)
        assert signed is not None
        for bend in seen.bends:
            assert _taken(bend, signature, ignore_unknown=ignore_unknown) in (None, signed), bend


def _taken(fields: Bend, signature: str, *, ignore_unknown: bool) -> tuple[str, Request | str] | None:
    """What is done for a request; None where it is refused. Names that nobody knows may hide all but its id."""
    params, told = take_signature(parse_form(urlencode([*fields, ("Signature", signature)]).encode()))
    assert told == signature
    assert verify(params, signature, [_KEY])
    action = str(params.get("Action"))
    if params.get("PublicKey") != _PUBLIC_KEY or action not in ACTIONS:
        return None
    try:
        model = ACTIONS[action].request
        request = read_request(model, params, ignore_unknown=ignore_unknown, max_batch_images=16)
        for picture in (getattr(request, "raw_image", None), *getattr(request, "raw_images", ())):
            if picture is not None:
                decode_source(picture, _PICTURE_BYTES)
    except (Refused, SigningError, SourceRejected):
        return None
    return action, request.request_uuid if ignore_unknown else request


BENDS: Final = Trial(name="bent signatures", make=make_seen, enter=enter_seen, data_of=_data_of)
