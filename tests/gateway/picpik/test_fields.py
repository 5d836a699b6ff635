"""Tests of PICPIK: the table of fields, a row each, and what a refusal leaves behind."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from cutgate.jobs.spec import CutoutSpec, Holes, Output, Refinement
from tests.gateway import picture_files as pictures
from tests.gateway.harness import PUBLIC_KEY, Harness, signed

IMAGE = json.dumps(pictures.BASE64_8X8)
TASK = "d5ari00q5cu0v880200g"
OTHER_TASK = "d5ari08q5cu0v8802010"

REFUSED = [
    # RawImage
    ("", 220, "RawImage"),
    ('"RawImage":null', 220, "RawImage"),
    ('"RawImage":""', 220, "RawImage"),
    ('"RawImage":12', 310, "RawImage"),
    ('"RawImage":["x"]', 310, "RawImage"),
    ('"RawImage":[]', 310, "RawImage"),
    ('"RawImage":true', 310, "RawImage"),
    # Box
    *((f'"RawImage":{IMAGE},"Box":{json.dumps(list(range(count)))}', 230, "Box") for count in (1, 2, 3, 5)),
    (f'"RawImage":{IMAGE},"Box":[4,1,4,7]', 230, "Box"),
    (f'"RawImage":{IMAGE},"Box":[1,7,7,1]', 230, "Box"),
    (f'"RawImage":{IMAGE},"Box":[8,0,12,8]', 230, "Box"),
    (f'"RawImage":{IMAGE},"Box":[-9,0,0,8]', 230, "Box"),
    (f'"RawImage":{IMAGE},"Box":[1,1,"7",7]', 310, "Box.2"),
    (f'"RawImage":{IMAGE},"Box":[1,1.5,7,7]', 310, "Box.1"),
    (f'"RawImage":{IMAGE},"Box":[null,1,7,7]', 310, "Box.0"),
    (f'"RawImage":{IMAGE},"Box":[1,1,7,true]', 310, "Box.3"),
    (f'"RawImage":{IMAGE},"Box":""', 310, "Box"),
    (f'"RawImage":{IMAGE},"Box":{{}}', 310, "Box"),
    (f'"RawImage":{IMAGE},"Box":"1,1,7,7"', 310, "Box"),
    (f'"RawImage":{IMAGE},"Box.0":1,"Box.2":7', 230, "Box"),
    (f'"RawImage":{IMAGE},"Box":[1,1,7,7],"Box.0":1', 230, "Box"),
    # ErodeSize
    (f'"RawImage":{IMAGE},"ErodeSize":41', 230, "ErodeSize"),
    (f'"RawImage":{IMAGE},"ErodeSize":-1', 230, "ErodeSize"),
    (f'"RawImage":{IMAGE},"ErodeSize":1e300', 230, "ErodeSize"),
    (f'"RawImage":{IMAGE},"ErodeSize":15.5', 310, "ErodeSize"),
    (f'"RawImage":{IMAGE},"ErodeSize":1e-300', 310, "ErodeSize"),
    (f'"RawImage":{IMAGE},"ErodeSize":"15"', 310, "ErodeSize"),
    (f'"RawImage":{IMAGE},"ErodeSize":""', 310, "ErodeSize"),
    (f'"RawImage":{IMAGE},"ErodeSize":true', 310, "ErodeSize"),
    # Thresholds
    *(
        (f'"RawImage":{IMAGE},"{name}":{value}', 230, name)
        for name in ("ForegroundThreshold", "BackgroundThreshold")
        for value in (-1, 256)
    ),
    (f'"RawImage":{IMAGE},"ForegroundThreshold":100,"BackgroundThreshold":101', 230, "BackgroundThreshold"),
    # HairOptimization and OnlyMask
    (f'"RawImage":{IMAGE},"HairOptimization":"AUTO"', 230, "HairOptimization"),
    (f'"RawImage":{IMAGE},"HairOptimization":1', 310, "HairOptimization"),
    *((f'"RawImage":{IMAGE},"OnlyMask":{value}', 310, "OnlyMask") for value in ("0", "1", '"true"', '""')),
    *((f'"RawImage":{IMAGE},"Holes":"{value}"', 230, "Holes") for value in ("Fill", "none", "true")),
    *((f'"RawImage":{IMAGE},"Holes":{value}', 310, "Holes") for value in ("1", "true", "[]")),
    # Unknown names and the request's id
    (f'"RawImage":{IMAGE},"Foo":1', 230, "Foo"),
    (f'"RawImage":{IMAGE},"Foo":null', 230, "Foo"),
    (f'"RawImage":{IMAGE},"Foo.0":1', 230, "Foo.0"),
    (f'"RawImage":{IMAGE},"rawImage":"x"', 230, "rawImage"),
    (f'"RawImage":{IMAGE},"signature":"x"', 230, "signature"),
    *((f'"RawImage":{IMAGE},"request_uuid":{value}', 310, "request_uuid") for value in ("7", "[]", "{}", "true")),
    (f'"RawImage":{IMAGE},"request_uuid":"{"u" * 129}"', 230, "request_uuid"),
    # Which of several faults is told
    ('"Foo":1,"ErodeSize":"15"', 230, "Foo"),
    ('"ErodeSize":"15"', 220, "RawImage"),
    (f'"RawImage":{IMAGE},"ErodeSize":41,"OnlyMask":0', 310, "OnlyMask"),
    (f'"RawImage":{IMAGE},"OnlyMask":0,"ErodeSize":"x"', 310, "ErodeSize"),
    (f'"RawImage":{IMAGE},"HairOptimization":"x","Box":[1]', 230, "Box"),
    ('"RawImage":"not base64!","ErodeSize":41', 230, "ErodeSize"),
]

CODES = {220: "Missing params [{}]", 230: "Params [{}] not available", 310: "Params [{}] type error"}


@pytest.mark.parametrize(("members", "code", "name"), REFUSED)
def test_refused_fields(refusing: Harness, members: str, code: int, name: str) -> None:
    answer = refusing.call_text('"Action":"RemoveBackground"' + (members and f",{members}"))
    assert (answer["RetCode"], answer["Message"]) == (code, CODES[code].format(name))
    assert set(answer) == {"RetCode", "Message", "Action", "request_uuid", "Detail"}
    refusing.assert_nothing_left()


def test_thresholds_that_cross_are_both_named(refusing: Harness) -> None:
    thresholds = '"ForegroundThreshold":15,"BackgroundThreshold":16'
    answer = refusing.call_text(f'"Action":"RemoveBackground","RawImage":{IMAGE},{thresholds}')
    assert answer["Detail"] == "BackgroundThreshold (16) must not exceed ForegroundThreshold (15)"


def test_the_answer_says_what_holes_may_be(refusing: Harness) -> None:
    answer = refusing.call_text(f'"Action":"RemoveBackground","RawImage":{IMAGE},"Holes":"open"')
    assert answer["Detail"] == "must be 'keep' or 'fill'"


def spec(**changes: Any) -> CutoutSpec:
    return CutoutSpec(model="isnet-general-use", **changes)


BOX = {"left_px": 1, "top_px": 2, "right_px": 7, "bottom_px": 6}
ACCEPTED = [
    ("", spec()),
    (',"ErodeSize":15.0', spec()),
    (',"ErodeSize":1.5e1', spec()),
    (',"ErodeSize":-0.0', spec(erode_px=0)),
    (',"ErodeSize":40', spec(erode_px=40)),
    *(
        (
            f',"ForegroundThreshold":{n},"BackgroundThreshold":{n}',
            spec(foreground_threshold=n, background_threshold=n),
        )
        for n in (0, 255)
    ),
    *(
        (f',"ForegroundThreshold":{sent}', spec(foreground_threshold=sent, background_threshold=moved))
        for sent, moved in ((0, 0), (14, 14), (15, 15), (16, 15), (255, 15))
    ),
    *(
        (f',"BackgroundThreshold":{sent}', spec(foreground_threshold=moved, background_threshold=sent))
        for sent, moved in ((0, 240), (240, 240), (241, 241), (255, 255))
    ),
    (',"HairOptimization":"on","OnlyMask":true', spec(refinement=Refinement.ON, output=Output.MASK)),
    (',"Holes":"keep"', spec(holes=Holes.KEEP)),
    (',"Holes":"fill"', spec(holes=Holes.FILL)),
    (',"Box":[1,2,7,6]', spec(box=BOX)),
    (',"Box":[-5,2,70,60]', spec(box={"left_px": 0, "top_px": 2, "right_px": 8, "bottom_px": 8})),
    (',"Box.0":1,"Box.1":2,"Box.2":7,"Box.3":6', spec(box=BOX)),
    (',"Box.4":6,"Box.3":7,"Box.2":2,"Box.1":1', spec(box=BOX)),
    (',"Box":[],"HairOptimization":"","Holes":"","request_uuid":""', spec()),
    (
        ',"Box":null,"ErodeSize":null,"ForegroundThreshold":null,"BackgroundThreshold":null'
        ',"HairOptimization":null,"OnlyMask":null,"request_uuid":null',
        spec(),
    ),
    (',"Region":"x","Zone":1,"ProjectId":null,"SecurityToken":"","RemoveType":"Anime"', spec()),
]


@pytest.mark.parametrize(("members", "expected"), ACCEPTED)
def test_accepted_fields(gateway: Harness, members: str, expected: CutoutSpec) -> None:
    answer = gateway.call_text(f'"Action":"RemoveBackground","RawImage":{IMAGE}{members}')
    assert answer["RetCode"] == 0, answer
    assert gateway.claim().spec == expected


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ErodeSize": "15", "OnlyMask": "true", "Box.0": "1", "Box.1": "2", "Box.2": "7", "Box.3": "6"}, 0),
        ({"ErodeSize": "15.0"}, 310),
        ({"ErodeSize": "015"}, 310),
        ({"ErodeSize": "+1"}, 310),
        ({"ErodeSize": "41"}, 230),
        ({"OnlyMask": "True"}, 310),
        ({"OnlyMask": "1"}, 310),
        ({"Box": "1,2,7,6"}, 310),
        ({"HairOptimization": "on", "Holes": "fill"}, 0),
        ({"Foo": "1"}, 230),
    ],
)
def test_form_fields_are_converted_by_type(gateway: Harness, fields: dict[str, str], code: int) -> None:
    picture = pictures.data_uri(pictures.png())
    params = {"Action": "RemoveBackground", "PublicKey": PUBLIC_KEY, "RawImage": picture, **fields}
    assert gateway.code(urlencode(signed(params)), content_type="application/x-www-form-urlencoded") == code


@pytest.mark.parametrize(
    ("members", "code", "name"),
    [
        ("", 220, "TaskUIDList"),
        (',"TaskUIDList":[]', 220, "TaskUIDList"),
        (',"TaskUIDList":null', 220, "TaskUIDList"),
        (f',"TaskUIDList":"{TASK}"', 310, "TaskUIDList"),
        (f',"TaskUIDList":["{TASK}",7]', 310, "TaskUIDList.1"),
        (',"TaskUIDList":[null]', 310, "TaskUIDList.0"),
        (f',"TaskUIDList":["{TASK}","{TASK[:-1]}"]', 230, "TaskUIDList.1"),
        (f',"TaskUIDList":["{TASK.upper()}"]', 230, "TaskUIDList.0"),
        (f',"TaskUIDList":["{TASK[:-1]}1"]', 230, "TaskUIDList.0"),
        (f',"TaskUIDList":{json.dumps([TASK] * 1001)}', 230, "TaskUIDList"),
        (f',"TaskUIDList":["{TASK}"],"TaskUID":"{TASK}"', 230, "TaskUID"),
    ],
)
def test_refused_task_lists(refusing: Harness, members: str, code: int, name: str) -> None:
    answer = refusing.call_text(f'"Action":"ListTasksDetails"{members}')
    assert (answer["RetCode"], answer["Message"]) == (code, CODES[code].format(name))


def test_flattened_task_lists_keep_their_order(refusing: Harness) -> None:
    answer = refusing.call("ListTasksDetails", **{"TaskUIDList.1": OTHER_TASK, "TaskUIDList.0": TASK})
    assert [entry["TaskUID"] for entry in answer["TaskDetailList"]] == [TASK, OTHER_TASK]
