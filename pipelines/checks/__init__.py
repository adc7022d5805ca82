"""Gates: what must be true of a stage's tables before the next stage may use them.

A *suite* (`expectations/<stage>/<table>.yaml`, see `suites`) says what one table must satisfy. The `runner`
validates suites with Great Expectations inside the warehouse's own DuckDB connection, `verdicts` keeps what
came out in `quality.gate_log`, and `gates` puts one blocking Dagster check operation after each stage.
Great Expectations takes seconds to import, so that only the runner imports it, when it runs.
"""
