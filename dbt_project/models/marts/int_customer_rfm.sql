-- RFM of every buyer on the run's dates and their eves.
-- Frequency and recency count days on which kept units remained as known on the as-of date; monetary is
-- all that was booked until then. Comparisons are exact: whole days, decimals, and no division.
with dates as (

    select as_of_date from {{ ref("int_as_of_date") }}

),

settings as (

    select * from {{ control("profile") }}

),

purchases as (

    select
        dates.as_of_date,
        days.customer_id,
        {{ days_between("max(days.purchased_on)", "dates.as_of_date") }} as recency_days,
        count(*) as frequency
    from dates
    inner join {{ ref("int_kept_day") }} as days
        on
            dates.as_of_date >= days.purchased_on
            and (days.emptied_on is null or dates.as_of_date < days.emptied_on)
    group by dates.as_of_date, days.customer_id

),

money as (

    select
        dates.as_of_date,
        booked.customer_id,
        sum(booked.net_amount) as monetary
    from dates
    inner join {{ ref("int_revenue_day") }} as booked on dates.as_of_date >= booked.booked_on
    group by dates.as_of_date, booked.customer_id

),

measured as (

    select
        purchases.as_of_date,
        purchases.customer_id,
        cast(purchases.recency_days as integer) as recency_days,
        cast(purchases.frequency as integer) as frequency,
        cast(coalesce(money.monetary, 0) as decimal(18, 2)) as monetary
    from purchases
    left join money
        on purchases.as_of_date = money.as_of_date and purchases.customer_id = money.customer_id

),

compared as (

    select
        *,
        count(*) over by_date as buyers,
        sum(recency_days) over by_date as recency_total,
        sum(frequency) over by_date as frequency_total,
        sum(monetary) over by_date as monetary_total,
        quantile_disc(recency_days, 0.5) over by_date as recency_median,
        quantile_disc(frequency, 0.5) over by_date as frequency_median,
        quantile_disc(monetary, 0.5) over by_date as monetary_median,
        -- Ties share the lowest rank, so they share a score; the worst stands first.
        rank() over (partition by as_of_date order by recency_days desc) as recency_rank,
        rank() over (partition by as_of_date order by frequency) as frequency_rank,
        rank() over (partition by as_of_date order by monetary) as monetary_rank
    from measured
    window by_date as (partition by as_of_date)

),

scored as (

    select
        compared.*,
        cast(1 + 5 * (recency_rank - 1) // buyers as tinyint) as r_score,
        cast(1 + 5 * (frequency_rank - 1) // buyers as tinyint) as f_score,
        cast(1 + 5 * (monetary_rank - 1) // buyers as tinyint) as m_score,
        case settings.rfm_recency_rule
            when 'mean' then recency_days * buyers < recency_total
            when 'median' then recency_days < recency_median
            else recency_days < settings.rfm_recency_value
        end as recency_high,
        case settings.rfm_frequency_rule
            when 'mean' then frequency * buyers > frequency_total
            when 'median' then frequency > frequency_median
            else frequency > settings.rfm_frequency_value
        end as frequency_high,
        case settings.rfm_monetary_rule
            when 'mean' then cast(monetary as decimal(27, 2)) * cast(buyers as decimal(11, 0)) > monetary_total
            when 'median' then monetary > monetary_median
            else monetary > settings.rfm_monetary_value
        end as monetary_high
    from compared
    cross join settings

)

select
    scored.as_of_date,
    scored.customer_id,
    scored.recency_days,
    scored.frequency,
    scored.monetary,
    scored.r_score,
    scored.f_score,
    scored.m_score,
    scored.recency_high,
    scored.frequency_high,
    scored.monetary_high,
    classes.guide_class,
    classes.guide_class_zh,
    classes.guide_class_exact,
    classes.segment_8,
    classes.segment_8_zh,
    segments.segment_11
from scored
inner join {{ ref("rfm_class") }} as classes
    on
        scored.recency_high = classes.recency_high
        and scored.frequency_high = classes.frequency_high
        and scored.monetary_high = classes.monetary_high
inner join {{ ref("rfm_segment_11") }} as segments
    on scored.r_score = segments.r_score and scored.f_score = segments.f_score
