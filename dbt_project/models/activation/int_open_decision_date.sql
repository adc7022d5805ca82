-- The run's dates whose decisions may still change; a frozen date was sent and is history.
select as_of_date
from {{ control("decision_date") }}
where not is_frozen
