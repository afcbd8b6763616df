"""Learning binary hash codes for multi-label image retrieval."""

import os

# Threads of OpenMP that wait for each other keep their processor by default. Where another program wants it as well,
# the thread that is waited for cannot run: on a busy machine a training takes several times as long. Waiting threads
# sleep instead, which a quiet machine does not notice. Here, because OpenMP reads it once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
