// SPDX-License-Identifier: Apache-2.0

/// Bytes that hold or may hold keys: never printed, never dumped, overwritten with zeros when the last owner lets go.
///
/// The content never changes after creation, so that references may be shared freely. Equality compares in a time
/// that depends on the length alone.
public final class SecretBytes: Sendable {
    // Written only in `init` and `deinit`, when nobody else can hold a reference.
    private nonisolated(unsafe) var storage: [UInt8]

    /// Copies `bytes`; the caller's own copy is the caller's to forget.
    @inlinable
    public convenience init(_ bytes: some Collection<UInt8>) {
        var copy: [UInt8] = []
        copy.reserveCapacity(bytes.count)
        copy.append(contentsOf: bytes)
        self.init(taking: copy)
    }

    /// Takes over `bytes` without a copy; they must have no other owner, else that one keeps them.
    public init(taking bytes: consuming [UInt8]) { storage = bytes }

    deinit { wipe(&storage) }

    /// The number of bytes.
    public var count: Int { storage.count }

    /// Lends the bytes to `body`, which must not keep them: a kept array would not be overwritten.
    public func withBytes<Result, Failure: Error>(
        _ body: ([UInt8]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(storage)
    }

    /// Tells whether no bit is set; true for no bytes at all.
    public var isAllZero: Bool {
        var seen: UInt8 = 0
        for byte in storage { seen |= byte }
        return seen == 0
    }

    /// Tells whether `other` lists the same bytes.
    public func hasSameBytes(as other: SecretBytes) -> Bool {
        guard count == other.count else { return false }
        var difference: UInt8 = 0
        for index in 0..<count { difference |= storage[index] ^ other.storage[index] }
        return difference == 0
    }
}

extension SecretBytes: Hashable {
    /// Compares the bytes.
    public static func == (left: SecretBytes, right: SecretBytes) -> Bool { left.hasSameBytes(as: right) }

    /// Takes the length alone: a hash of the content would be a trace of it.
    public func hash(into hasher: inout Hasher) { hasher.combine(count) }
}

extension SecretBytes: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The length only.
    public var description: String { "<\(count) secret bytes>" }

    /// The length only.
    public var debugDescription: String { description }

    /// Shows nothing to `dump`.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Overwrites `bytes` with zeros, also where nobody looks at them afterwards.
///
/// The optimizer does not see into this function, so that it cannot find the stores useless; what it calls is optimized,
/// as byte by byte without that a buffer of 64 KiB takes 15 ms.
@inline(never)
@_optimize(none)
public func wipe(_ bytes: inout [UInt8]) { fillWithZeros(&bytes) }

@inline(never)
private func fillWithZeros(_ bytes: inout [UInt8]) {
    for index in bytes.indices { bytes[index] = 0 }
}
