"""What pydantic finds wrong, in a user's words."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, field_validator

from cutgate.validation import in_words


class Inner(BaseModel):
    level: Annotated[int, Field(ge=0, le=9)] = 0


class Everything(BaseModel):
    """A field for each kind of error."""

    model_config = ConfigDict(extra="forbid")

    needed: str
    level: Annotated[int, Field(ge=0, le=40)] = 0
    aliased: Annotated[float, Field(alias="Aliased", ge=0.5, le=2)] = 1
    count: PositiveInt = 1
    most: Annotated[int, Field(le=5)] = 1
    flag: bool = False
    name: Annotated[str, Field(min_length=2, max_length=3, pattern="^[a-z]*$")] = "ab"
    some: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    choice: Literal["a", "b"] = "a"
    inner: Inner = Inner()
    own: int = 0

    @field_validator("own")
    @classmethod
    def _is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"needed": None}, "must be a string"),
        ({"unknown": 1}, "is not a field of this request"),
        ({"level": -1}, "must be 0 to 40"),
        ({"level": 41}, "must be 0 to 40"),
        ({"level": "x"}, "must be an integer"),
        ({"level": 1.5}, "must be an integer"),
        ({"Aliased": 3}, "must be 0.5 to 2"),
        ({"Aliased": "x"}, "must be a number"),
        ({"count": 0}, "must be more than 0"),
        ({"most": 6}, "must be at most 5"),
        ({"flag": "perhaps"}, "must be true or false"),
        ({"name": "a"}, "must have at least 2 characters"),
        ({"name": "abcd"}, "must have at most 3 characters"),
        ({"name": "AB"}, "must match ^[a-z]*$"),
        ({"some": []}, "must have at least 1 elements"),
        ({"some": [1, 2, 3]}, "must have at most 2 elements"),
        ({"some": 1}, "must be an array"),
        ({"some": ["x"]}, "must be an integer"),
        ({"choice": "c"}, "must be 'a' or 'b'"),
        ({"inner": 1}, "must be an object"),
        ({"inner": {"level": 10}}, "must be at most 9"),
        ({"own": 1}, "must be even"),
    ],
)
def test_each_kind_of_error_has_its_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Everything.model_validate({"needed": "x"} | given)
    assert [in_words(problem, Everything) for problem in raised.value.errors()] == [said]


def test_what_is_missing_is_required() -> None:
    with pytest.raises(ValidationError) as raised:
        Everything.model_validate({})
    assert [in_words(problem, Everything) for problem in raised.value.errors()] == ["is required"]
