// SPDX-License-Identifier: Apache-2.0

import Configuration

extension Model {
    /// The name of the group whose role rules SAs and reverse routes: the scheme's, or without a scheme the first that
    /// a crypto map is bound to.
    var rulingGroup: String? { scheme ?? cryptoMaps.lazy.compactMap(\.redundancyGroup).first }
}
