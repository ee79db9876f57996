// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// The first frame of each side: who speaks, and what must agree before records flow.
///
/// The body is a list of attributes (u8 type, u16 length, value); unknown ones are skipped, so that neighbouring
/// versions run together.
public struct SessionHello: Hashable, Sendable, Codable {
    /// One HSRP interface of the sender.
    public struct Interface: Hashable, Sendable, Codable {
        /// The interface's own address, from which its hellos come.
        public var address: IPv4Address
        /// The group's number.
        public var group: UInt16
        /// The group's virtual address.
        public var virtualAddress: IPv4Address

        /// Makes the description of an interface.
        public init(address: IPv4Address, group: UInt16, virtualAddress: IPv4Address) {
            self.address = address
            self.group = group
            self.virtualAddress = virtualAddress
        }
    }

    /// Something that must be the same on both nodes; a difference is a named warning.
    public struct AgreedItem: Hashable, Sendable, Codable {
        /// What it is, such as `standby 10 timers`.
        public var name: String
        /// Its value as the operator wrote it.
        public var value: String

        /// Makes an item; name and value are cut to the named limit.
        public init(name: String, value: String) {
            self.name = name.cutToLimit()
            self.value = value.cutToLimit()
        }
    }

    /// What the names of items start with that tell the IKE daemon's connections.
    public static let connectionPrefix = "connection "

    /// The capability of a node whose records are those of its kernel (`KernelRecord`), not of an IKE daemon.
    public static let kernelRecords: UInt32 = 1

    /// Whether the sender's records are those of its kernel.
    public var hasKernelRecords: Bool { capabilities & Self.kernelRecords != 0 }

    /// Must equal `ReplicationLimits.protocolVersion`.
    public var protocolVersion: UInt16
    /// What the sender offers, a bit each; unknown bits are ignored.
    public var capabilities: UInt32 = 0
    /// A random number drawn when the sender's replication process started.
    public var bootID: UInt64
    /// The sender's hostname.
    public var nodeName: String
    /// The sender's term.
    public var term: UInt64
    /// The name of the group that rules replication; must be equal on both nodes.
    public var scheme: String
    /// The sender's HSRP interfaces.
    public var interfaces: [Interface] = []
    /// What must agree.
    public var agreedItems: [AgreedItem] = []
    /// Whether the sender is Active in the scheme's group.
    public var isActive = false
    /// What the sender holds.
    public var journal = JournalState()
    /// How long ago a VPN peer's authenticated packet last came in, in milliseconds; `neverHeard` if none did, nil from
    /// one that became Active a moment ago, or a build that does not say.
    public var trafficMilliseconds: UInt32?

    /// No authenticated packet of a VPN peer has come in.
    public static let neverHeard = UInt32.max

    /// Makes a hello of this protocol version.
    public init(bootID: UInt64, nodeName: String, term: UInt64, scheme: String) {
        protocolVersion = ReplicationLimits.protocolVersion
        self.bootID = bootID
        self.nodeName = nodeName
        self.term = term
        self.scheme = scheme
    }
}

/// What a node's journal holds, as it tells its peer.
public struct JournalState: Hashable, Sendable, Codable {
    /// The number of live records.
    public var count: UInt32
    /// The digest over the live records.
    public var digest: UInt64
    /// Whether the journal is known to be complete: by a snapshot, or because it saw everything from the start.
    public var isAuthoritative: Bool

    /// Makes a state; an empty journal that knows nothing unless told otherwise.
    public init(count: UInt32 = 0, digest: UInt64 = 0, isAuthoritative: Bool = false) {
        self.count = count
        self.digest = digest
        self.isAuthoritative = isAuthoritative
    }

    /// Appends count, digest and the flag.
    public func encode(into writer: inout ByteWriter) {
        writer.write(count)
        writer.write(digest)
        writer.write(UInt8(isAuthoritative ? 1 : 0))
    }

    /// Reads what `encode` wrote.
    public init(parsing reader: inout ByteReader) throws(DecodeError) {
        count = try reader.read()
        digest = try reader.read()
        isAuthoritative = try reader.read(UInt8.self) == 1
    }
}

extension String {
    /// The text cut to what a hello may carry, at a character's border.
    func cutToLimit() -> String {
        var text = self
        while text.utf8.count > ReplicationLimits.textByteCount { text.removeLast() }
        return text
    }
}
