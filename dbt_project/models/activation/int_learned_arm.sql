-- What was learned until each date of the run of what the first messages of a journey bring, by channel and offer.
{{ learned_arms(control("decision_date")) }}
