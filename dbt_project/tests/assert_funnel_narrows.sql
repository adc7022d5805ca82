{{ config(meta={
    "dagster": {"ref": {"name": "recall_outcome"}},
    "remedy": "Look in int_touch_outcome for the event that has no event before it, such as an open without a delivery.",
}) }}

-- From step to step a funnel loses people. A purchase needs no click, so that it is held against the start alone.
select *
from {{ ref("recall_outcome") }}
where
    not (
        targeted >= sent and sent >= delivered and delivered >= opened and opened >= clicked and clicked >= 0
        and targeted >= woken and woken >= converted and converted >= 0
        and targeted >= responded and orders >= converted
    )
