"""Intervals by resampling, ratios, the worst photo, bounds."""

import numpy as np
import pytest

from benchmarks.bounds import at_least, at_most
from benchmarks.quality.scores import (
    ALL,
    MEASURES,
    Scored,
    bootstrap,
    carrier_of,
    geometric_mean_ratio,
    ratio_of_means,
    ratio_of_medians,
    share_lower,
    worst_photo,
)

THEIRS = np.array([10.0, 20.0, 30.0, 40.0, 50.0])


def rows(categories: list[str], value: float) -> list[dict[str, object]]:
    return [
        {"name": str(place), "category": category, **dict.fromkeys(MEASURES, value)}
        for place, category in enumerate(categories)
    ]


def test_one_ratio_for_all_photos_leaves_no_doubt() -> None:
    estimate = bootstrap(0.8 * THEIRS, THEIRS, geometric_mean_ratio)
    assert [estimate.value, estimate.low, estimate.high] == pytest.approx([0.8, 0.8, 0.8])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        theirs = rng.uniform(20, 40, 40)
        ours = theirs * np.exp(rng.normal(np.log(0.9), 0.3, 40))
        estimate = bootstrap(ours, theirs, geometric_mean_ratio, draws=400)
        covered += estimate.low <= 0.9 <= estimate.high
    assert 0.88 <= covered / 200 <= 0.99


def test_pairs_stay_together() -> None:
    # Unpaired, photos as different as these would give a wide interval.
    theirs = np.array([1.0, 1000.0, 3.0, 700.0])
    estimate = bootstrap(theirs / 2, theirs, ratio_of_means)
    assert [estimate.low, estimate.high] == pytest.approx([0.5, 0.5])


def test_equal_is_not_lower_and_a_perfect_photo_has_a_finite_ratio() -> None:
    lower = bootstrap(np.array([1.0, 2.0, 3.0, 3.0]), np.array([2.0, 2.0, 4.0, 1.0]), share_lower)
    assert lower.value == 0.5
    assert np.isfinite(bootstrap(np.array([0.0, 1.0]), np.array([1.0, 1.0]), geometric_mean_ratio).low)


def test_many_photos_of_one_subject_are_no_many_subjects() -> None:
    rng = np.random.default_rng(0)
    theirs = rng.uniform(20, 40, 60)
    ours = theirs * np.repeat(np.exp(rng.normal(0, 0.3, 6)), 10)
    alone = bootstrap(ours, theirs, geometric_mean_ratio)
    by_subject = bootstrap(ours, theirs, geometric_mean_ratio, np.repeat(list("abcdef"), 10))
    assert by_subject.value == alone.value
    assert by_subject.high - by_subject.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("count", [5, 6])
def test_medians_are_the_usual_ones(count: int) -> None:
    ours, theirs = np.random.default_rng(count).uniform(1, 9, (2, count))
    assert bootstrap(ours, theirs, ratio_of_medians).value == pytest.approx(np.median(ours) / np.median(theirs))
    first_twice = np.array([[2.0] + [1.0] * (count - 1)])
    expected = np.median([*ours, ours[0]]) / np.median([*theirs, theirs[0]])
    assert ratio_of_medians(ours, theirs, first_twice)[0] == pytest.approx(expected)


def test_the_photo_that_carries_a_mean_is_found() -> None:
    ours, theirs = (Scored.of(rows(["a"] * 4, value)) for value in (9.0, 10.0))
    theirs.values["SAD"][2] = 100.0
    assert carrier_of(ours, theirs) == 2


def test_the_worst_photo_is_named_and_next_to_nothing_is_no_harm() -> None:
    before, after = (Scored.of(rows(["a"] * 3, 10.0)) for _ in range(2))
    after.values["SAD"][1] = 11.5
    before.values["SAD"][2], after.values["SAD"][2] = 0.01, 0.04
    name, ratio = worst_photo(after, before, "SAD")
    assert (name, round(ratio, 9)) == ("1", 1.15)


def test_methods_meet_on_the_photos_of_both() -> None:
    ours, theirs = Scored.of(rows(["a", "b", "a"], 5.0)), Scored.of(rows(["a", "b", "a"], 6.0)[1:])
    assert ours.among(theirs).names == theirs.names == ("1", "2")
    assert ours.among(theirs).values["SAD"].size == 2


@pytest.mark.parametrize("other", [np.array([]), np.array([1.0]), THEIRS[None]])
def test_scores_of_other_photos_are_refused(other: np.ndarray) -> None:
    with pytest.raises(ValueError, match="same photos"):
        bootstrap(other, THEIRS if other.size else other, ratio_of_means)


def test_groups_are_all_photos_and_each_category() -> None:
    groups = Scored.of(rows(["b", "a", "b"], 1.0)).groups()
    assert {name: photos.tolist() for name, photos in groups.items()} == {
        ALL: [True, True, True],
        "a": [False, True, False],
        "b": [True, False, True],
    }


def test_bounds_have_a_side() -> None:
    assert [at_most(0.7).met(value) for value in (0.6, 0.7, 0.8)] == [True, True, False]
    assert [at_least(0.7).met(value) for value in (0.6, 0.7, 0.8)] == [False, True, True]
    assert (at_most(0.7).text(".0%"), at_least(0).text("+.4f")) == ("≤ 70%", "≥ +0.0000")
