-- What was aimed at and what came, over the contacts whose window has closed.
with measured as (

    select * from {{ control("measured_until") }}

),

aims as (

    select * from {{ ref("kpi_target") }}

),

sums as (

    select
        aims.metric,
        {%- for name in ["targeted", "delivered", "responded", "woken", "converted", "orders", "unsubscribed"] %}
            sum(outcomes.{{ name }}) as {{ name }},
        {%- endfor %}
        sum(outcomes.revenue) as revenue,
        sum(outcomes.margin) as margin,
        sum(outcomes.cost) as cost
    from aims
    cross join measured
    inner join {{ ref("recall_outcome") }} as outcomes
        on
            measured.known_until > outcomes.as_of_date
            and {{ days_later("measured.known_until", "-aims.period_days") }} <= outcomes.as_of_date
    where outcomes.matured
    group by aims.metric

),

asleep_again as (

    select
        aims.metric,
        cast(sum(redormancy.asleep_again) as double) / nullif(sum(redormancy.woken), 0) as share
    from aims
    cross join measured
    inner join {{ ref("redormancy") }} as redormancy
        on {{ days_later("measured.known_until", "-aims.period_days") }} <= redormancy.cohort
    where aims.metric = 'redormancy_share'
    group by aims.metric

),

reached as (

    select
        aims.*,
        case aims.metric
            when 'wake_up_rate' then cast(sums.woken as double) / nullif(sums.targeted, 0)
            when 'response_rate' then cast(sums.responded as double) / nullif(sums.delivered, 0)
            when 'conversion_rate' then cast(sums.converted as double) / nullif(sums.targeted, 0)
            when 'average_order_value' then cast(sums.revenue as double) / nullif(sums.orders, 0)
            when 'roi' then cast(sums.margin - sums.cost as double) / nullif(cast(sums.cost as double), 0)
            when 'unsubscribe_rate' then cast(sums.unsubscribed as double) / nullif(sums.delivered, 0)
            when 'redormancy_share' then asleep_again.share
        end as actual
    from aims
    left join sums on aims.metric = sums.metric
    left join asleep_again on aims.metric = asleep_again.metric

)

select
    measured.newest as measured_on,
    metric,
    direction,
    cast(target as double) as target,
    actual,
    case direction when 'at_least' then actual >= target else actual <= target end as met,
    cast(period_days as integer) as period_days,
    description,
    description_zh
from reached
cross join measured
