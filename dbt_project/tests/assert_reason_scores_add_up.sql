{{ config(meta={
    "dagster": {"ref": {"name": "dormancy_reason"}},
    "remedy": "Look at the rule in the seed reason_rule whose contribution is cut or counted twice.",
    "shown": ["evidence_score"],
}) }}

-- A reason's score is the sum of the evidence that stands beside it, to the last digit, and is not above 1.
with pieces as (

    select
        reasons.as_of_date,
        reasons.customer_id,
        reasons.reason,
        sum(cast(json_extract_string(pieces.value, '$.contribution') as decimal(6, 4))) as score
    from {{ ref("dormancy_reason") }} as reasons, json_each(reasons.evidence) as pieces
    group by reasons.as_of_date, reasons.customer_id, reasons.reason

)

select
    reasons.as_of_date,
    reasons.customer_id,
    reasons.reason,
    reasons.score,
    pieces.score as evidence_score
from {{ ref("dormancy_reason") }} as reasons
left join pieces
    on
        reasons.as_of_date = pieces.as_of_date
        and reasons.customer_id = pieces.customer_id
        and reasons.reason = pieces.reason
where cast(reasons.score as decimal(6, 4)) != coalesce(pieces.score, 0) or reasons.score > 1
