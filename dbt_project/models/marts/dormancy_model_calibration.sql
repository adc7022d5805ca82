-- Written with the fits: depends on {{ source("control", "dormancy_fit") }}.
select * from {{ control("dormancy_calibration") }}
