"""Maximum likelihood by SciPy, from several starts, with an answer to "did it converge?"."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np

Objective: TypeAlias = "Callable[[np.ndarray], tuple[float, np.ndarray]]"
"""Mean negative log-likelihood and its gradient, at the logarithms of the parameters."""

LOWEST, HIGHEST = 1e-5, 1e5
"""Bounds of every parameter: beyond them the likelihood is flat."""

FLAT = 1e-6
"""Slope of the mean log-likelihood, by the logarithm of a parameter, at which a search has arrived."""


class NotFittedError(ValueError):
    """The likelihood has no maximum that the data decide; says which parameter ran away, or why else."""


@dataclass(frozen=True)
class Maximum:
    """Where the likelihood is highest.

    Attributes:
        values: the parameters, in the order of the starts.
        mean_log_likelihood: log-likelihood per observation.
    """

    values: tuple[float, ...]
    mean_log_likelihood: float


def maximise(
    objective: Objective,
    starts: Sequence[Sequence[float]],
    names: Sequence[str],
    *,
    decided: Sequence[str] = (),
) -> Maximum:
    """Find the positive parameters with the highest likelihood.

    Args:
        objective: mean negative log-likelihood and its gradient with respect to the parameters' logarithms.
        starts: parameters to start from; the best end counts.
        names: what the parameters are called, for errors.
        decided: parameters that must end within their bounds. Others may run to a bound, where a weakly
            identified parameter does no harm (a heterogeneity of drop-out that nobody shows, say).

    Raises:
        NotFittedError: no start converged, or a parameter of `decided` ended at its bound.
    """
    import numpy as np  # noqa: PLC0415 - loading the definitions needs no numbers
    from scipy.optimize import minimize  # noqa: PLC0415

    bounds = [(math.log(LOWEST), math.log(HIGHEST))] * len(names)
    best = None
    messages = []
    for start in starts:
        found = minimize(
            objective,
            np.clip(np.log(np.asarray(start, dtype=float)), *bounds[0]),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7},
        )
        # The search also gives up at the top, where rounding hides any further rise.
        at_rest = np.abs(_inward(found.x, found.jac, bounds)).max() < FLAT
        if not ((found.success or at_rest) and np.isfinite(found.fun)):
            messages.append(str(found.message))
        elif best is None or found.fun < best.fun:
            best = found
    if best is None:
        raise NotFittedError(f"no start converged: {'; '.join(sorted(set(messages)))}")
    values = tuple(float(value) for value in np.exp(best.x))
    for name, value, (low, high), log_value in zip(names, values, bounds, best.x, strict=True):
        if name in decided and not low + 1e-6 < log_value < high - 1e-6:
            raise NotFittedError(f"{name} ran to its bound {value:.3g}: the data do not decide it")
    return Maximum(values, -float(best.fun))


def _inward(log_values: np.ndarray, slope: np.ndarray, bounds: Sequence[tuple[float, float]]) -> np.ndarray:
    """The slope without what would lead out of the bounds."""
    import numpy as np  # noqa: PLC0415

    low, high = np.array(bounds).T
    outward = ((log_values <= low) & (slope > 0)) | ((log_values >= high) & (slope < 0))
    return np.where(outward, 0.0, slope)
