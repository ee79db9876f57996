// SPDX-License-Identifier: Apache-2.0

/// The release of both programs.
public enum Release {
    /// The version, as `show version` and `--version` print it.
    public static let version = "0.1.0"
    /// Members of this group may use commands that change something.
    public static let administratorGroup = "havpn-admin"
    /// Where the daemon listens unless it is told otherwise.
    public static let socketPath = "/run/havpnd/control.sock"
}
