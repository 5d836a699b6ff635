"""Flattened names are arrays again, or a clear error."""

import pytest

from cutgate.signing import (
    FlattenedNamesRejected,
    FormText,
    JsonValue,
    NumberText,
    parse_body,
    parse_form,
    sign,
    take_signature,
    unflatten,
    verify,
)

ARRAYS = {"Box", "RawImages"}


@pytest.mark.parametrize(
    ("flat", "rebuilt"),
    [
        ('{"Box.0":1,"Box.1":2}', '{"Box":[1,2]}'),
        ('{"Box.1":1,"Box.2":2}', '{"Box":[1,2]}'),
        ('{"Box.1":1,"A":true,"Box.0":0}', '{"A":true,"Box":[0,1]}'),
        ('{"Box.1":1}', '{"Box":[1]}'),
        ('{"Box.0":[1,2]}', '{"Box":[[1,2]]}'),
        ('{"Box.0":null,"RawImages.1":"x"}', '{"Box":[null],"RawImages":["x"]}'),
        ('{"Box":[1,2],"Size.0":1,"Size":2}', '{"Box":[1,2],"Size.0":1,"Size":2}'),
        ('{"Boxes.0":1,"box.0":1,".0":1}', '{"Boxes.0":1,"box.0":1,".0":1}'),
        ("{}", "{}"),
    ],
)
def test_rebuilt(flat: str, rebuilt: str) -> None:
    assert unflatten(parse_body(flat), ARRAYS) == parse_body(rebuilt)


def test_elements_are_ordered_by_number() -> None:
    names = [f"Box.{index}" for index in range(12)]
    flat: dict[str, JsonValue] = {name: name for name in sorted(names)}
    assert unflatten(flat, ARRAYS) == {"Box": names}


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["Box.0", "Box.2"], "gap"),
        (["Box.2", "Box.3"], "gap"),
        (["Box.0", "Box.999999999"], "gap"),
        (["Box.00"], "leading zeros"),
        (["Box.0", "Box.01"], "leading zeros"),
        (["Box.-1"], "leading zeros"),
        (["Box.+1"], "leading zeros"),
        (["Box.1.0"], "leading zeros"),
        (["Box."], "leading zeros"),
        (["Box.x"], "leading zeros"),
        (["Box.١"], "leading zeros"),
        (["Box.0\n"], "leading zeros"),
        (["Box." + "9" * 5_000], "leading zeros"),
        (["Box", "Box.0"], "as a whole too"),
        (["Box.0", "Box"], "as a whole too"),
    ],
)
def test_refused(names: list[str], reason: str) -> None:
    with pytest.raises(
        FlattenedNamesRejected, match=f"^the elements of 'Box' do not make an array: .*{reason}"
    ) as caught:
        unflatten(dict.fromkeys(names), ARRAYS)
    assert caught.value.name == "Box"


def test_types_are_kept() -> None:
    json_box = unflatten(parse_body('{"Box.0":1,"Box.1":"1"}'), ARRAYS)["Box"]
    assert isinstance(json_box, list)
    assert [type(element) for element in json_box] == [NumberText, str]
    form_box = unflatten(parse_form(b"Box.0=1"), ARRAYS)["Box"]
    assert isinstance(form_box, list)
    assert type(form_box[0]) is FormText


def test_signature_covers_the_names_as_received() -> None:
    signature = sign("ActionRemoveBackgroundBox.01Box.13Box.1012", "123456")
    body = f"Box.0=1&Box.1=3&Box.10=12&Action=RemoveBackground&Signature={signature}"
    rest, presented = take_signature(parse_form(body.encode()))
    assert presented == signature
    assert verify(rest, presented, ["123456"])
