// SPDX-License-Identifier: Apache-2.0

/// What a configuration may hold at most; going beyond is an error with a place.
public enum Limits {
    /// Bytes of a file: the text must fit one frame between two of our processes.
    public static let textByteCount = 65_536
    /// Bytes of a line.
    public static let lineByteCount = 1024
    /// Diagnostics that are reported; what follows is only counted.
    public static let diagnosticCount = 100
    /// Interfaces with groups or crypto maps.
    public static let interfaceCount = 64
    /// HSRP groups in all.
    public static let groupCount = 255
    /// Global virtual addresses of an IPv6 group.
    public static let globalAddressCount = 8
    /// Secondary virtual addresses of an IPv4 group.
    public static let secondaryAddressCount = 8
    /// Tracked objects.
    public static let trackedObjectCount = 500
    /// Tracking lines of a group.
    public static let tracksPerGroupCount = 64
    /// Crypto maps.
    public static let cryptoMapCount = 64
    /// Entries of all crypto maps together.
    public static let cryptoMapEntryCount = 1000
    /// Peers of a crypto map entry.
    public static let peersPerEntryCount = 64
    /// Addresses at one end of the association.
    public static let associationAddressCount = 4
    /// `standby delay`, in seconds, as in IOS.
    public static let startDelaySeconds = 10_000
    /// Bytes of a group name, as in IOS.
    public static let groupNameByteCount = 25
    /// Bytes of a crypto map name.
    public static let cryptoMapNameByteCount = 64
    /// Bytes of the clear-text authentication data (RFC 2281 §5.1).
    public static let authenticationTextByteCount = 8
    /// Bytes of a key of MD5 authentication: with more, its padding would not fit one block of the digest.
    public static let keyByteCount = 55
    /// Bytes of a key of `standby hmac`.
    public static let proofKeyByteCounts = 32...64
    /// Key chains.
    public static let keyChainCount = 64
    /// Bytes of the name of a key chain.
    public static let keyChainNameByteCount = 64
    /// `timeout` of `key-string`, in seconds, as in IOS.
    public static let keyTimeoutSeconds = 32_767
    /// Bytes of the path of a key file.
    public static let keyPathByteCount = 255
    /// Bytes of a host name.
    public static let hostnameByteCount = 63
    /// Bytes of an interface name (IFNAMSIZ without its terminator).
    public static let interfaceNameByteCount = 15
    /// `security peer` lines: one key of the peer, and the next ones while keys are changed.
    public static let securityPeerCount = 8
    /// Programs that are notified.
    public static let notificationCount = 16
    /// Bytes of the path of a tracked script or file, or of a program that is notified.
    public static let pathByteCount = 255
    /// Bytes of the name of a user (LOGIN_NAME_MAX is longer, what tools accept is not).
    public static let userNameByteCount = 32
    /// Bytes of the path of the identity file.
    public static let identityPathByteCount = 255
    /// Bytes of the path of a UNIX socket (sun_path without its terminator).
    public static let socketPathByteCount = 107
}
