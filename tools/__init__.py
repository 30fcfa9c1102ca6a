"""Programs for whoever runs or builds Consentry: set-up, supervisor, tests, checks.

This file is read first, so it is what a Python that is too old stumbles over: it must parse in any.
"""

import sys

OLDEST = (3, 11)

if sys.version_info < OLDEST:
    # The old way of formatting, because a Python that is too old must parse it.
    line = (
        "%s is Python %s; Consentry needs 3.11 or newer. Name another: make run PYTHON=python3.12"
    )
    sys.exit(line % (sys.executable, sys.version.split()[0]))
