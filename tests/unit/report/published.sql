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

-- Earlier dates and a later one: the fewer days have passed, the more are awake.
insert into kpi.dormancy_overview by name
select
    days.as_of_date,
    overview.dormancy_state,
    overview.value_tier,
    cast(round(overview.customers * case
        when overview.dormancy_state in ('active', 'cooling') then 1 + days.weeks_before / 20.0
        else 1 - days.weeks_before / 20.0
    end) as bigint) as customers,
    overview.expected_value
from kpi.dormancy_overview as overview
cross join (values
    (date '2024-04-30', 9), (date '2024-05-31', 4), (date '2024-06-10', 3), (date '2024-06-20', 1), (date '2024-07-01', 0)
) as days (as_of_date, weeks_before);

-- The month before the date, the date itself, and days that are none of its month's.
insert into marts.segment_movement by name
select * from (values
    ('c0001', 'dormancy_state', 'active', 'cooling', date '2024-06-30'),
    ('c0002', 'dormancy_state', 'active', 'cooling', date '2024-06-30'),
    ('c0003', 'dormancy_state', 'cooling', 'dormant', date '2024-06-30'),
    ('c0004', 'dormancy_state', 'dormant', 'active', date '2024-06-30'),
    ('c0005', 'dormancy_state', null, 'active', date '2024-06-30'),
    ('c0002', 'guide_class', 'important_value', 'important_development', date '2024-06-30'),
    ('c0006', 'dormancy_state', 'lost', 'active', date '2024-06-29'),
    -- Twice, and there and back.
    ('c0003', 'dormancy_state', 'active', 'cooling', date '2024-06-10'),
    ('c0007', 'dormancy_state', 'active', 'cooling', date '2024-06-02'),
    ('c0007', 'dormancy_state', 'cooling', 'active', date '2024-06-20'),
    ('c0008', 'dormancy_state', 'dormant', 'deep_dormant', date '2024-06-01'),
    ('c0009', 'dormancy_state', 'dormant', 'deep_dormant', date '2024-05-31'),
    ('c0010', 'dormancy_state', 'dormant', 'deep_dormant', date '2024-07-01'),
    ('c0011', 'guide_class', null, 'general', date '2024-06-15'),
    ('c0012', 'guide_class', null, 'general', date '2024-06-16'),
    ('c0013', 'guide_class', 'general', 'important_retention', date '2024-06-17')
) as rows (customer_id, scheme, from_segment, to_segment, moved_on);

-- Own recalls of May to July and of the year before, and another tool's campaigns, the second of them after the date.
insert into kpi.recall_outcome by name
select
    *,
    date_trunc('month', as_of_date)::date as period_start,
    contact_cost + incentive_cost as cost,
    responded / nullif(delivered, 0) as response_rate,
    woken / nullif(targeted, 0) as wake_up_rate,
    converted / nullif(targeted, 0) as conversion_rate,
    (revenue / nullif(orders, 0))::decimal(18, 2) as average_order_value,
    (margin - contact_cost - incentive_cost)::double / nullif(contact_cost + incentive_cost, 0)::double as roi,
    unsubscribed / nullif(delivered, 0) as unsubscribe_rate
from (
    select
        *,
        targeted as sent,
        (targeted * 0.95)::bigint as delivered,
        (targeted * 0.3)::bigint as opened,
        (targeted * 0.08)::bigint as clicked,
        (targeted * 0.09)::bigint as responded,
        (targeted * 0.12)::bigint as woken,
        (targeted * 0.07)::bigint as converted,
        (targeted * 0.08)::bigint as orders,
        (targeted * 9.5)::decimal(18, 2) as revenue,
        (targeted * 3.8)::decimal(18, 2) as margin,
        case when channel = 'push' and offer_id is null then 0 else targeted * 0.2 end::decimal(18, 2) as contact_cost,
        case when offer_id is null then 0 else targeted * 0.7 end::decimal(18, 2) as incentive_cost,
        (targeted * 0.01)::bigint as unsubscribed,
        0 as complained
    from (
        select
            days.as_of_date,
            'win_back_general_' || strftime(days.as_of_date, '%Y_%m') as campaign_id,
            'win_back_general' as journey,
            1 as step,
            'big_promotion' as template_id,
            'general' as guide_class,
            'bad_experience' as dormancy_reason,
            'low' as value_tier,
            ways.channel,
            ways.offer_id,
            (200 * ways.weight)::bigint as targeted,
            days.as_of_date < date '2024-06-01' as matured
        from (values
            (date '2023-12-20'), (date '2024-05-20'), (date '2024-05-31'), (date '2024-06-10'), (date '2024-06-30'),
            (date '2024-07-01')
        ) as days (as_of_date)
        cross join (values
            ('email', 'spend_save', 4), ('sms', 'spend_save', 2), ('push', null, 3), ('phone', 'limited_15', 1)
        ) as ways (channel, offer_id, weight)
        union all
        -- A greeting goes to who is awake.
        select
            date '2024-06-20' as as_of_date, 'birthday_2024_06' as campaign_id, 'birthday' as journey, 1 as step,
            'birthday' as template_id, 'general' as guide_class, null as dormancy_reason, 'low' as value_tier,
            'email' as channel, 'birthday_gift' as offer_id, 100 as targeted, false as matured
        union all
        select
            as_of_date, campaign_id, null as journey, null as step, null as template_id, null as guide_class,
            null as dormancy_reason, null as value_tier, 'email' as channel, null as offer_id, 400 as targeted,
            true as matured
        from (values (date '2024-06-05', 'spring_mailing'), (date '2024-07-05', 'summer_mailing'))
            as others (as_of_date, campaign_id)
    )
);

-- Own recalls of the year with every verdict, the sums that a sensitivity row has besides, the month's and others'.
insert into kpi.incrementality by name
select
    * exclude (width),
    lift / 1.96 as std_error,
    lift - width as ci_low,
    lift + width as ci_high,
    0.5 as srm_p_value,
    date '2024-07-30' as matured_on,
    date '2024-06-30' as measured_on,
    30 as window_days
from (
    select
        campaign_id,
        'treated' as arm,
        control_arm,
        segment_dim,
        segment,
        metrics.metric,
        method,
        treated,
        holdout,
        case when verdict = 'too_early' then null when metrics.metric = 'net_margin' then 1.9 else 0.08 * metrics.scale + effect end
            as treated_rate,
        case when verdict = 'too_early' then null when metrics.metric = 'net_margin' then 1.4 else 0.08 * metrics.scale end
            as holdout_rate,
        case when verdict = 'too_early' then null when metrics.metric = 'net_margin' then 0.5 else effect * metrics.scale end
            as lift,
        case when verdict = 'too_early' then null else width end as width,
        case when verdict = 'too_small_to_tell' then 2.5 * width end as minimum_detectable_effect,
        case when verdict = 'too_early' then null else treated * 1.1 end::decimal(18, 2) as incremental_revenue,
        case when verdict = 'too_early' then null else 20 * effect end as incremental_roi,
        verdict
    from (values
        ('recall_2024', 'holdout', 'all', 'all', 'always_valid', 5200, 590, 0.021, 0.012, 'effective'),
        ('recall_2024', 'universal_control', 'all', 'all', 'always_valid', 5200, 210, 0.025, 0.03, 'too_small_to_tell'),
        ('recall_2024', 'holdout', 'all', 'all', 'always_valid_without_merged', 5100, 580, 0.9, 0.012, 'effective'),
        ('recall_2024', 'holdout', 'dormancy_reason', 'bad_experience', 'always_valid', 900, 100, 0.055, 0.03, 'effective'),
        ('recall_2024', 'holdout', 'dormancy_reason', 'unknown', 'always_valid', 2600, 300, 0.004, 0.02, 'no_effect_seen'),
        ('recall_2024', 'holdout', 'dormancy_reason', 'communication_overload', 'always_valid', 300, 40, -0.06, 0.04, 'harmful'),
        ('recall_2024', 'holdout', 'dormancy_reason', 'brand_fade', 'always_valid', 0, 0, 0.0, 0.0, 'too_early'),
        ('recall_2024', 'holdout', 'guide_class', 'general', 'always_valid', 3200, 350, 0.018, 0.015, 'effective'),
        ('recall_2024', 'holdout', 'guide_class', 'important_value', 'always_valid', 120, 11, 0.05, 0.16, 'too_small_to_tell'),
        ('recall_2024', 'holdout', 'guide_class', 'none', 'always_valid', 700, 80, 0.03, 0.04, 'invalid_split'),
        ('recall_2024', 'holdout', 'value_tier', 'high', 'always_valid', 600, 70, 0.03, 0.05, 'too_small_to_tell'),
        ('recall_2024', 'holdout', 'value_tier', 'low', 'always_valid', 4600, 520, 0.02, 0.013, 'effective'),
        ('recall_2024', 'holdout', 'channel', 'email', 'always_valid', 2400, 270, 0.015, 0.014, 'effective'),
        ('recall_2024', 'holdout', 'channel', 'sms', 'always_valid', 1300, 150, 0.03, 0.02, 'effective'),
        ('recall_2024', 'holdout', 'channel', 'push', 'always_valid', 1400, 160, 0.01, 0.02, 'too_early'),
        ('recall_2024', 'holdout', 'offer_id', 'spend_save', 'always_valid', 3700, 420, 0.022, 0.014, 'effective'),
        ('recall_2024', 'holdout', 'offer_id', null, 'always_valid', 1400, 160, 0.01, 0.02, 'invalid_split'),
        ('recall_2024_06', 'holdout', 'all', 'all', 'newcombe_wilson', 2100, 230, 0.7, 0.02, 'too_early'),
        ('recall_2023', 'holdout', 'all', 'all', 'always_valid', 900, 90, 0.7, 0.03, 'effective'),
        ('spring_mailing', 'control', 'all', 'all', 'newcombe_wilson', 360, 40, 0.013, 0.05, 'too_small_to_tell'),
        ('summer_mailing', 'control', 'all', 'all', 'newcombe_wilson', 360, 40, 0.7, 0.05, 'effective')
    ) as effects (campaign_id, control_arm, segment_dim, segment, method, treated, holdout, effect, width, verdict)
    cross join (values ('conversion', 1.0), ('wake_up', 1.6), ('net_margin', 1.0)) as metrics (metric, scale)
);

insert into kpi.redormancy by name
select
    month::date as cohort,
    woken_by,
    woken,
    (woken * again)::bigint as asleep_again,
    case when again > 0 then 60.5 end as median_days,
    case when again > 0 and woken_by = 'recall' then 0.4 end as same_reason_share,
    (woken * 33)::decimal(18, 2) as net_revenue
from generate_series(timestamp '2023-05-01', timestamp '2024-07-01', interval 1 month) as months (month)
cross join (values ('recall', 40, 0.1), ('own_accord', 100, 0.25)) as woken (woken_by, woken, most)
cross join lateral (
    select case when month < timestamp '2024-05-01' then most * datediff('month', month, timestamp '2024-06-01') / 6 else 0 end
        as again
) as shares;

insert into kpi.cohort_retention by name
select
    cohort::date as cohort_month,
    months.month,
    100 + datediff('month', timestamp '2022-01-01', cohort) as customers,
    case months.month
        when 0 then 100 + datediff('month', timestamp '2022-01-01', cohort)
        else round(45 / sqrt(months.month) + spread(months.month * 50 + month(cohort), 7) * 6)
    end::bigint as active,
    (900 - 20 * months.month)::decimal(18, 2) as net_revenue
from generate_series(timestamp '2022-09-01', timestamp '2024-07-01', interval 1 month) as cohorts (cohort)
cross join range(0, 24) as months (month)
where cohort + to_months(months.month::integer) <= timestamp '2024-07-01';

insert into kpi.channel_preference by name
select
    *,
    greatest(smoothed_rate - 0.02, 0) as low,
    smoothed_rate + 0.025 as high
from (
    select
        'guide_class' as segment_dim,
        segment,
        channel,
        offer_kind,
        touches,
        (touches * rate)::bigint as responses,
        rate * 0.8 + 0.006 as smoothed_rate
    from (values
        ('important_value', 'phone', 'none', 60, 0.31), ('important_value', 'email', 'free_service', 240, 0.11),
        ('important_value', 'sms', 'gift', 90, 0.07), ('important_value', 'push', 'none', 220, 0.04),
        ('important_value', 'crm', 'none', 30, 0.02), ('important_value', 'social_dm', 'gift', 12, 0.33),
        ('important_development', 'email', 'percent', 310, 0.06), ('important_development', 'sms', 'percent', 150, 0.08),
        ('general', 'email', 'spend_and_save', 1900, 0.031), ('general', 'push', 'spend_and_save', 1200, 0.022),
        ('none', 'email', 'amount', 400, 0.027)
    ) as ways (segment, channel, offer_kind, touches, rate)
);

insert into kpi.channel_preference by name
select
    'journey' as segment_dim,
    segment,
    channel,
    offer_kind,
    episodes as touches,
    (episodes * 0.05)::bigint as responses,
    0.05 as smoothed_rate,
    0.04 as low,
    0.06 as high,
    episodes,
    holdouts,
    lift,
    lift - width as lift_low,
    lift + width as lift_high
from (values
    ('win_back_general', 'email', 'spend_and_save', 1800, 200, 0.018, 0.012),
    ('win_back_general', 'sms', 'spend_and_save', 700, 80, 0.031, 0.02),
    ('win_back_general', 'push', 'none', 900, 100, 0.006, 0.015),
    ('win_back_general', 'crm', 'none', 9, 1, 0.02, 0.3),
    ('repair', 'email', 'free_service', 500, 55, 0.052, 0.025),
    ('ask', 'phone', 'none', 90, 10, 0.028, 0.05)
) as ways (segment, channel, offer_kind, episodes, holdouts, lift, width);

insert into kpi.target by name
select
    date '2024-06-30' as measured_on,
    *
from (values
    ('wake_up_rate', 'at_least', 0.10, 0.12, true, 90, 'Woken of those targeted', '唤醒人数占目标人数'),
    ('response_rate', 'at_least', 0.12, 0.0947, false, 90, 'Responded of those delivered', '响应人数占送达人数'),
    ('conversion_rate', 'at_least', 0.05, 0.07, true, 90, 'Bought of those targeted', '购买人数占目标人数'),
    ('average_order_value', 'at_least', 110.0, 118.75, true, 90, 'Net revenue per order', '每单净收入'),
    ('roi', 'at_least', 1.0, 2.4, true, 90, 'Margin less cost, over cost', '毛利减成本，除以成本'),
    ('unsubscribe_rate', 'at_most', 0.01, 0.0105, false, 90, 'Unsubscribed of those delivered', '退订人数占送达人数'),
    ('redormancy_share', 'at_most', 0.4, null, null, 180, 'Asleep again of those woken', '再次沉睡人数占唤醒人数')
) as rows (metric, direction, target, actual, met, period_days, description, description_zh);

insert into activation.recall_decision by name
select
    date '2024-06-30' as as_of_date,
    customer_id,
    case reason_code
        when 'recall' then 'send' when 'holdout' then 'holdout' when 'frequency_cap' then 'deferred'
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
            when i % 3 = 0 then 'frequency_cap'
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
