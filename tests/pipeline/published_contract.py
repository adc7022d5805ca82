"""The published contract as section 5 of the design has it, written out: analysts' queries rely on it."""

from collections.abc import Iterator

import duckdb

COLUMNS: dict[str, str] = {
    "core.customer": (
        "customer_id customer_kind first_seen_on channels sex birth_year city home_store tier points_balance "
        "points_expiring_on spend_to_next_tier email_domain reachable_email reachable_sms reachable_push "
        "reachable_social reachable_phone reachable_crm first_purchase_on last_purchase_on last_activity_on "
        "purchase_days orders net_revenue return_rate favourite_category seasonal preferred_channel "
        "price_sensitivity account_count"
    ),
    "core.customer_alias": "customer_id",
    "core.customer_account": "source account_key customer_id",
    "core.customer_field": "customer_id field value_class source rule",
    "core.purchase_day": (
        "customer_id purchased_on channel orders units gross_amount discount_amount returned_amount "
        "net_amount"
    ),
    "core.order_line": "line_id customer_id product_id quantity amount",
    "core.session": "session_id customer_id",
    "core.ticket": "ticket_id customer_id",
    "core.survey_response": "response_id customer_id answered_at reason_code score",
    "core.touch": "touch_id campaign_id customer_id arm channel offer_id sent_at",
    "core.product": (
        "product_id name category active in_stock return_rate complaint_rate median_repurchase_days"
    ),
    "marts.customer_rfm": (
        "as_of_date customer_id recency_days frequency monetary r_score f_score m_score recency_high "
        "frequency_high monetary_high guide_class guide_class_zh guide_class_exact segment_8 segment_8_zh "
        "segment_11"
    ),
    "marts.customer_dormancy": (
        "as_of_date customer_id customer_kind method model_version model_category purchase_days "
        "expected_gap_days expected_next_purchase_on days_since_purchase days_since_activity p_alive "
        "p_active horizon_days theta seasonal dormant_from_date dormancy_state dormant_since dormancy_days "
        "value_tier expected_value episode_id primary_reason explanation explanation_zh"
    ),
    "marts.dormancy_model": (
        "model_version model_category method fitted_on customers k r alpha a b tuned_x_days theta "
        "log_likelihood converged refused"
    ),
    "marts.dormancy_model_evaluation": (
        "model_version fitted_on cutoff horizon_days label category method customers base_rate auc "
        "precision_at_equal_count false_flag_rate calibration_error chosen"
    ),
    "marts.dormancy_model_calibration": (
        "model_version fitted_on cutoff label category method bin customers foretold observed"
    ),
    "marts.dormancy_reason": "as_of_date customer_id reason sub_reason score rank evidence",
    "marts.recommendation": "as_of_date customer_id list rank product_id score why message_rank",
    "marts.segment_movement": "customer_id scheme from_segment to_segment moved_on",
    # The coupon code stands in the private database and the exports only.
    "activation.recall_decision": (
        "as_of_date customer_id customer_kind episode_id decision reason_code arm campaign_id touch_id "
        "journey step channel offer_id template_id send_after valid_until priority expected_cost "
        "expected_margin policy_version simulated run_id"
    ),
    "activation.offer_audit": (
        "as_of_date product_id guide_class offer_id customers list_price price_after_offer classes "
        "price_spread"
    ),
    "activation.assignment": "unit_id customer_id holdout_period arm assigned_on episode_id",
    "kpi.recall_outcome": (
        "as_of_date period_start campaign_id journey step template_id guide_class dormancy_reason value_tier "
        "channel offer_id targeted sent delivered opened clicked responded woken converted orders revenue "
        "margin cost response_rate wake_up_rate conversion_rate average_order_value roi unsubscribe_rate "
        "matured"
    ),
    "kpi.incrementality": (
        "campaign_id arm control_arm segment_dim segment metric method window_days treated holdout "
        "treated_rate holdout_rate lift std_error ci_low ci_high p_value srm_p_value "
        "minimum_detectable_effect incremental_revenue incremental_roi matured_on verdict"
    ),
    "kpi.dormancy_overview": ("as_of_date dormancy_state value_tier primary_reason customers expected_value"),
    "kpi.reason_overview": "as_of_date model_category guide_class primary_reason customers share",
    "kpi.redormancy": "cohort woken_by woken asleep_again median_days same_reason_share",
    "kpi.cohort_retention": "cohort_month month customers active net_revenue",
    "kpi.channel_preference": (
        "segment_dim segment channel offer_kind touches responses smoothed_rate low high lift lift_low "
        "lift_high"
    ),
    "kpi.target": "measured_on metric direction target actual met",
    "quality.gate_results": (
        "run_id stage suite as_of_date checked_at passed expectations failed errored details"
    ),
    "quality.ingestions": (
        "ingestion_id feed source content_sha256 rows_read rows_loaded rows_quarantined rows_duplicate "
        "quarantined_by_reason ingested_at current"
    ),
}
"""Columns that each table must have, in this order. There may be more: for a few the design names none."""

MONEY = {
    "net_revenue", "gross_amount", "discount_amount", "returned_amount", "net_amount", "amount", "monetary",
    "expected_value", "expected_cost", "expected_margin", "spend_to_next_tier", "revenue", "margin", "cost",
    "incremental_revenue",
}  # fmt: skip
"""Columns in the profile's currency."""

PERSONAL = {
    "email", "phone", "mobile", "address", "birth_date", "birthday", "card", "card_number", "push_token",
    "token", "open_id", "first_name", "last_name", "full_name", "text", "original", "evidence_text",
    "coupon_code",
}  # fmt: skip
"""Names of columns that hold personal data in the clear; a product alone may have a name."""

_Connection = duckdb.DuckDBPyConnection


def faults(con: _Connection) -> list[str]:
    """What of the published file is not as the contract says; empty when all is."""
    columns: dict[str, dict[str, tuple[str, str | None]]] = {}
    for schema, table, name, kind, comment in con.execute(
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns() "
        "where not internal order by schema_name, table_name, column_index"
    ).fetchall():
        columns.setdefault(f"{schema}.{table}", {})[name] = (kind, comment)
    return [*_wrong_tables(con, columns), *_wrong_columns(columns)]


def _wrong_tables(con: _Connection, columns: dict[str, dict[str, tuple[str, str | None]]]) -> Iterator[str]:
    for table in sorted(COLUMNS.keys() ^ columns.keys()):
        yield f"{table} is {'missing' if table in COLUMNS else 'not in the contract'}"
    for schema, table, comment in con.execute(
        "select schema_name, table_name, comment from duckdb_tables()"
    ).fetchall():
        if not comment:
            yield f"{schema}.{table} has no comment"
    for (view,) in con.execute("select view_name from duckdb_views() where not internal").fetchall():
        yield f"{view} is a view: it would look for tables that are not there"


def _wrong_columns(columns: dict[str, dict[str, tuple[str, str | None]]]) -> Iterator[str]:
    for table, found in columns.items():
        wanted = COLUMNS.get(table, "").split()
        if [name for name in found if name in wanted] != wanted:
            yield f"{table} has the columns {', '.join(found)}; the contract says {', '.join(wanted)}"
        for name, (kind, comment) in found.items():
            if not comment:
                yield f"{table}.{name} has no comment"
            if name in PERSONAL or (name == "name" and table != "core.product"):
                yield f"{table}.{name} is personal data in the clear"
            if name in MONEY and kind != "DECIMAL(18,2)":
                yield f"{table}.{name} is {kind}; money is DECIMAL(18,2)"
            if name == "as_of_date" or name.endswith("_on"):
                if kind != "DATE":
                    yield f"{table}.{name} is {kind}; dates are DATE"
            elif name.endswith("_id") and kind != "VARCHAR":
                yield f"{table}.{name} is {kind}; ids are text"
