select
    model_version,
    model_category,
    method,
    fitted_on,
    customers,
    k,
    r,
    alpha,
    a,
    b,
    tuned_x_days,
    theta,
    log_likelihood,
    converged,
    refused
from {{ source("control", "dormancy_fit") }}
