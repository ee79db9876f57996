// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// The 8 bytes of clear-text authentication, compared as one number.
public struct AuthenticationText: Hashable, Sendable {
    /// The bytes, first one most significant, zero-padded.
    public let value: UInt64

    /// Takes at most 8 bytes of `text`; longer text is nil.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= 8 else { return nil }
        value = (0..<8).reduce(0) { $0 << 8 | ($1 < bytes.count ? UInt64(bytes[$1]) : 0) }
    }

    /// Takes the bytes as they stood on the wire.
    public init(value: UInt64) { self.value = value }

    /// IOS's default, `cisco`.
    public static let cisco = AuthenticationText(value: 0x6369_7363_6f00_0000)
}

/// An HSRP version 1 message: 20 bytes of UDP payload (RFC 2281 §5.1).
public struct HSRPMessage: Hashable, Sendable {
    /// What the sender does.
    public enum Operation: UInt8, Sendable {
        /// The sender runs and can become Active or Standby.
        case hello = 0
        /// The sender becomes Active.
        case coup = 1
        /// The sender no longer wants to be Active.
        case resign = 2
    }

    /// What the sender does.
    public var operation: Operation
    /// The sender's state.
    public var state: HSRPState
    /// Time between hellos, in seconds; meaningful in a hello only.
    public var helloSeconds: UInt8
    /// How long a hello is valid, in seconds; meaningful in a hello only.
    public var holdSeconds: UInt8
    /// The sender's effective priority.
    public var priority: UInt8
    /// The group.
    public var group: UInt8
    /// Clear-text authentication data.
    public var authentication: AuthenticationText
    /// The virtual address; 0.0.0.0 while the sender does not know it.
    public var virtualAddress: IPv4Address

    /// The size of a message without the MD5 TLV.
    public static let byteCount = 20
    /// The size of a message with the MD5 TLV behind it; its clear-text data are zero and so never match.
    static let byteCountWithDigest = 50
    /// UDP source and destination port.
    public static let port: UInt16 = 1985
    /// The group address, 224.0.0.2 (all routers on this subnet).
    public static let destination = IPv4Address(224, 0, 0, 2)
    /// The op code of Advertise, which has another body and concerns ICMP redirects alone.
    static let advertiseOperation: UInt8 = 3

    /// Makes a message from its fields.
    public init(
        operation: Operation, state: HSRPState, helloSeconds: UInt8, holdSeconds: UInt8, priority: UInt8,
        group: UInt8, authentication: AuthenticationText, virtualAddress: IPv4Address
    ) {
        self.operation = operation
        self.state = state
        self.helloSeconds = helloSeconds
        self.holdSeconds = holdSeconds
        self.priority = priority
        self.group = group
        self.authentication = authentication
        self.virtualAddress = virtualAddress
    }

    /// Appends the 20 bytes.
    public func encode(into writer: inout ByteWriter) {
        for byte in [
            0, operation.rawValue, state.rawValue, helloSeconds, holdSeconds, priority, group, 0,
        ] {
            writer.write(byte)
        }
        writer.write(authentication.value)
        writer.write(virtualAddress)
    }

    /// The 20 bytes.
    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: Self.byteCount)
        encode(into: &writer)
        return writer.bytes
    }
}

/// A received UDP payload of port 1985.
public enum HSRPDatagram: Hashable, Sendable {
    /// A hello, coup or resign.
    case message(HSRPMessage)
    /// An Advertise: recognised, without effect.
    case advertise

    /// Reads a payload; anything that is not exactly a version 1 message is refused.
    public init(parsing bytes: ArraySlice<UInt8>) throws(DecodeError) {
        var reader = ByteReader(bytes)
        let version: UInt8 = try reader.read()
        let code: UInt8 = try reader.read()
        // Version 0 op 3 is Advertise: from here on a type-length body instead of a state.
        guard version == 0 else { throw .invalid(field: "hsrp version", value: UInt64(version)) }
        if code == HSRPMessage.advertiseOperation {
            self = .advertise
            return
        }
        guard let operation = HSRPMessage.Operation(rawValue: code) else {
            throw .invalid(field: "hsrp op code", value: UInt64(code))
        }
        let stateCode: UInt8 = try reader.read()
        guard let state = HSRPState(rawValue: stateCode) else {
            throw .invalid(field: "hsrp state", value: UInt64(stateCode))
        }
        let helloSeconds: UInt8 = try reader.read()
        let holdSeconds: UInt8 = try reader.read()
        let priority: UInt8 = try reader.read()
        let group: UInt8 = try reader.read()
        try reader.skip(1)
        let authentication = AuthenticationText(value: try reader.read())
        let virtualAddress = try reader.readIPv4()
        if bytes.count != HSRPMessage.byteCountWithDigest { try reader.finish() }
        self = .message(
            HSRPMessage(
                operation: operation, state: state, helloSeconds: helloSeconds, holdSeconds: holdSeconds,
                priority: priority, group: group, authentication: authentication, virtualAddress: virtualAddress))
    }
}
