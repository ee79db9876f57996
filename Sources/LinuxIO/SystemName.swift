// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What the machine runs.
public enum SystemName {
    /// The kernel's release, such as `6.1.0-32-amd64`; empty if it does not say.
    public static var kernelRelease: String {
        var name = utsname()
        guard uname(&name) == 0 else { return "" }
        return withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
