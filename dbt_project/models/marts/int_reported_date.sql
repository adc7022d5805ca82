-- The dates whose rows this run replaces.
select as_of_date
from {{ ref("int_as_of_date") }}
where is_reported
