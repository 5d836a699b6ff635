"""Taking the signature out, verifying it, and keys: several, none, unusable."""

import hashlib
import traceback
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest

from cutgate.signing import LoneSurrogate, NumberText, parse_body, sign, sign_params, take_signature, verify
from cutgate.signing import picpik as picpik_module

PARAMS = {"Action": "ListModels", "PublicKey": "abcdefg"}
SIGNATURE = "4a20bc1141494035f6aaaad13224c94c5a8bc3a5"
KEY = "123456"


def test_documented_example() -> None:
    assert sign("ActionListModelsPublicKeyabcdefg", KEY) == SIGNATURE
    assert sign_params(PARAMS, KEY) == sign_params(PARAMS | {"Signature": "old"}, KEY) == SIGNATURE
    assert verify(PARAMS, SIGNATURE, [KEY])


@pytest.mark.parametrize(
    ("body", "rest", "presented"),
    [
        ('{"a":"1","Signature":"s"}', {"a": "1"}, "s"),
        ('{"a":"1","signature":"s"}', {"a": "1"}, "s"),
        ('{"signature":"l","Signature":"s"}', {"signature": "l"}, "s"),
        ('{"signature":"l","Signature":null}', {"signature": "l"}, None),
        ('{"signature":"l","Signature":""}', {"signature": "l"}, None),
        ('{"Signature":15}', {}, None),
        ('{"Signature":["s"]}', {}, None),
        ('{"signature":15}', {"signature": "15"}, None),
        ('{"signature":null}', {"signature": None}, None),
        ('{"SIGNATURE":"s"}', {"SIGNATURE": "s"}, None),
        ('{"Signature":" s\\n"}', {}, " s\n"),
        ("{}", {}, None),
    ],
)
def test_take_signature(body: str, rest: dict[str, Any], presented: str | None) -> None:
    assert take_signature(parse_body(body)) == (rest, presented)


@pytest.mark.parametrize(
    "presented",
    [
        "",
        SIGNATURE[:-1],
        SIGNATURE + "0",
        f" {SIGNATURE}",
        f"{SIGNATURE}\n",
        SIGNATURE[:-1] + "g",
        SIGNATURE[:-1] + "５",
    ],
)
def test_what_is_not_40_hex_digits_is_refused(presented: str) -> None:
    assert not verify(PARAMS, presented, [KEY])


@pytest.mark.parametrize("keys", [[KEY, "new"], ["new", KEY], ("a", "b", KEY, "c")])
def test_any_live_key_passes(keys: list[str]) -> None:
    assert verify(PARAMS, SIGNATURE, keys)


@pytest.mark.parametrize("keys", [[], ["new"], [KEY + " "], [KEY.encode().hex()]])
def test_no_other_key_passes(keys: list[str]) -> None:
    assert not verify(PARAMS, SIGNATURE, keys)


def test_forms_are_not_mixed() -> None:
    params = parse_body('{"a":1.0,"b":2.0,"n":null}')
    for text, fits in {"a1b2n": True, "a1b2": True, "a1.0b2.0n": True, "a1b2.0n": False, "a1.0b2": False}.items():
        assert verify(params, sign(text, KEY), [KEY]) is fits


def test_one_key_in_place_of_a_list_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="not one key"):
        verify(PARAMS, SIGNATURE, KEY)


def test_empty_key_signs_nothing() -> None:
    forged = hashlib.sha1(b"ActionListModelsPublicKeyabcdefg").hexdigest()
    with pytest.raises(ValueError, match="the private key is empty"):
        verify(PARAMS, forged, [KEY, ""])
    with pytest.raises(ValueError, match="the private key is empty"):
        sign("text", "")
    with pytest.raises(ValueError, match="the private key is empty"):
        sign_params(PARAMS, "")


def test_unusable_key_stays_out_of_the_error() -> None:
    key = "".join(["ses", "ame", "\udcff"])  # the traceback shows this file's lines
    with pytest.raises(ValueError, match="not UTF-8 text") as caught:
        sign("text", key)
    assert "sesame" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("params", [{"a": "\ud800"}, {"\udfff": "a"}, {"a": [{"b": "x\ud83d"}]}])
def test_lone_surrogate_cannot_be_signed(params: Mapping[str, Any]) -> None:
    with pytest.raises(LoneSurrogate):
        sign_params(params, KEY)


def test_surrogates_are_not_split_by_chunks() -> None:
    text = "😀" * 300_000
    assert sign(text, KEY) == hashlib.sha1(f"{text}{KEY}".encode()).hexdigest()


def test_distinct_texts_are_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    signatures = picpik_module._signatures

    def counting(pieces: list[str], keys: list[bytes]) -> Any:
        hashed.append("".join(pieces))
        return signatures(pieces, keys)

    monkeypatch.setattr(picpik_module, "_signatures", counting)
    for body, texts in {
        '{"a":15,"b":true,"c":"x"}': ["a15btruecx"],
        '{"a":15.0}': ["a15", "a15.0"],
        '{"a":15.0,"n":null}': ["a15n", "a15", "a15.0n", "a15.0"],
        '{"a":1e-05}': ["a0.00001", "a1e-05"],
        '{"a":0.00001}': ["a0.00001", "a1e-05"],
        '{"":null}': [""],
    }.items():
        hashed.clear()
        assert not verify(parse_body(body), "0" * 40, [KEY, "other"])
        assert hashed == texts


def test_large_picture_is_not_copied() -> None:
    params = {"RawImage": "A" * 10_000_000, "ErodeSize": NumberText("15.0"), "Box": None}
    tracemalloc.start()
    try:
        signature = sign_params(params, KEY)
        assert verify(params, signature, [KEY, "other"])
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2_000_000


def test_a_signature_is_compared_to_its_end() -> None:
    for position, digit in enumerate(SIGNATURE):
        other = "1" if digit == "0" else "0"
        assert not verify(PARAMS, SIGNATURE[:position] + other + SIGNATURE[position + 1 :], [KEY])
