# SPDX-License-Identifier: Apache-2.0
"""Every scenario of the lab; importing the package registers them in this order."""

from . import (  # noqa: F401
    groundwork, takeover, deaths, operations, faults, splits, standby, series, secured, hostile, kernel, tracking,
    versions, coupling, recording, witnesses, ipv6, linux, notifications, hellos, addresses, nat)
