-- Survivorship: of the values that a customer's accounts state, which one stands, and why. The source that the
-- seed puts first has the word, of its accounts the one that changed last.
with stated as (

    select
        'ecommerce' as source,
        account_id as account_key,
        coalesce(updated_at, registered_at) as stated_at,
        name,
        cast(birth_date as varchar) as birth_date,
        sex,
        cast(birth_year as varchar) as birth_year,
        city,
        cast(null as varchar) as home_store,
        cast(null as varchar) as tier,
        cast(null as varchar) as spend_to_next_tier,
        nullif(split_part(email, '@', 2), '') as email_domain
    from {{ ref("stg_ecommerce__customers") }}
    union all
    select
        'pos' as source,
        member_id as account_key,
        coalesce(updated_at, joined_at) as stated_at,
        name,
        cast(birth_date as varchar) as birth_date,
        sex,
        cast(birth_year as varchar) as birth_year,
        city,
        home_store,
        tier,
        cast(spend_to_next_tier as varchar) as spend_to_next_tier,
        nullif(split_part(email, '@', 2), '') as email_domain
    from {{ ref("stg_pos__members") }}

),

fields as (

    {%- for field in [
        "name", "birth_date", "sex", "birth_year", "city", "home_store", "tier", "spend_to_next_tier", "email_domain"
    ] %}
        {{ "union all" if not loop.first }}
        select
            source,
            account_key,
            stated_at,
            '{{ field }}' as field,
            {{ field }} as field_value
        from stated
        where {{ field }} is not null
    {%- endfor %}

),

ranked as (

    select
        accounts.customer_id,
        fields.*,
        coalesce(orders.priority, 99) as priority,
        count(distinct fields.field_value) over same_field as field_values,
        min(coalesce(orders.priority, 99)) over same_field < max(coalesce(orders.priority, 99)) over same_field
            as is_by_priority,
        row_number() over (
            partition by accounts.customer_id, fields.field
            order by
                coalesce(orders.priority, 99) asc, fields.stated_at desc nulls last, fields.source asc,
                fields.account_key asc
        ) as place
    from fields
    inner join {{ ref("customer_account") }} as accounts
        on fields.source = accounts.source and fields.account_key = accounts.account_key
    left join {{ ref("survivorship") }} as orders
        on fields.field = orders.field and fields.source = orders.source
    window same_field as (partition by accounts.customer_id, fields.field)

)

select
    customer_id,
    field,
    field_value,
    source,
    account_key,
    case
        when field_values = 1 then 'agreed'
        when is_by_priority then 'source_priority'
        else 'newest'
    end as rule
from ranked
where place = 1
