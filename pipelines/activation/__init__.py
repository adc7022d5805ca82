"""What goes out: freezing a date's decisions and writing its audiences. No Dagster here."""
