-- The dates whose recommendations are kept: the run's newest and month-ends. Nobody recommends for a past day, and
-- an eve has nothing to be compared with here. The newest stops being it with the next one, and goes then
-- (pipelines/history.py).
select as_of_date
from {{ ref("int_reported_date") }}
where
    as_of_date = (select max(as_of_date) from {{ ref("int_reported_date") }})
    or as_of_date = last_day(as_of_date)
