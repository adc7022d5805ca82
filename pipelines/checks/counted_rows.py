"""Unexpected rows, counted only.

Great Expectations runs the query of an `UnexpectedRowsExpectation` twice, for the number of rows and for the
rows themselves. Nearly always there are none, and the number says so. Importing this module imports Great
Expectations, which takes seconds: import it inside functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from great_expectations.expectations.core import UnexpectedRowsExpectation

if TYPE_CHECKING:
    from great_expectations.execution_engine import ExecutionEngine


class CountedUnexpectedRows(UnexpectedRowsExpectation):
    """Whether the query gives no rows; which ones it gives, the class it comes from tells."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,  # noqa: ARG002 - Great Expectations gives it
        execution_engine: ExecutionEngine | None = None,  # noqa: ARG002 - likewise
    ) -> dict[str, Any]:
        return {"success": metrics["unexpected_rows_query.row_count"] == 0}
