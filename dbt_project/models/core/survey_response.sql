-- Answers to questionnaires and interviews, without what was written, and whose they are.
select
    answers.response_id,
    subjects.customer_id,
    cast(answers.answered_at as timestamp) as answered_at,
    answers.reason_code,
    cast(answers.score as decimal(18, 2)) as score
from {{ ref("stg_survey__responses") }} as answers
left join {{ ref("int_subject") }} as subjects
    on {{ subject_key() }} = subjects.subject_key and subjects.is_owner
