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
select
    '2024-06-24-abcd' as model_version,
    date '2024-06-24' as fitted_on,
    category as model_category,
    case when category = 'Bakery' or category = 'all' then 'mbg_cnbd' else 'tuned_x' end as method,
    case category when 'Bakery' then 2 when 'all' then 1 end as k,
    category = '<script>alert(1)</script>' as refused,
    count(*)::integer as customers,
    max(sleep_day) as tuned_x_days,
    true as converged
from shop
where category is not null
group by category
union all by name
-- Fits that no row of the date was judged by: an older one, and one that was made afterwards.
select *
from (values
    ('2023-01-01-0000', date '2023-01-01', 'Bakery', 'tuned_x', false, 17, 399, true),
    ('2024-07-01-ffff', date '2024-07-01', 'Bakery', 'tuned_x', false, 17, 398, true)
) as fits (model_version, fitted_on, model_category, method, refused, customers, tuned_x_days, converged);

-- Two cut-offs and two labels; k = 3 could be fitted at the later cut-off only.
insert into marts.dormancy_model_evaluation by name
select
    '2024-06-24-abcd' as model_version,
    date '2024-06-24' as fitted_on,
    cutoff,
    60 as horizon_days,
    label,
    category,
    method,
    200 as customers,
    0.55 as base_rate,
    auc + case label when 'own_horizon' then 0.02 else -0.02 end as auc,
    case when category <> 'all' or method <> 'tuned_x' then auc - 0.1 end as precision_at_equal_count,
    case when category <> 'all' or method <> 'tuned_x' then 1.1 - auc end as false_flag_rate,
    0.02 as calibration_error,
    chosen
from (values
    ('all', 'tuned_x', 0.74, false), ('all', 'mbg_cnbd_1', 0.77, true), ('all', 'mbg_cnbd_2', 0.76, false),
    ('Bakery', 'tuned_x', 0.70, false), ('Bakery', 'mbg_cnbd_2', 0.75, true), ('Bakery', 'mbg_cnbd_3', 0.79, false),
    ('<script>alert(1)</script>', 'tuned_x', 0.72, true), ('<script>alert(1)</script>', 'mbg_cnbd_1', 0.71, false)
) as methods (category, method, auc, chosen)
cross join (values (date '2024-02-25'), (date '2024-04-25')) as cutoffs (cutoff)
cross join (values ('shop_horizon'), ('own_horizon')) as labels (label)
where method <> 'mbg_cnbd_3' or cutoff = date '2024-04-25'
union all by name
select
    '2023-01-01-0000' as model_version, date '2023-01-01' as fitted_on, date '2022-09-01' as cutoff, 60 as horizon_days,
    'shop_horizon' as label, 'Bakery' as category, 'tuned_x' as method, 40 as customers, 0.5 as base_rate, 0.99 as auc,
    true as chosen;

insert into marts.dormancy_model_calibration by name
select
    '2024-06-24-abcd' as model_version,
    date '2024-06-24' as fitted_on,
    cutoff,
    label,
    'all' as category,
    'mbg_cnbd_1' as method,
    bin::integer as bin,
    50 as customers,
    bin / 12.0 as foretold,
    least(1, greatest(0, bin / 12.0 + cutoffs.shift + labels.shift * (bin - 5))) as observed
from range(1, 11) as bins (bin)
cross join (values (date '2024-02-25', -0.03), (date '2024-04-25', 0.01)) as cutoffs (cutoff, shift)
cross join (values ('shop_horizon', 0.01), ('own_horizon', -0.01)) as labels (label, shift)
union all by name
select
    '2024-06-24-abcd' as model_version, date '2024-06-24' as fitted_on, date '2024-02-25' as cutoff,
    'shop_horizon' as label, 'Bakery' as category, 'mbg_cnbd_2' as method, 1 as bin, 50 as customers, 0.9 as foretold,
    0.1 as observed;

insert into marts.customer_dormancy by name
select
    date '2024-06-30' as as_of_date,
    customer_id,
    customer_kind,
    case when silent is null then 'activity_x' when category in ('Bakery', 'all') then 'mbg_cnbd' else 'tuned_x' end
        as method,
    case when silent is not null then '2024-06-24-abcd' end as model_version,
    coalesce(category, 'all') as model_category,
    case when silent is null then 0 else days end as purchase_days,
    days > 30 as seasonal,
    silent as days_since_purchase,
    coalesce(silent, age) as days_since_activity,
    date '2024-06-30' - coalesce(silent, age) + case
        when silent is null then 90
        when category in ('Bakery', 'all') then sleep_day + days + (spread(i, 5) * 10)::integer
        else sleep_day
    end as dormant_from_date,
    dormancy_state,
    case when dormancy_state in ('dormant', 'deep_dormant', 'lost') then date '2024-06-01' end as dormant_since,
    case when spent > 2000 and silent is not null then 'high' when spent > 500 and silent is not null then 'mid' else 'low' end
        as value_tier,
    case when spent > 0 then spent else 0 end as expected_value,
    case
        when dormancy_state not in ('dormant', 'deep_dormant', 'lost') then null
        when i % 5 = 0 then 'bad_experience'
        when i % 7 = 0 then 'price_competition'
        when i % 11 = 0 then 'communication_overload'
        else 'unknown'
    end as primary_reason
from shop;

-- Reasons with their evidence; after `unknown` stands what there is of thin evidence, which counts for nothing.
insert into marts.dormancy_reason by name
select
    as_of_date,
    customer_id,
    primary_reason as reason,
    case primary_reason when 'unknown' then 0 else 0.5 end as score,
    1 as rank,
    case
        when primary_reason = 'unknown' then '[]'
        when primary_reason = 'bad_experience' and days_since_activity % 2 = 0
            then '[{"fact": "complaint", "value": "1"}, {"fact": "complaint", "value": "1"}, {"fact": "return", "value": "1"}]'
        when primary_reason = 'bad_experience' then '[{"fact": "complaint", "value": "1"}]'
        when primary_reason = 'price_competition' then '[{"fact": "coupon_order", "value": "1"}]'
        else '[{"fact": "messages_in_28_days", "value": "9"}]'
    end as evidence
from marts.customer_dormancy
where primary_reason is not null
union all by name
select
    as_of_date, customer_id, 'brand_fade' as reason, 0.2 as score, 2 as rank,
    '[{"fact": "days_silent_before", "value": "91"}]' as evidence
from marts.customer_dormancy
where primary_reason = 'unknown';

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
