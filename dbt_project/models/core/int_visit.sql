{{ config(
    materialized="incremental",
    incremental_strategy="replace_keys",
    key_column="visitor_id",
    replace_keys_from="core.int_touched_visitor",
    on_schema_change="fail",
    post_hook="{{ note_files('web_events', 'int_visit') }}",
) }}

-- Visits of each visitor: events with no more than half an hour between them. Only the visitors of new events are
-- looked at again. Whose visits they are is not said here: that changes with every account that is linked.
-- depends_on: {{ ref("int_touched_visitor") }}
with events as (

    select
        *,
        lag(occurred_at) over (partition by visitor_id order by occurred_at, event_id) as occurred_before
    from {{ ref("stg_web__events") }}
    {% if is_incremental() %}
        where visitor_id in (select visitor_id from {{ ref("int_touched_visitor") }})
    {% endif %}

),

marked as (

    select
        *,
        coalesce({{ seconds_between("occurred_before", "occurred_at") }} > 30 * 60, true) as is_first
    from events

),

numbered as (

    select
        *,
        sum(case when is_first then 1 else 0 end) over (
            partition by visitor_id order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as visit_no
    from marked

)

select
    visitor_id,
    min(case when is_first then event_id end) as first_event_id,
    -- Two people who log in from one machine within one visit: the first one has it.
    arg_min(account_id, (occurred_at, event_id)) filter (where account_id is not null) as account_id,
    min(occurred_at) as started_at,
    max(occurred_at) as ended_at,
    count(*) as events,
    count(*) filter (where kind = 'view') as views,
    count(*) filter (where kind = 'cart') as carts,
    count(*) filter (where touch_id is not null) > 0 as is_through_touch
from numbered
group by visitor_id, visit_no
