# SPDX-License-Identifier: Apache-2.0
"""The seed's topology on real kernels with real daemons, and the instruments that watch it."""
