"""A constant changes only where every fold chooses it and what it has not seen gains."""

import numpy as np
import pytest

from benchmarks.quality.choose import CONSTANTS, Trial

FOLDS = np.repeat(np.arange(5), 8)
SUBJECTS = tuple(f"{number // 4}" for number in range(40))
IN_USE = np.random.default_rng(0).uniform(5, 50, 40)


def trial(ratios: np.ndarray) -> Trial:
    """Of a candidate 2 beside the 1 in use."""
    return Trial(FOLDS, SUBJECTS, 1.0, {1.0: IN_USE, 2.0: IN_USE * ratios})


def test_what_every_fold_chooses_and_none_regrets_is_chosen() -> None:
    better = trial(np.full(40, 0.9))
    assert set(better.chosen().values()) == {2.0}
    assert better.held_out().value == pytest.approx(0.9)
    assert better.verdict() == 2.0


def test_what_one_fold_alone_gains_by_is_not_chosen() -> None:
    """The others would not choose it, and that one, which would, is not asked."""
    flattered = trial(np.where(FOLDS == 3, 0.5, 1.05))
    assert flattered.chosen()[3] == 1.0
    assert flattered.verdict() is None
    assert "it stays" in flattered.markdown()


def test_equals_leave_what_is_in_use() -> None:
    assert set(trial(np.ones(40)).chosen().values()) == {1.0}


def test_noise_is_no_gain() -> None:
    assert trial(0.99 * np.exp(np.random.default_rng(1).normal(0, 0.4, 40))).verdict() is None


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_is_set_for_a_while(name: str) -> None:
    constant, in_use = CONSTANTS[name]
    before = getattr(constant.module, constant.name)
    np.testing.assert_array_equal(constant.made(in_use), before)
    for candidate in constant.candidates:
        with constant.set_to(candidate):
            np.testing.assert_array_equal(getattr(constant.module, constant.name), constant.made(candidate))
    assert getattr(constant.module, constant.name) is before
