{{ config(
    materialized="incremental",
    incremental_strategy="replace_dates",
    date_column="as_of_date",
    replace_dates_from="activation.int_open_decision_date",
    on_schema_change="fail",
) }}

{%- set columns = [
    "as_of_date",
    "customer_id",
    "customer_kind",
    "episode_id",
    "decision",
    "reason_code",
    "arm",
    "campaign_id",
    "touch_id",
    "journey",
    "step",
    "channel",
    "offer_id",
    "coupon_code",
    "template_id",
    "send_after",
    "send_before",
    "valid_until",
    "priority",
    "expected_cost",
    "expected_margin",
    "contact_cost",
    "choice",
    "guide_class",
    "dormancy_reason",
    "value_tier",
    "address_key",
    "policy_version",
    "simulated",
    "run_id",
] %}

-- depends_on: {{ ref("int_open_decision_date") }}
select {{ columns | join(", ") }}
from {{ ref("int_recall_decision") }}
where not is_frozen
union all
-- Decisions that were sent and that this warehouse no longer has: they come back from the lake.
select {{ columns | join(", ") }}
from {{ control("frozen_decision") }}
