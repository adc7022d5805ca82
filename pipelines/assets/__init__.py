"""The assets: thin. They open, call the pure packages, write and report; logic lives elsewhere."""
