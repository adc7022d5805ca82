"""Running again: equal results, nothing sent twice, and no other date touched."""

from datetime import date

import pytest
from story import (
    DATE_COLUMNS,
    MID,
    MONDAY,
    MONTH_END,
    NEWEST_ONLY,
    SATURDAY,
    SENT,
    SNAPSHOTS,
    SUNDAY,
    Moment,
    Story,
)

pytestmark = pytest.mark.xdist_group("story")

FIT_TABLES = ("marts.dormancy_model", "marts.dormancy_model_evaluation", "marts.dormancy_model_calibration")

SENT_IN_ORDER = (SATURDAY, SUNDAY, MONDAY)


def test_a_second_run_changes_no_row_no_exported_byte_and_nothing_in_the_lake(story: Story) -> None:
    first, second = story["monday"], story["monday again"]
    assert second.tables | {SENT: []} == first.tables | {SENT: []}
    # What went out after the first run's core tables were made is in the second's.
    sent = {row["touch_id"] for row in first.decisions(MONDAY).values() if row["touch_id"]}
    added = set(second.tables[SENT]) - set(first.tables[SENT])
    assert sent and {row[second.columns[SENT].index("touch_id")] for row in added} == sent
    assert set(first.tables[SENT]) <= set(second.tables[SENT])
    assert second.exports == first.exports
    assert second.lake == first.lake


def test_a_date_that_was_sent_is_not_sent_again(story: Story) -> None:
    first, second = story["monday"], story["monday again"]
    sent = [row for row in second.decisions(MONDAY).values() if row["decision"] == "send"]
    assert sent, "nobody was sent anything, so nothing was shown"
    assert second.emissions() == first.emissions()
    # The same bytes written anew would be the same list handed out twice.
    assert second.written_at_ns == first.written_at_ns


def test_sent_decisions_keep_the_run_that_sent_them(story: Story) -> None:
    runs = [{row["run_id"] for row in story["monday"].decisions(day).values()} for day in SENT_IN_ORDER]
    assert all(len(ids) == 1 and None not in ids for ids in runs)
    assert len(set.union(*runs)) == len(SENT_IN_ORDER), "each date was sent by a run of its own"
    for day, ids in zip(SENT_IN_ORDER, runs, strict=True):
        assert {row["run_id"] for row in story["month end"].decisions(day).values()} == ids


@pytest.mark.parametrize(
    ("before", "after", "day", "fitted_on"),
    [("monday again", "mid", MID, date(2024, 4, 14)), ("mid", "month end", MONTH_END, date(2024, 5, 26))],
    ids=["mid", "month end"],
)
def test_an_earlier_date_adds_its_own_rows_and_touches_no_others(
    story: Story, before: str, after: str, day: date, fitted_on: date
) -> None:
    added = {table: {day} for table in DATE_COLUMNS} | {table: {fitted_on} for table in FIT_TABLES}
    # MID is beyond retention, so the run after it lets its snapshots go.
    gone = {table: {MID} for table in (*SNAPSHOTS, *NEWEST_ONLY)} if before == "mid" else {}
    assert _dates_of_rows_in(story[after], but_not_in=story[before]) == added
    assert _dates_of_rows_in(story[before], but_not_in=story[after]) == gone


def _dates_of_rows_in(moment: Moment, but_not_in: Moment) -> dict[str, set[date | None]]:
    """By table, the dates of the rows that only one of two moments has; None for rows without a date."""
    dates: dict[str, set[date | None]] = {}
    for table, rows in moment.tables.items():
        column = {**DATE_COLUMNS, **dict.fromkeys(FIT_TABLES, "fitted_on")}.get(table)
        other = {repr(row) for row in but_not_in.tables[table]}
        for row, record in zip(rows, moment.records(table), strict=True):
            if repr(row) not in other:
                dates.setdefault(table, set()).add(record[column] if column else None)
    return dates


def test_an_earlier_date_is_simulated_and_exports_nothing(story: Story) -> None:
    for name, day in (("mid", MID), ("month end", MONTH_END)):
        rows = story[name].decisions(day).values()
        assert {(row["simulated"], row["run_id"]) for row in rows} == {(True, None)}
        assert any(row["decision"] == "send" for row in rows), "a simulation decides as if it could send"
        assert not (story.home.settings.audiences_dir / f"as_of={day}").exists()
        assert story[name].exports == story["monday"].exports
        assert story[name].emissions() == story["monday"].emissions()


def test_who_was_selected_yesterday_waits_today(story: Story) -> None:
    moment = story["monday"]
    yesterday, today = moment.decisions(SATURDAY), moment.decisions(SUNDAY)
    states = {
        row["customer_id"]: row["dormancy_state"] for row in moment.records("marts.customer_dormancy", SUNDAY)
    }
    waiting: dict[str, set[tuple[str, str]]] = {"send": set(), "holdout": set()}
    for customer, row in yesterday.items():
        if row["decision"] in waiting:
            then = today[customer]
            assert then["decision"] not in ("send", "holdout"), customer
            if states[customer] in ("dormant", "deep_dormant"):
                waiting[row["decision"]].add((then["decision"], then["reason_code"]))
    assert waiting == {
        decision: {("deferred", "journey_waiting"), ("no_action", "journey_done")} for decision in waiting
    }


def test_a_date_beyond_retention_is_let_go_and_its_movements_stay(story: Story) -> None:
    end = story["month end"]
    for table in SNAPSHOTS:
        assert end.dates(table) == {MONTH_END, *SENT_IN_ORDER}, table
    for table in NEWEST_ONLY:
        assert end.dates(table) == {MONTH_END, SENT_IN_ORDER[-1]}, table
    assert end.dates("marts.segment_movement") == {MID, MONTH_END, *SENT_IN_ORDER}
