"""Winback: which customers sleep, why, whom to wake and what it brought."""

import os

# Read when NumPy is loaded, so it stands before everything else. The fits work on matrices of four by four:
# threads of the linear algebra only wait for each other, and on busy cores a fit took five times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
