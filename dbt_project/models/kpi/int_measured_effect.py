"""What the sums of the arms say of an effect: the statistics are those of `pipelines.measurement`."""

import polars as pl

from pipelines.measurement import MeasurementSettings, measure


def model(dbt, session):
    """Judge every cell of `int_experiment_cell`; see `pipelines.measurement.measure`."""
    dbt.config(materialized="table")
    smallest = dict(session.sql("select metric, effect from control.smallest_effect").fetchall())
    effects = measure(
        pl.DataFrame(dbt.ref("int_experiment_cell").to_arrow_table()),
        pl.DataFrame(dbt.ref("int_experiment_arm").to_arrow_table()),
        MeasurementSettings(smallest_effect=smallest),
    )
    return session.from_arrow(effects.to_arrow())
