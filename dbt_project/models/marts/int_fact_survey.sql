-- What customers said themselves, in the shop's codes (seed survey_answer). The newest answer replaces the others.
select
    answers.customer_id,
    'survey_answer' as fact,
    cast(answers.answered_at as date) as happened_on,
    codes.reason,
    codes.sub_reason,
    cast(lead(answers.answered_at) over (
        partition by answers.customer_id order by answers.answered_at, answers.response_id
    ) as date) as replaced_on,
    answers.reason_code,
    'core.survey_response' as source_table,
    answers.response_id as source_key
from {{ ref("survey_response") }} as answers
inner join {{ ref("survey_answer") }} as codes on lower(answers.reason_code) = codes.reason_code
where answers.customer_id is not null
