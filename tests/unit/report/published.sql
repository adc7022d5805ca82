-- A made-up shop of 600 customers on one date, 540 of them buyers, spread by a hash so that every build is the same.
-- The category of hostile text must come out of the page as text.

create temp macro spread(i, salt) as (hash(i * 1000 + salt) % 10000) / 10000.0;

create temp table shop as
select
    *,
    case when silent is null then 'registrant' else 'buyer' end as customer_kind,
    case
        when sleep_day is null and age < 90 then 'active'
        when sleep_day is null then 'dormant'
        when silent >= sleep_day + 180 then 'lost'
        when silent >= sleep_day + 60 then 'deep_dormant'
        when silent >= sleep_day then 'dormant'
        when 3 * silent >= 2 * sleep_day then 'cooling'
        else 'active'
    end as dormancy_state
from (
    select
        *,
        case category
            when 'Coffee & tea' then 35 when 'Bakery' then 21 when '<script>alert(1)</script>' then 62 when 'all' then 48
        end as sleep_day
    from (
        select
            i,
            'c' || lpad(i::varchar, 4, '0') as customer_id,
            case when i <= 540 then floor(pow(spread(i, 1), 3) * 420)::integer end as silent,
            floor(spread(i, 2) * 200)::integer as age,
            1 + floor(pow(spread(i, 3), 4) * 40)::integer as days,
            round(pow(spread(i, 4), 3) * 4000 - 20, 2)::decimal(18, 2) as spent,
            case
                when i > 540 then null
                when i % 10 < 4 then 'Bakery'
                when i % 10 < 7 then 'Coffee & tea'
                when i % 10 < 9 then '<script>alert(1)</script>'
                else 'all'
            end as category
        from range(1, 601) as ids (i)
    )
);

insert into core.purchase_day by name
select customer_id, date '2024-06-30' - silent as purchased_on, 'pos' as channel, 1 as orders, spent as net_amount
from shop
where silent is not null;

insert into marts.customer_rfm by name
select
    date '2024-06-30' as as_of_date,
    customer_id,
    silent as recency_days,
    days as frequency,
    spent as monetary,
    r_score,
    f_score,
    guide_class,
    case r_score when 5 then 'champions' when 4 then 'loyal' when 3 then 'need_attention' when 2 then 'at_risk' else 'lost' end
        as segment_11
from (
    select
        *,
        1 + 5 * (rank() over (order by silent desc) - 1) // count(*) over () as r_score,
        1 + 5 * (rank() over (order by days) - 1) // count(*) over () as f_score,
        case
            when silent < 100 and days > 8 and spent > 900 then 'important_value'
            when days > 8 or (silent >= 100 and spent > 900) then 'important_development'
            when silent < 100 and spent > 900 then 'important_retention'
            else 'general'
        end as guide_class
    from shop
    where silent is not null
);

insert into marts.dormancy_model by name
select '2024-06-24-abcd' as model_version, category as model_category, 'tuned_x' as method, max(sleep_day) as tuned_x_days
from shop
where category is not null
group by category
union all by name
-- An older fit, which no row of the date was judged by.
select '2023-01-01-0000' as model_version, 'Bakery' as model_category, 'tuned_x' as method, 399 as tuned_x_days;

insert into marts.customer_dormancy by name
select
    date '2024-06-30' as as_of_date,
    customer_id,
    customer_kind,
    case when silent is not null then '2024-06-24-abcd' end as model_version,
    coalesce(category, 'all') as model_category,
    silent as days_since_purchase,
    coalesce(silent, age) as days_since_activity,
    dormancy_state,
    case when dormancy_state in ('dormant', 'deep_dormant', 'lost') then date '2024-06-01' end as dormant_since,
    case when spent > 2000 and silent is not null then 'high' when spent > 500 and silent is not null then 'mid' else 'low' end
        as value_tier,
    case when spent > 0 then spent else 0 end as expected_value
from shop;

insert into kpi.dormancy_overview by name
select as_of_date, dormancy_state, value_tier, count(*) as customers, sum(expected_value) as expected_value
from marts.customer_dormancy
group by all;

insert into marts.segment_movement by name
select * from (values
    ('c0001', 'dormancy_state', 'active', 'cooling', date '2024-06-30'),
    ('c0002', 'dormancy_state', 'active', 'cooling', date '2024-06-30'),
    ('c0003', 'dormancy_state', 'cooling', 'dormant', date '2024-06-30'),
    ('c0004', 'dormancy_state', 'dormant', 'active', date '2024-06-30'),
    ('c0005', 'dormancy_state', null, 'active', date '2024-06-30'),
    ('c0002', 'guide_class', 'important_value', 'important_development', date '2024-06-30'),
    ('c0006', 'dormancy_state', 'lost', 'active', date '2024-06-29')
) as rows (customer_id, scheme, from_segment, to_segment, moved_on);

insert into activation.recall_decision by name
select
    date '2024-06-30' as as_of_date,
    customer_id,
    case reason_code
        when 'recall' then 'send' when 'holdout' then 'holdout' when 'recalled_recently' then 'deferred'
        when 'not_reachable' then 'suppressed' else 'no_action'
    end as decision,
    reason_code,
    false as simulated
from (
    select
        customer_id,
        case
            when i % 17 = 0 then 'not_reachable'
            when dormancy_state = 'active' then 'awake'
            when dormancy_state in ('cooling', 'lost') then dormancy_state
            when i % 10 = 3 then 'holdout'
            when i % 3 = 0 then 'recalled_recently'
            else 'recall'
        end as reason_code
    from shop
);

insert into quality.ingestions by name
select * from (values
    ('000001-a', 'pos_sales', 'old.csv', 900, 900, 0, 0, '{}', false),
    ('000002-b', 'pos_sales', 'sales.csv', 120000, 119000, 700, 300, '{"zero_quantity": 600, "amount: not a number": 100}', true),
    ('000001-c', 'products', 'products.csv', 900, 900, 0, 0, '{}', true)
) as rows (
    ingestion_id, feed, source, rows_read, rows_loaded, rows_quarantined, rows_duplicate, quarantined_by_reason, current
);

insert into quality.gate_results by name
select * from (values
    ('raw', 'pos_sales', null, timestamptz '2024-07-01 05:00:00+00', true, 6, 0, 0, '[{"severity": "warning"}]'),
    ('core', 'customer', null, timestamptz '2024-07-01 05:01:00+00', true, 9, 0, 0, '[]'),
    ('marts', 'customer_rfm', date '2024-06-30', timestamptz '2024-07-01 05:03:00+00', true, 8, 0, 0, '[]'),
    ('marts', 'customer_dormancy', date '2024-06-29', timestamptz '2024-07-01 05:03:00+00', false, 8, 1, 0, '[{}]'),
    ('activation', 'recall_decision', date '2024-06-30', timestamptz '2024-07-01 05:04:00+00', false, 0, 0, 0, '{"revoked_by": "r"}')
) as rows (stage, suite, as_of_date, checked_at, passed, expectations, failed, errored, details);
