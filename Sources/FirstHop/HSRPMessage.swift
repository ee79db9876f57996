// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// A hello, coup or resign of either version, as routers mean it; the versions' own files say how it is written.
public struct HSRPMessage: Hashable, Sendable, Codable {
    /// What the sender does.
    public enum Operation: UInt8, Sendable, Codable {
        /// The sender runs and can become Active or Standby.
        case hello = 0
        /// The sender becomes Active.
        case coup = 1
        /// The sender no longer wants to be Active.
        case resign = 2
    }

    /// The version that it is written in.
    public var version: HSRPVersion
    /// What the sender does.
    public var operation: Operation
    /// The sender's state.
    public var state: HSRPState
    /// Time between hellos; meaningful in a hello only.
    ///
    /// Version 1 rounds it up to whole seconds, 255 at most.
    public var helloMilliseconds: UInt32
    /// How long a hello is valid; meaningful in a hello only.
    ///
    /// Version 1 rounds it up to whole seconds, 255 at most.
    public var holdMilliseconds: UInt32
    /// The sender's effective priority.
    public var priority: UInt8
    /// The group, one of the version's numbers.
    public var group: UInt16
    /// The MAC burnt into the sender's interface; zero in version 1, which does not tell it.
    public var identifier = MACAddress(0)
    /// How the sender proves that it belongs to the group.
    public var authentication: HSRPAuthentication
    /// What proves to the other node of the pair that the message is genuine and new; in version 2 alone.
    public var proof: HSRPProof?
    /// The virtual address; 0.0.0.0 while the sender does not know it.
    public var virtualAddress: IPAddress

    /// Makes a message from its fields.
    public init(
        version: HSRPVersion, operation: Operation, state: HSRPState, helloMilliseconds: UInt32,
        holdMilliseconds: UInt32, priority: UInt8, group: UInt16, authentication: HSRPAuthentication,
        virtualAddress: IPAddress
    ) {
        self.version = version
        self.operation = operation
        self.state = state
        self.helloMilliseconds = helloMilliseconds
        self.holdMilliseconds = holdMilliseconds
        self.priority = priority
        self.group = group
        self.authentication = authentication
        self.virtualAddress = virtualAddress
    }

    /// The UDP payload.
    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: 128)
        switch version {
        case .one: HSRPVersion1.encode(self, into: &writer)
        case .two: HSRPVersion2.encode(self, into: &writer)
        }
        return writer.bytes
    }

    /// Hello interval and hold time as a receiver may use them; nil where they contradict each other or are beyond
    /// what a router can be told: hello 15 ms to 254 s, hold 50 ms to 255 s (the ranges of IOS).
    public var timers: (hello: Interval, hold: Interval)? {
        guard (15...254_000).contains(helloMilliseconds), (50...255_000).contains(holdMilliseconds),
            holdMilliseconds > helloMilliseconds
        else { return nil }
        return (.milliseconds(Int(helloMilliseconds)), .milliseconds(Int(holdMilliseconds)))
    }
}

/// A received UDP payload of port 1985.
public enum HSRPDatagram: Hashable, Sendable {
    /// A hello, coup or resign.
    case message(HSRPMessage)
    /// An Advertise or an interface's state: recognised, without effect.
    case advertise

    /// Reads a payload that came for the version's group address; anything that is no message of it is refused.
    public init(parsing bytes: ArraySlice<UInt8>, version: HSRPVersion) throws(DecodeError) {
        switch version {
        case .one: self = try HSRPVersion1.decode(bytes)
        case .two: self = try HSRPVersion2.decode(bytes)
        }
    }
}
