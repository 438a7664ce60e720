from __future__ import annotations

import numpy as np
import pytest

from sdsafe.bindings.watermark.statistics import Gumbel, allowance, fit_gumbel, p_value, rate_bound


def test_the_default_rate_leaves_four_thousand_messages() -> None:
    assert allowance(1e-6) == 4294
    assert allowance(1e-10) == 0


@pytest.mark.parametrize("rate", [0, 1, -1, 2])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        allowance(rate)


def test_p_values_grow_with_what_was_looked_at() -> None:
    assert p_value(1) == 2.0**-32
    assert p_value(100) == pytest.approx(100 * 2.0**-32)
    assert p_value(10**12) == 1


def test_nothing_in_n_trials_bounds_the_rate_by_three_in_n() -> None:
    assert rate_bound(0, 5000) == pytest.approx(3 / 5000, rel=0.01)
    assert rate_bound(5, 5) == 1


def test_the_gumbel_fit_finds_what_made_the_values() -> None:
    values = np.random.default_rng(0).gumbel(5.9, 0.25, 5000)
    fit = fit_gumbel(values.tolist())
    assert fit.location == pytest.approx(5.9, abs=0.02)
    assert fit.scale == pytest.approx(0.25, abs=0.01)


def test_quantile_and_tail_undo_each_other() -> None:
    fit = Gumbel(6.0, 0.3)
    assert fit.tail(fit.quantile(1e-6)) == pytest.approx(1e-6, rel=1e-6)


@pytest.mark.parametrize("values", [[1.0] * 20, [1.0, 2.0]])
def test_too_little_is_not_fitted(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least ten"):
        fit_gumbel(values)
