import pytest

from cutgate.jobs.spec import DEFAULT_MODEL, PRESETS, ModelChoice, Precision, parse_choices


@pytest.mark.parametrize(
    ("text", "lane"),
    [
        ("best", "birefnet-general:exact"),
        ("exact", f"{DEFAULT_MODEL}:exact"),
        ("fast", f"{DEFAULT_MODEL}:fast"),
        ("u2netp", "u2netp:exact"),
        ("isnet-general-use:fast", "isnet-general-use:fast"),
    ],
)
def test_a_choice_is_a_preset_a_model_or_both_parts(text: str, lane: str) -> None:
    choice = ModelChoice.parse(text)
    assert (choice.lane, str(choice)) == (lane, lane)
    assert ModelChoice.parse(str(choice)) == choice


@pytest.mark.parametrize("text", ["", ":fast", "a/b", "m:slow", "m:fast:fast", "best:fast", "m:", "a b"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a preset"):
        ModelChoice.parse(text)


def test_several_are_split_by_commas_and_count_once() -> None:
    assert parse_choices(" best, fast ,birefnet-general:exact,,") == (PRESETS["best"], PRESETS["fast"])
    assert parse_choices("") == ()


def test_fast_is_the_default_models() -> None:
    assert PRESETS["fast"].precision is Precision.FAST
    assert {choice.model for name, choice in PRESETS.items() if name != "best"} == {DEFAULT_MODEL}
