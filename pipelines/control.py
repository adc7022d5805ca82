"""The schema `control`: what a run tells the dbt models just before dbt starts.

Tables, not dbt `--vars`: changed vars make dbt parse the whole project again, and a var with a default date
would build marts for the wrong day in silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.parquet import parquet_source
from pipelines.settings import HighRule, MeasurementSettings, Profile

if TYPE_CHECKING:
    import duckdb


ACTIVATION_SETTINGS = (
    "valid_days",
    "complaint_open_days",
    "browsed_days",
    "woken_days",
    "birthday_lead_days",
    "language",
)
"""Settings of the profile's `activation` that the models read."""


UNLIMITED = datetime(9999, 12, 31)  # noqa: DTZ001 - local time, as everything in the warehouse
"""Everything that is known."""


@dataclass(frozen=True)
class DecisionDate:
    """How the decisions of one date are made.

    Attributes:
        as_of_date: the date.
        is_frozen: its audiences went out; the decisions are history.
        simulated: decided, but nothing goes out.
        run_id: the run that sends; None when simulated.
        known_until: local time up to which purchases, tickets and answers are looked at. What goes out is
            checked against the newest record there is; a simulation sees what was known as its date ended.
    """

    as_of_date: date
    is_frozen: bool
    simulated: bool
    run_id: str | None
    known_until: datetime


def write_profile(con: duckdb.DuckDBPyConnection, profile: Profile, policy_version: str) -> None:
    """Replace what the models know of the profile.

    `control.profile` (one row of business settings), `control.feed_limit` (one per feed),
    `control.attribution_window` (one per channel) and `control.smallest_effect` (one per metric).
    """
    rules = {name: _rule(getattr(profile.rfm.high, name)) for name in ("recency", "frequency", "monetary")}
    con.execute("create schema if not exists control")
    con.execute(
        f"""
        create or replace table control.profile as select
            $name as name, $time_zone as time_zone, $currency as currency,
            {
            ", ".join(
                f"${name}_rule as rfm_{name}_rule, cast(${name}_value as double) as rfm_{name}_value"
                for name in rules
            )
        },
            $min_horizon_days as min_horizon_days, $max_horizon_days as max_horizon_days,
            $activity_x_days as activity_x_days,
            $valid_days as valid_days, $complaint_open_days as complaint_open_days,
            $browsed_days as browsed_days, $woken_days as woken_days,
            $birthday_lead_days as birthday_lead_days, $language as language,
            $campaign_days as campaign_days, $looks as looks,
            $policy_version as policy_version
        """,
        {
            "name": profile.name,
            "time_zone": profile.time_zone,
            "currency": profile.currency,
            **{f"{name}_rule": rule for name, (rule, _) in rules.items()},
            **{f"{name}_value": value for name, (_, value) in rules.items()},
            "min_horizon_days": profile.dormancy.min_horizon_days,
            "max_horizon_days": profile.dormancy.max_horizon_days,
            "activity_x_days": profile.dormancy.activity_x_days,
            **{name: getattr(profile.activation, name) for name in ACTIVATION_SETTINGS},
            "campaign_days": profile.measurement.campaign_days,
            "looks": profile.measurement.looks,
            "policy_version": policy_version,
        },
    )
    _write_measurement(con, profile.measurement)
    con.execute("create or replace table control.feed_limit (feed varchar, max_quarantine_share double)")
    con.executemany(
        "insert into control.feed_limit values (?, ?)",
        [(feed, binding.max_quarantine_share) for feed, binding in profile.feeds.items()],
    )


def write_private_key(con: duckdb.DuckDBPyConnection, key: str) -> None:
    """Replace `control.private_key`: one row with the home's secret, for keys that are made of addresses."""
    con.execute("create schema if not exists control")
    con.execute(
        "create or replace table control.private_key as select cast(? as varchar) as private_key", [key]
    )


def write_as_of_window(con: duckdb.DuckDBPyConnection, dates: Sequence[date]) -> None:
    """Replace `control.as_of_window`: one row with the dates of the run, in order.

    Raises:
        ValueError: there are no dates.
    """
    if not dates:
        raise ValueError("a run of the marts needs at least one as-of date")
    con.execute("create schema if not exists control")
    con.execute(
        """
        create or replace table control.as_of_window as
        select list_min(dates) as start_date, list_max(dates) as end_date, dates as as_of_dates
        from (select cast(? as date[]) as dates)
        """,
        [sorted(set(dates))],
    )


def write_decision_dates(con: duckdb.DuckDBPyConnection, dates: Iterable[DecisionDate]) -> None:
    """Replace `control.decision_date`: one row per date of the run."""
    con.execute("create schema if not exists control")
    con.execute(
        """
        create or replace table control.decision_date (
            as_of_date date, is_frozen boolean, simulated boolean, run_id varchar, known_until timestamp
        )
        """
    )
    con.executemany(
        "insert into control.decision_date values (?, ?, ?, ?, ?)",
        [(d.as_of_date, d.is_frozen, d.simulated, d.run_id, d.known_until) for d in dates],
    )


def write_measured_until(con: duckdb.DuckDBPyConnection, newest: date, known_until: datetime) -> None:
    """Replace `control.measured_until`: one row that says what the KPI tables know.

    Args:
        con: open on the warehouse.
        newest: the newest as-of date there is.
        known_until: local time up to which purchases and answers count.
    """
    con.execute("create schema if not exists control")
    con.execute(
        "create or replace table control.measured_until as "
        "select cast(? as date) as newest, cast(? as timestamp) as known_until",
        [newest, known_until],
    )


def write_parquet_view(
    con: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path], columns: Mapping[str, str]
) -> None:
    """Replace the view `control.<name>` over Parquet files of the lake; typed and empty without files.

    Args:
        con: open on the warehouse.
        name: name of the view.
        files: Parquet files; a column that a file lacks is null in its rows.
        columns: DuckDB type of each column.
    """
    con.execute("create schema if not exists control")
    source = parquet_source(con, files, columns)
    con.execute(f'create or replace view control."{name}" as select * from {source}')


def policy_version(seeds_dir: Path) -> str:
    """Fingerprint of the policy tables, so that a decision tells by which policy it was made."""
    digest = hashlib.sha256()
    for file in sorted(seeds_dir.glob("*.csv")):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _write_measurement(con: duckdb.DuckDBPyConnection, measurement: MeasurementSettings) -> None:
    windows = measurement.window_days.model_dump()
    con.execute("create or replace table control.attribution_window (channel varchar, days integer)")
    con.executemany(
        "insert into control.attribution_window values (?, ?)",
        # A contact whose channel nobody tells is given the longest.
        [*windows.items(), ("other", max(windows.values()))],
    )
    con.execute("create or replace table control.smallest_effect (metric varchar, effect double)")
    con.executemany(
        "insert into control.smallest_effect values (?, ?)",
        list(measurement.smallest_effect.model_dump().items()),
    )


def _rule(rule: HighRule) -> tuple[str, float | None]:
    return (rule, None) if isinstance(rule, str) else ("fixed", float(rule))
