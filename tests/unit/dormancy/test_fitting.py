"""Maximum likelihood: found from any start, and an error where nothing is decided."""

import math

import numpy as np
import pytest

from pipelines.dormancy import fitting
from pipelines.dormancy.fitting import NotFittedError, maximise


def bowl(*lowest):
    """Lowest at the given parameters."""
    centre = np.log(lowest)

    def objective(log_values):
        away = log_values - centre
        return float(away @ away), 2 * away

    return objective


def test_the_maximum_is_found_with_its_likelihood():
    found = maximise(bowl(3.0, 0.2), [(1.0, 1.0)], ("x", "y"), decided=("x", "y"))

    assert found.values == pytest.approx((3.0, 0.2), rel=1e-5)
    assert found.mean_log_likelihood == pytest.approx(0, abs=1e-9)


def test_the_best_of_several_ends_counts():
    def two_valleys(log_values):
        (x,) = log_values
        value = math.cos(3 * x) - 0.1 * x
        return value, np.array([-3 * math.sin(3 * x) - 0.1])

    lower, higher = ((math.exp(x),) for x in (3.0, 1.0))
    best = maximise(two_valleys, [lower], ("x",))

    assert maximise(two_valleys, [higher, lower], ("x",)) == best
    assert maximise(two_valleys, [lower, higher], ("x",)) == best
    assert maximise(two_valleys, [higher], ("x",)).mean_log_likelihood < best.mean_log_likelihood


def downhill(log_values):
    """Ever better towards small values of the second parameter, which it does not decide."""
    x, y = log_values
    return x * x + 0.01 * y, np.array([2 * x, 0.01])


def test_a_parameter_at_its_bound_is_named():
    with pytest.raises(NotFittedError, match="y ran to its bound 1e-05: the data do not decide it"):
        maximise(downhill, [(2.0, 1.0)], ("x", "y"), decided=("x", "y"))


def test_a_parameter_that_need_not_be_decided_may_end_at_its_bound():
    found = maximise(downhill, [(2.0, 1.0)], ("x", "y"), decided=("x",))

    assert found.values == pytest.approx((1.0, fitting.LOWEST), rel=1e-4)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "objective",
    [
        pytest.param(lambda log_values: (math.nan, np.array([1.0])), id="not a number"),
        pytest.param(lambda log_values: (math.inf, np.array([1.0])), id="infinite"),
        pytest.param(lambda log_values: (float(log_values[0]), np.array([-1.0])), id="a wrong gradient"),
    ],
)
def test_no_convergence_is_told(objective):
    with pytest.raises(NotFittedError, match="no start converged: "):
        maximise(objective, [(1.0,), (2.0,)], ("x",))


def test_a_search_that_is_cut_short_is_told(monkeypatch):
    """Rosenbrock's valley takes more than the iterations that are allowed."""

    def valley(log_values):
        x, y = log_values
        return 100 * (y - x * x) ** 2 + (1 - x) ** 2, np.array(
            [-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)]
        )

    import scipy.optimize  # noqa: PLC0415

    whole = scipy.optimize.minimize

    def short(*arguments, options, **named):
        return whole(*arguments, options=options | {"maxiter": 2}, **named)

    assert maximise(valley, [(0.3, 3.0)], ("x", "y")).values == pytest.approx((math.e, math.e), rel=1e-4)
    monkeypatch.setattr(scipy.optimize, "minimize", short)
    with pytest.raises(NotFittedError, match=r"no start converged: .*ITERATIONS"):
        maximise(valley, [(0.3, 3.0)], ("x", "y"))


def test_a_search_that_gives_up_at_the_top_has_arrived(monkeypatch):
    """As where rounding hides any further rise: the search says that it failed, the slope says it did not."""
    import scipy.optimize  # noqa: PLC0415

    whole = scipy.optimize.minimize

    def gives_up(*arguments, **named):
        found = whole(*arguments, **named)
        found.success, found.message = False, "ABNORMAL"
        return found

    monkeypatch.setattr(scipy.optimize, "minimize", gives_up)

    assert maximise(bowl(3.0), [(1.0,)], ("x",)).values == pytest.approx((3.0,), rel=1e-5)
    # At a bound only the slope that leads inwards counts.
    found = maximise(downhill, [(2.0, 1.0)], ("x", "y"), decided=("x",))
    assert found.values[1] == pytest.approx(fitting.LOWEST)
