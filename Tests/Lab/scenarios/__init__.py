# SPDX-License-Identifier: Apache-2.0
"""Every scenario of the lab; importing the package registers them in this order."""

from . import (groundwork, takeover, deaths, operations, faults, splits, series, secured, kernel,  # noqa: F401
               tracking, versions)
