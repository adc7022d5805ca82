-- A tiny shop on two dates in which every expectation of every suite is met. Member m1 bought twice and gave
-- one unit back, account a1 bought once and sleeps, member m3 registered and never bought.

insert into raw.pos_members by name
select * from (values
    ('m1', timestamptz '2024-01-01 10:00:00+00', 'members.csv', 1),
    ('m3', timestamptz '2024-01-01 11:00:00+00', 'members.csv', 2)
) as rows (member_id, joined_at, _source, _line);

insert into raw.ecommerce_customers by name
select 'a1' as account_id, timestamptz '2024-03-01 09:00:00+00' as registered_at, 'accounts.csv' as _source, 1 as _line;

insert into raw.products by name
select * from (values
    ('p1', 'Tea', 'drinks', 10.00, 4.00, true, 'products.csv', 1),
    ('p2', 'Cup', 'kitchen', 10.00, 5.00, true, 'products.csv', 2)
) as rows (product_id, name, category, price, cost, active, _source, _line);

insert into raw.pos_sales by name
select * from (values
    ('R1', 1, 'm1', timestamptz '2024-01-10 12:00:00+00', 'p1', 'product', 2, 20.00, 'sales.csv', 1),
    ('R2', 1, 'm1', timestamptz '2024-06-20 12:00:00+00', 'p2', 'product', 1, 10.00, 'sales.csv', 2),
    ('R3', 1, null, timestamptz '2024-06-20 13:00:00+00', 'p1', 'product', 1, 5.00, 'sales.csv', 3),
    ('R4', 1, 'm1', timestamptz '2024-06-21 12:00:00+00', 'p1', 'product', -1, -10.00, 'sales.csv', 4)
) as rows (receipt_id, line_no, member_id, sold_at, product_id, line_kind, quantity, amount, _source, _line);

insert into raw.ecommerce_orders by name
select
    'O1' as order_id, 'a1' as account_id, timestamptz '2024-03-05 12:00:00+00' as ordered_at, 'completed' as status,
    'web' as channel, 'EUR' as currency, timestamptz '2024-03-08 12:00:00+00' as promised_at,
    timestamptz '2024-03-07 12:00:00+00' as delivered_at, 'orders.csv' as _source, 1 as _line;

insert into raw.ecommerce_order_lines by name
select
    'O1' as order_id, 1 as line_no, 'p2' as product_id, 'product' as line_kind, 3 as quantity, 11 as unit_price,
    30.00 as line_amount, 3.00 as discount_amount, 'orders.csv' as _source, 1 as _line;

insert into raw.service_tickets by name
select
    'k1' as ticket_id, 'a1' as account_id, 'phone' as channel, 'complaint' as kind,
    timestamptz '2024-03-09 09:00:00+00' as opened_at, timestamptz '2024-03-10 09:00:00+00' as closed_at,
    2 as rating, 'tickets.csv' as _source, 1 as _line;

insert into raw.web_events by name
select
    'w1' as event_id, 'v1' as visitor_id, 'a1' as account_id, timestamptz '2024-06-01 09:00:00+00' as occurred_at,
    'view' as kind, 'p1' as product_id, 12 as dwell_seconds, 'events.jsonl' as _source, 1 as _line;

insert into raw.devices by name
select
    'd1' as device_id, 'a1' as account_id, 'token-1' as push_token, 'huawei' as vendor, true as enabled,
    timestamptz '2024-06-01 09:00:00+00' as updated_at, 'devices.csv' as _source, 1 as _line;

insert into raw.social_accounts by name
select
    'wechat' as platform, 's1' as social_id, 'a1' as account_id, true as verified, false as group_member,
    'social.csv' as _source, 1 as _line;

insert into raw.campaign_members by name
select
    'spring' as campaign_id, 'a1' as account_id, 'treated' as arm, false as is_control, 'email' as channel,
    timestamptz '2024-04-01 09:00:00+00' as assigned_at, 0.10 as cost, 'campaign.csv' as _source, 1 as _line;

insert into raw.campaign_events by name
select
    'e1' as event_id, 'spring' as campaign_id, 'a1' as account_id, 'email' as channel,
    timestamptz '2024-04-01 10:00:00+00' as occurred_at, 'sent' as kind, 'events.csv' as _source, 1 as _line;

insert into raw.consents by name
select
    'n1' as consent_id, 'a1' as account_id, 'email' as channel, 'marketing' as purpose, 'granted' as status,
    timestamptz '2024-03-01 09:00:00+00' as recorded_at, 'consents.csv' as _source, 1 as _line;

insert into raw.survey_responses by name
select
    'r1' as response_id, 'a1' as account_id, timestamptz '2024-05-01 09:00:00+00' as answered_at, 'price' as reason_code,
    3 as score, 'survey.csv' as _source, 1 as _line;

insert into core.customer_account by name
select * from (values ('pos', 'm1', 'c1'), ('ecommerce', 'a1', 'c2'), ('pos', 'm3', 'c3'))
    as rows (source, account_key, customer_id);

insert into core.session by name
select
    'v:' || event_id as session_id, 'c2' as customer_id, occurred_at as started_at, occurred_at as ended_at,
    1 as events, 1 as views, 0 as carts, false as is_through_touch
from raw.web_events;

insert into core.ticket by name
select
    ticket_id, 'c2' as customer_id, 'email' as channel, 'complaint' as kind, opened_at, 2 as rating
from raw.service_tickets;

insert into core.survey_response by name
select response_id, 'c2' as customer_id, answered_at, reason_code, score from raw.survey_responses;

insert into core.touch by name
select
    'x1' as touch_id, 'spring' as campaign_id, 'c2' as customer_id, 'treated' as arm, false as is_control,
    'email' as channel, timestamp '2024-04-01 09:00:00' as assigned_at, timestamp '2024-04-01 10:00:00' as sent_at;

insert into core.product by name
select * from (values ('p1', 'Tea', 'drinks', true, true, 0.25, 30.0), ('p2', 'Cup', 'kitchen', true, true, 0.0, null))
    as rows (product_id, name, category, active, in_stock, return_rate, median_repurchase_days);

insert into core.order_line by name
select
    line_id, customer_id, channel, order_id, 1 as line_no, ordered_on, product_id, 'product' as line_kind,
    quantity < 0 as is_return, false as is_cancelled, true as is_revenue, quantity, returned_quantity, amount,
    discount_amount
from (values
    ('pos:R1:1', 'c1', 'pos', 'R1', date '2024-01-10', 'p1', 2, 1, 20.00, 0.00),
    ('pos:R2:1', 'c1', 'pos', 'R2', date '2024-06-20', 'p2', 1, 0, 10.00, 0.00),
    ('pos:R3:1', null, 'pos', 'R3', date '2024-06-20', 'p1', 1, 0, 5.00, 0.00),
    ('pos:R4:1', 'c1', 'pos', 'R4', date '2024-06-21', 'p1', -1, 0, -10.00, 0.00),
    ('ecommerce:O1:1', 'c2', 'ecommerce', 'O1', date '2024-03-05', 'p2', 3, 0, 30.00, 3.00)
) as rows (
    line_id, customer_id, channel, order_id, ordered_on, product_id, quantity, returned_quantity, amount,
    discount_amount
);

insert into core.purchase_day by name
select * from (values
    ('c1', date '2024-01-10', 'pos', 1, 1, 20.00, 0.00, 0.00, 20.00),
    ('c1', date '2024-06-20', 'pos', 1, 1, 10.00, 0.00, 0.00, 10.00),
    ('c1', date '2024-06-21', 'pos', 0, 0, 0.00, 0.00, 10.00, -10.00),
    ('c2', date '2024-03-05', 'ecommerce', 1, 3, 33.00, 3.00, 0.00, 30.00)
) as rows (
    customer_id, purchased_on, channel, orders, units, gross_amount, discount_amount, returned_amount, net_amount
);

insert into core.customer by name
select
    *, ['pos'] as channels, true as reachable_crm, false as reachable_email, 1980 as birth_year, 1 as account_count
from (values
    ('c1', 'buyer', date '2024-01-01', date '2024-01-10', date '2024-06-20', 2, 2, 20.00, 0.33),
    ('c2', 'buyer', date '2024-03-01', date '2024-03-05', date '2024-03-05', 1, 1, 30.00, 0.0),
    ('c3', 'registrant', date '2024-01-01', null, null, 0, 0, 0.00, null)
) as rows (
    customer_id, customer_kind, first_seen_on, first_purchase_on, last_purchase_on, purchase_days, orders,
    net_revenue, return_rate
);

insert into marts.customer_rfm by name
select date '2024-06-30' as as_of_date, *
from (values
    ('c1', 10, 2, 20.00, 3, 3, 1, true, true, false, 'important_development', false, 'general_value', 'need_attention'),
    ('c2', 117, 1, 30.00, 1, 1, 3, false, false, true, 'important_development', false, 'important_win_back', 'lost')
) as rows (
    customer_id, recency_days, frequency, monetary, r_score, f_score, m_score, recency_high, frequency_high,
    monetary_high, guide_class, guide_class_exact, segment_8, segment_11
);

insert into marts.customer_dormancy by name
select
    *, 'mbg_cnbd' as method, '2024-06-23-1' as model_version, 'all' as model_category, false as seasonal, 60 as horizon_days, 'e_' || customer_id as episode_id,
    'silent' as explanation,
    case when dormant_since is not null and customer_id = 'c2' then 'price_competition'
        when dormant_since is not null then 'unknown' end as primary_reason,
    date_diff('day', dormant_since, as_of_date) as dormancy_days
from (values
    (date '2024-06-29', 'c1', 'buyer', 2, 9, 9, 'active', date '2024-08-19', null, 'high', 8.00),
    (date '2024-06-29', 'c2', 'buyer', 1, 116, 116, 'dormant', date '2024-05-31', date '2024-05-31', 'mid', 5.00),
    (date '2024-06-29', 'c3', 'registrant', 0, null, 180, 'dormant', date '2024-06-30', date '2024-06-30', 'low', 0.00),
    (date '2024-06-30', 'c1', 'buyer', 2, 10, 10, 'active', date '2024-08-19', null, 'high', 8.00),
    (date '2024-06-30', 'c2', 'buyer', 1, 117, 117, 'dormant', date '2024-05-31', date '2024-05-31', 'mid', 5.00),
    (date '2024-06-30', 'c3', 'registrant', 0, null, 181, 'dormant', date '2024-06-30', date '2024-06-30', 'low', 0.00)
) as rows (
    as_of_date, customer_id, customer_kind, purchase_days, days_since_purchase, days_since_activity,
    dormancy_state, dormant_from_date, dormant_since, value_tier, expected_value
);

insert into marts.recommendation by name
select date '2024-06-30' as as_of_date, *
from (values
    ('c1', 'repeat', 1, 'p2', 0.08, 'bought once, 10 days ago', 1),
    ('c2', 'repeat', 1, 'p2', 0.05, 'bought once, 117 days ago', 1),
    ('c2', 'explore', 1, 'p1', 0.02, 'often bought together with Cup, which you bought on 2024-03-05', 2),
    ('c2', 'reminder', 1, 'p1', 0.01, 'viewed on 2024-06-01, not bought since', null)
) as rows (customer_id, list, rank, product_id, score, why, message_rank);

insert into marts.dormancy_model by name
select
    '2024-06-23-1' as model_version, 'all' as model_category, 'mbg_cnbd' as method, date '2024-06-23' as fitted_on,
    2 as customers, 1 as k, 0.5 as r, 20.0 as alpha, 0.8 as a, 1.2 as b, 45 as tuned_x_days, 0.5 as theta,
    true as converged, false as refused;

insert into marts.dormancy_model_evaluation by name
select
    '2024-06-23-1' as model_version, date '2024-06-23' as fitted_on, date '2024-05-12' as cutoff, 42 as horizon_days,
    'shop_horizon' as label, 'all' as category, 2 as customers, 0.5 as base_rate, *
from (values ('mbg_cnbd_1', 0.80, true), ('tuned_x', 0.75, false)) as rows (method, auc, chosen);

insert into marts.dormancy_reason by name
select date '2024-06-30' as as_of_date, *
from (values
    ('c2', 'price_competition', 'competitor_price', 0.9, 1,
        '[{"fact":"survey_answer","value":"price","source_table":"core.survey_response","source_key":"r1","contribution":0.9}]'),
    ('c2', 'bad_experience', 'service', 0.2, 2,
        '[{"fact":"ticket_rating","value":"2.0","source_table":"core.ticket","source_key":"k1","contribution":0.2}]'),
    ('c3', 'unknown', null, 0.0, 1, '[]')
) as rows (customer_id, reason, sub_reason, score, rank, evidence);

insert into marts.segment_movement by name
select 'c3' as customer_id, 'dormancy_state' as scheme, 'cooling' as from_segment, 'dormant' as to_segment,
    date '2024-06-30' as moved_on;

insert into activation.recall_decision by name
select
    date '2024-06-30' as as_of_date, *, 'v1' as policy_version, false as simulated, 'run-1' as run_id,
    case when channel is not null then 1 end as step,
    case when channel is not null then journey || '_2024_06' end as campaign_id,
    case when channel is not null then 't_' || customer_id end as touch_id,
    case when channel is not null then timestamp '2024-07-01 10:00:00' end as send_after,
    case when channel is not null then date '2024-07-07' end as valid_until,
    case when channel is not null then 0.50 end as expected_cost,
    case when channel is not null then 'key_' || customer_id end as address_key
from (values
    ('c1', 'buyer', 'e_c1', 'no_action', 'awake', null, null, null, null),
    ('c2', 'buyer', 'e_c2', 'send', 'recall', 'treated', 'price', 'crm', 'price_cut'),
    ('c3', 'registrant', 'e_c3', 'holdout', 'holdout', 'holdout', 'first_purchase', 'crm', null)
) as rows (customer_id, customer_kind, episode_id, decision, reason_code, arm, journey, channel, offer_id);

create table activation.int_contact_address as
select
    customer_id, 'crm' as channel, 'key_' || customer_id as address_key, false as is_suppressed, true as may_market,
    true as may_serve
from (values ('c1'), ('c2'), ('c3')) as rows (customer_id);

insert into activation.assignment by name
select customer_id as unit_id, customer_id, '2024' as holdout_period, arm, date '2024-06-30' as assigned_on,
    'e_' || customer_id as episode_id
from (values ('c2', 'treated'), ('c3', 'holdout')) as rows (customer_id, arm);

insert into activation.offer_audit by name
select
    date '2024-06-30' as as_of_date, 'p1' as product_id, 'important_value' as guide_class, 'price_cut' as offer_id,
    1 as customers, 10.00 as list_price, 8.80 as price_after_offer, 1 as classes, 0.00 as price_spread;

insert into kpi.dormancy_overview by name
select date '2024-06-30' as as_of_date, *
from (values
    ('active', 'high', null, 1, 8.00),
    ('dormant', 'mid', 'price_competition', 1, 5.00),
    ('dormant', 'low', 'unknown', 1, 0.00)
) as rows (dormancy_state, value_tier, primary_reason, customers, expected_value);

insert into kpi.reason_overview by name
select date '2024-06-30' as as_of_date, 'all' as model_category, *
from (values
    ('important_development', 'price_competition', 1, 1.0),
    (null, 'unknown', 1, 1.0)
) as rows (guide_class, primary_reason, customers, share);

insert into kpi.recall_outcome by name
select
    date '2024-06-30' as as_of_date, date '2024-06-01' as period_start, 'price_2024_06' as campaign_id,
    'price' as journey, 1 as step, 'price_offer' as template_id, 'important_development' as guide_class,
    'price_competition' as dormancy_reason, 'mid' as value_tier, 'email' as channel, 'price_cut' as offer_id,
    10 as targeted, 10 as sent, 9 as delivered, 4 as opened, 2 as clicked, 2 as responded, 2 as woken,
    1 as converted, 1 as orders, 80.00 as revenue, 30.00 as margin, 8.10 as cost, 0.10 as contact_cost,
    8.00 as incentive_cost, 0 as unsubscribed, 0 as complained, 2 / 9 as response_rate, 0.2 as wake_up_rate,
    0.1 as conversion_rate, 80.00 as average_order_value, 21.9 / 8.1 as roi, 0.0 as unsubscribe_rate,
    true as matured;

insert into kpi.incrementality by name
select
    date '2024-06-30' as measured_on, 'recall_2024_06' as campaign_id, 'treated' as arm, 'holdout' as control_arm,
    'all' as segment_dim, 'all' as segment, 'conversion' as metric, 'newcombe_wilson' as method,
    30 as window_days, 1000 as treated, 100 as holdout, 0.1 as treated_rate, 0.04 as holdout_rate, 0.06 as lift,
    0.02 as std_error, 0.01 as ci_low, 0.09 as ci_high, 0.04 as p_value, 0.04 as adjusted_p_value,
    0.7 as srm_p_value, 0.05 as minimum_detectable_effect, 4800.00 as incremental_revenue, 2.5 as incremental_roi,
    date '2024-06-30' as matured_on, 'effective' as verdict;

insert into kpi.target by name
select
    date '2024-06-30' as measured_on, 'wake_up_rate' as metric, 'at_least' as direction, 0.05 as target,
    0.2 as actual, true as met, 90 as period_days, 'woken' as description, '唤醒' as description_zh;
