# SPDX-License-Identifier: Apache-2.0
"""Real faults in random order, each followed by a look at every promise."""
