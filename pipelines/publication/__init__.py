"""The analysts' copy of the warehouse: what is in it, and how it takes the old one's place."""
