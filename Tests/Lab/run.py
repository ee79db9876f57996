#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The lab tests: `scripts/lab run -- /usr/bin/python3 Tests/Lab/run.py [PATTERN]`.

PATTERN (a regular expression) picks scenarios by their sentence. Logs of failing ones are kept in $LAB_OUT.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import scenarios  # noqa: E402,F401  (registers the scenarios)
from havpnlab import runner  # noqa: E402

if __name__ == "__main__":
    sys.exit(runner.main(sys.argv[1] if len(sys.argv) > 1 else ""))
