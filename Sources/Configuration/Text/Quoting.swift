// SPDX-License-Identifier: Apache-2.0

/// A value as it stands in a configuration text: in quotation marks where it could be taken for something else.
func quoted(_ value: String) -> String {
    let isPlain =
        !value.isEmpty && !value.hasPrefix("\"") && !value.hasPrefix("!") && !value.contains(" ") && Int(value) == nil
    return isPlain ? value : "\"\(value)\""
}
