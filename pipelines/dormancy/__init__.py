"""Who sleeps: the rules and models of dormancy, their fit and their evaluation. No Dagster here."""
