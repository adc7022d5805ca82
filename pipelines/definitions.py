"""The code location that Dagster loads."""

import gc

from pipelines.build import build_definitions

# All that is made here stays: looking for garbage in it as it grows takes a tenth of the time.
gc.disable()
try:
    defs = build_definitions()
finally:
    gc.enable()
