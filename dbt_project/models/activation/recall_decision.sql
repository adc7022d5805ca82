{{ config(
    materialized="incremental",
    incremental_strategy="replace_dates",
    date_column="as_of_date",
    replace_dates_from="activation.int_open_decision_date",
    on_schema_change="fail",
) }}

-- depends_on: {{ ref("int_open_decision_date") }}
select * exclude (is_frozen, unit_id, holdout_period, control_share)
from {{ ref("int_recall_decision") }}
where not is_frozen
union all by name
-- Decisions that were sent and that this warehouse no longer has: they come back from the lake.
select * from {{ control("frozen_decision") }}
