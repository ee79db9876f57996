// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives

/// How version 1 writes a message: 20 bytes (RFC 2281 §5.1), with a digest behind them where one is used.
enum HSRPVersion1 {
    /// The size of a message without a digest.
    static let byteCount = 20
    /// The op code of Advertise, which has another body and concerns ICMP redirects alone.
    static let advertiseOperation: UInt8 = 3

    static func encode(_ message: HSRPMessage, into writer: inout ByteWriter) {
        for byte in [
            0, message.operation.rawValue, message.state.version1Code, wireSeconds(message.helloMilliseconds),
            wireSeconds(message.holdMilliseconds), message.priority, UInt8(message.group), 0,
        ] {
            writer.write(byte)
        }
        if case .text(let text) = message.authentication { writer.write(text.value) } else { writer.pad(8) }
        writer.write(message.virtualAddress.ipv4 ?? .any)
        if case .digest(let digest) = message.authentication { HSRPTypeLengthValue.write(digest, into: &writer) }
    }

    /// Whole seconds, rounded up: this version can say nothing finer.
    private static func wireSeconds(_ milliseconds: UInt32) -> UInt8 {
        UInt8(min((UInt64(milliseconds) + 999) / 1000, 255))
    }

    /// Anything that is not exactly a message of this version is refused.
    static func decode(_ bytes: ArraySlice<UInt8>) throws(DecodeError) -> HSRPDatagram {
        var reader = ByteReader(bytes)
        let version: UInt8 = try reader.read()
        let code: UInt8 = try reader.read()
        // Version 0 op 3 is Advertise: from here on a type-length body instead of a state.
        guard version == 0 else { throw .invalid(field: "hsrp version", value: UInt64(version)) }
        if code == advertiseOperation { return .advertise }
        guard let operation = HSRPMessage.Operation(rawValue: code) else {
            throw .invalid(field: "hsrp op code", value: UInt64(code))
        }
        let state = try HSRPState(version1Code: reader.read())
        let helloSeconds: UInt8 = try reader.read()
        let holdSeconds: UInt8 = try reader.read()
        let priority: UInt8 = try reader.read()
        let group: UInt8 = try reader.read()
        try reader.skip(1)
        let text = AuthenticationText(value: try reader.read())
        let virtualAddress = try reader.readIPv4()
        var authentication = HSRPAuthentication.text(text)
        if reader.remaining == HSRPTypeLengthValue.digestByteCount {
            let behind = try HSRPTypeLengthValue(parsing: &reader)
            guard behind.type == HSRPTypeLengthValue.digestType else {
                throw .invalid(field: "hsrp type", value: UInt64(behind.type))
            }
            authentication = try behind.authentication(in: bytes)
        }
        try reader.finish()
        return .message(
            HSRPMessage(
                version: .one, operation: operation, state: state, helloMilliseconds: UInt32(helloSeconds) * 1000,
                holdMilliseconds: UInt32(holdSeconds) * 1000, priority: priority, group: UInt16(group),
                authentication: authentication, virtualAddress: IPAddress(virtualAddress)))
    }
}

extension HSRPState {
    /// The code on the wire of version 1, one bit a state (RFC 2281 §5.1).
    var version1Code: UInt8 {
        switch self {
        case .initial: 0
        case .learn: 1
        case .listen: 2
        case .speak: 4
        case .standby: 8
        case .active: 16
        }
    }

    init(version1Code code: UInt8) throws(DecodeError) {
        guard let state = Self.allCases.first(where: { $0.version1Code == code }) else {
            throw .invalid(field: "hsrp state", value: UInt64(code))
        }
        self = state
    }
}
