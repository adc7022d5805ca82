"""Verdicts on cells: one test per verdict, the money, and tables of any kind."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.measurement import MeasurementSettings, measure
from pipelines.measurement.always_valid import boundary
from pipelines.measurement.cells import ARMS, CELLS, RESULT, RESULT_KEY

SETTINGS = MeasurementSettings()
SHARES = ("conversion", "wake_up", "unsubscribed", "complained")


def cell(metric="conversion", treated=(9_000, 450), holdout=(1_000, 50), **changed):
    """A row of cells: people and the sum of the metric in each arm, and for a mean its sum of squares."""
    return {
        "campaign_id": "ask_2026_03",
        "arm": "treated",
        "control_arm": "holdout",
        "segment_dim": "all",
        "segment": "all",
        "metric": metric,
        "kind": "share" if metric in SHARES else "mean",
        "variant": "",
        "looks": "once",
        "window_days": 30,
        "matured_on": date(2026, 4, 30),
        "is_matured": True,
        "contact_cost": 900.0,
        "incentive_cost": 100.0,
        **{
            name: value
            for arm, sums in (("treated", treated), ("holdout", holdout))
            for name, value in zip((arm, f"{arm}_sum", f"{arm}_squares"), (*sums, sums[-1])[:3], strict=True)
        },
        **changed,
    }


def judge(*cells, arms=(), settings=SETTINGS):
    rows = [
        {
            "campaign_id": "ask_2026_03",
            "arm": name,
            "is_control": name == "holdout",
            "units": n,
            "planned_share": s,
        }
        for name, n, s in arms
    ]
    return measure(pl.DataFrame(cells, schema=CELLS), pl.DataFrame(rows, schema=ARMS), settings)


def verdict(*cells, **given):
    return judge(*cells, **given)["verdict"].to_list()


CLEAR = {"treated": (9_000, 700), "holdout": (1_000, 40)}


def test_the_result_has_the_columns_of_the_published_table():
    found = judge(cell("net_margin", (9_000, 13_500.0, 7e5), (1_000, 1_500.0, 8e4)), cell())

    assert dict(found.schema) == {name: of() for name, of in RESULT.items()}
    assert found.select(RESULT_KEY).rows() == sorted(found.select(RESULT_KEY).rows())
    assert found["method"].to_list() == ["newcombe_wilson", "newcombe_score"]
    assert found["treated_rate"].to_list() == pytest.approx([0.05, 1.5])


def test_a_clear_rise_is_effective_and_a_clear_fall_harmful():
    assert verdict(cell(**CLEAR)) == ["effective"]
    assert verdict(cell(treated=(9_000, 200), holdout=(1_000, 60))) == ["harmful"]


@pytest.mark.parametrize("metric", ["unsubscribed", "complained"])
def test_more_who_turn_away_are_harmful(metric):
    assert verdict(cell(metric, **CLEAR)) == ["harmful"]
    assert verdict(cell(metric, treated=(9_000, 200), holdout=(1_000, 60))) == ["effective"]


def test_what_is_too_small_says_what_it_could_have_seen():
    found = judge(cell(treated=(450, 23), holdout=(50, 2)))

    assert found["verdict"].to_list() == ["too_small_to_tell"]
    assert found["minimum_detectable_effect"][0] > SETTINGS.smallest_effect["conversion"]


def test_no_effect_is_seen_where_one_worth_seeing_would_be():
    found = judge(cell(treated=(100_000, 5_000), holdout=(100_000, 5_010)))

    assert found["verdict"].to_list() == ["no_effect_seen"]
    assert found["minimum_detectable_effect"][0] < SETTINGS.smallest_effect["conversion"]


def test_a_split_that_went_wrong_invalidates_everything():
    arms = [("treated", 9_400, 0.5), ("holdout", 10_600, 0.5)]

    assert (
        verdict(cell(**CLEAR), cell(is_matured=False, metric="wake_up"), arms=arms) == ["invalid_split"] * 2
    )
    assert verdict(cell(**CLEAR), arms=[("treated", 9_950, 0.5), ("holdout", 10_050, 0.5)]) == ["effective"]


def test_a_campaign_is_judged_when_its_last_window_has_closed():
    found = judge(cell(**CLEAR, is_matured=False))

    assert found["verdict"].to_list() == ["too_early"]
    assert found["lift"][0] > 0
    assert found["adjusted_p_value"].to_list() == [None]


def test_what_may_be_judged_on_any_day_waits_until_it_is_decisive():
    early = {"looks": "any", "is_matured": False}
    found = judge(
        cell(**CLEAR, **early),
        cell("wake_up", **early),
        cell("unsubscribed", (100_000, 5_000), (100_000, 5_010), looks="any"),
    )

    assert found["verdict"].to_list() == ["effective", "no_effect_seen", "too_early"]
    assert set(found["method"]) == {"always_valid"}
    assert found["adjusted_p_value"].null_count() == 0


def test_any_day_takes_a_wider_interval_than_a_single_day():
    once, any_day = judge(cell()), judge(cell(looks="any"))

    people = 0.05 * 0.95 * (1 / 9_000 + 1 / 1_000)
    widened = boundary(people, 0.01, 0.05) / 1.959964
    assert (any_day["ci_high"] - any_day["ci_low"])[0] == pytest.approx(
        widened * (once["ci_high"] - once["ci_low"])[0], rel=0.05
    )
    assert any_day["minimum_detectable_effect"][0] > once["minimum_detectable_effect"][0]


@pytest.mark.parametrize(("is_matured", "expected"), [(True, "too_small_to_tell"), (False, "too_early")])
@pytest.mark.parametrize("looks", ["once", "any"])
def test_an_empty_arm_proves_nothing(is_matured, expected, looks):
    found = judge(cell(holdout=(0, 0), is_matured=is_matured, looks=looks))

    assert found["verdict"].to_list() == [expected]
    statistics = ["holdout_rate", "lift", "std_error", "ci_low", "ci_high", "p_value", "adjusted_p_value"]
    assert found.select(*statistics, "minimum_detectable_effect").row(0) == (None,) * 8
    assert found["treated_rate"][0] == pytest.approx(0.05)


def test_campaign_and_metric_are_a_family_and_variants_are_not():
    found = judge(
        cell(**CLEAR),
        *(cell(segment_dim="value_tier", segment=tier) for tier in ("high", "mid", "low")),
        cell("wake_up", **CLEAR),
        cell(**CLEAR, variant="without_merged"),
        cell(**CLEAR, segment_dim="value_tier", segment="early", is_matured=False),
    )

    factor = found.filter(segment="all").select(
        "metric", "method", times=pl.col("adjusted_p_value") / pl.col("p_value")
    )
    assert factor.sort("metric", "method").rows() == [
        ("conversion", "newcombe_wilson", pytest.approx(4)),
        ("conversion", "newcombe_wilson_without_merged", pytest.approx(1)),
        ("wake_up", "newcombe_wilson", pytest.approx(1)),
    ]


def test_what_was_gained_is_told_on_every_row_of_the_cell():
    found = judge(
        cell(),
        cell("revenue", (9_000, 36_000.0, 2e6), (1_000, 3_500.0, 2e5)),
        cell("net_margin", (9_000, 13_500.0, 7e5), (1_000, 1_300.0, 8e4)),
        cell(segment_dim="value_tier", segment="high"),
        cell(
            "net_margin",
            segment_dim="value_tier",
            segment="low",
            treated=(9, 9.0, 9.0),
            holdout=(0, 0.0, 0.0),
        ),
        cell("net_margin", segment_dim="channel", segment="push", contact_cost=0, incentive_cost=0),
    )

    everybody = found.filter(segment="all")
    assert everybody["incremental_revenue"].to_list() == pytest.approx([9_000 * (4 - 3.5)] * 3)
    assert everybody["incremental_roi"].to_list() == pytest.approx([(9_000 * (1.5 - 1.3) - 900) / 1_000] * 3)
    parts = found.filter(pl.col("segment") != "all")
    assert parts["incremental_roi"].to_list() == [None] * 3
    assert parts["incremental_revenue"].to_list() == [None] * 3


def test_without_cells_there_is_nothing_to_judge():
    assert judge().shape == (0, len(RESULT))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (cell(kind="median"), "kind: accepted are 'share', 'mean'"),
        (cell(looks="twice"), "looks: accepted"),
        (cell(variant="merged"), "variant: accepted"),
        (cell(metric="joy"), "metric: accepted are 'conversion'"),
        (cell(treated=(10, 11)), "treated_sum: of a share"),
        (cell(holdout=(10, 5, 6)), "holdout_sum: of a share"),
        (cell(treated=(-1, 0)), "treated: accepted are numbers from 0"),
        (cell("revenue", (0, 1.0, 1.0)), "treated_sum: without people"),
        (cell("revenue", (5, 1.0, -1.0)), "treated_squares: accepted"),
        (cell("revenue", (5, float("nan"), 1.0)), "treated_sum is not finite"),
        (cell(is_matured=None), "is_matured is null"),
    ],
)
def test_cells_that_break_the_rules_are_refused(row, message):
    with pytest.raises(ValueError, match=message):
        judge(row)


def test_a_row_twice_and_a_missing_column_are_refused():
    with pytest.raises(ValueError, match=r"metric of the cell is there twice.*ask_2026_03"):
        judge(cell(), cell())
    with pytest.raises(ValueError, match="cells: columns looks are missing"):
        measure(pl.DataFrame([cell()], schema=CELLS).drop("looks"), pl.DataFrame(schema=ARMS), SETTINGS)
    with pytest.raises(ValueError, match="the arm is there twice"):
        judge(cell(), arms=[("treated", 1, 0.5), ("treated", 1, 0.5)])


@pytest.mark.parametrize("changed", [{"confidence": 1}, {"power": 0}, {"smallest_effect": {"conversion": 0}}])
def test_settings_out_of_range_are_refused(changed):
    with pytest.raises(ValueError, match="accepted are numbers"):
        MeasurementSettings(**changed)


@st.composite
def any_cell(draw):
    """Cells as they come: empty, of one customer, without conversions, of losses, of equal amounts."""
    sums = []
    metric = draw(st.sampled_from(sorted(SETTINGS.smallest_effect)))
    for _ in range(2):
        people = draw(st.sampled_from([0, 1, 2, 7, 300, 100_000]))
        if metric in SHARES:
            count = draw(st.sampled_from([0, people, people // 2, min(people, 3)]))
            sums.append((people, count))
        else:
            buyers = min(people, draw(st.sampled_from([0, 1, 5, people])))
            mean, spread = (
                draw(st.sampled_from([-40.0, 0.0, 0.01, 30.0, 1e7])),
                draw(st.sampled_from([0.0, 1, 900])),
            )
            sums.append((people, buyers * mean, buyers * (mean**2 + spread)))
    return cell(
        metric,
        *sums,
        looks=draw(st.sampled_from(["once", "any"])),
        is_matured=draw(st.booleans()),
        segment=draw(st.uuids()).hex,
        contact_cost=draw(st.sampled_from([0.0, 12.5, None])),
    )


@settings(deadline=None, max_examples=40)
@pytest.mark.filterwarnings("error")
@given(st.lists(any_cell(), min_size=1, max_size=12))
def test_nothing_is_infinite_and_every_interval_contains_its_lift(cells):
    found = judge(*cells)

    assert found.height == len(cells)
    for name, of in RESULT.items():
        if of == pl.Float64:
            assert found[name].drop_nulls().is_finite().all(), name
    inside = found.filter(pl.col("ci_low").is_not_null())
    assert (inside["ci_low"] <= inside["lift"]).all()
    assert (inside["lift"] <= inside["ci_high"]).all()
    decided = found.filter(pl.col("verdict").is_in(["effective", "harmful"]))
    assert (decided["adjusted_p_value"] <= SETTINGS.false_discovery_rate).all()
    assert ((decided["ci_low"] > 0) | (decided["ci_high"] < 0)).all()
