-- Whose browser or app a visitor id is: the customer's who alone ever logged in there. Their visits without a
-- log-in, those before the first one too, are then theirs. Who shares a machine gets only visits with a log-in.
select
    events.visitor_id,
    min(accounts.customer_id) as customer_id
from {{ ref("stg_web__events") }} as events
inner join {{ ref("customer_account") }} as accounts
    on accounts.source = 'ecommerce' and events.account_id = accounts.account_key
where events.visitor_id is not null
group by events.visitor_id
having count(distinct accounts.customer_id) = 1
