// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives

/// How version 2 writes a message: a Group State of 42 bytes and an authentication behind it (reference first-hop §1.3).
enum HSRPVersion2 {
    private static let groupStateType: UInt8 = 1
    private static let groupStateLength: UInt8 = 40
    private static let interfaceStateType: UInt8 = 2
    private static let addressByteCount = 16

    static func encode(_ message: HSRPMessage, into writer: inout ByteWriter) {
        for byte in [
            groupStateType, groupStateLength, HSRPVersion.two.rawValue, message.operation.rawValue,
            message.state.version2Code, message.virtualAddress.family.rawValue,
        ] {
            writer.write(byte)
        }
        writer.write(message.group)
        writer.write(bytes: message.identifier.octets)
        writer.write(UInt32(message.priority))
        writer.write(message.helloMilliseconds)
        writer.write(message.holdMilliseconds)
        let address = message.virtualAddress.octets
        writer.write(bytes: address)
        writer.pad(addressByteCount - address.count)
        switch message.authentication {
        case .absent: break
        case .text(let text):
            writer.write(HSRPTypeLengthValue.textType)
            writer.write(HSRPTypeLengthValue.textLength)
            writer.write(text.value)
        case .digest(let digest): HSRPTypeLengthValue.write(digest, into: &writer)
        }
        message.proof?.write(into: &writer)
    }

    /// Walks the pieces of a payload: unknown ones are passed over, each known one may be said once.
    static func decode(_ bytes: ArraySlice<UInt8>) throws(DecodeError) -> HSRPDatagram {
        var reader = ByteReader(bytes)
        var message: HSRPMessage?
        var authentication: HSRPAuthentication?
        var proof: HSRPProof?
        var hasInterfaceState = false
        var count = 0
        while !reader.isAtEnd {
            count += 1
            guard count <= HSRPTypeLengthValue.maximumCount else {
                throw .overLimit(field: "hsrp pieces", value: UInt64(count))
            }
            let piece = try HSRPTypeLengthValue(parsing: &reader)
            switch piece.type {
            case groupStateType:
                guard message == nil else { throw .invalid(field: "hsrp second group state", value: UInt64(count)) }
                message = try groupState(piece.value)
            case interfaceStateType: hasInterfaceState = true
            case HSRPTypeLengthValue.textType, HSRPTypeLengthValue.digestType:
                guard authentication == nil else {
                    throw .invalid(field: "hsrp second authentication", value: UInt64(count))
                }
                authentication = try piece.authentication(in: bytes)
            case HSRPProof.type:
                guard proof == nil else { throw .invalid(field: "hsrp second proof", value: UInt64(count)) }
                proof = try HSRPProof(piece.value, in: bytes)
            default: break
            }
        }
        guard var message else {
            guard hasInterfaceState else { throw .truncated(wanted: Int(groupStateLength), left: 0) }
            return .advertise
        }
        if let authentication { message.authentication = authentication }
        message.proof = proof
        return .message(message)
    }

    /// A later edition may append fields; those that are known come first.
    private static func groupState(_ value: ArraySlice<UInt8>) throws(DecodeError) -> HSRPMessage {
        var reader = ByteReader(value)
        let version: UInt8 = try reader.read()
        guard version == HSRPVersion.two.rawValue else { throw .invalid(field: "hsrp version", value: UInt64(version)) }
        let code: UInt8 = try reader.read()
        guard let operation = HSRPMessage.Operation(rawValue: code) else {
            throw .invalid(field: "hsrp op code", value: UInt64(code))
        }
        let state = try HSRPState(version2Code: reader.read())
        let familyCode: UInt8 = try reader.read()
        guard let family = IPAddress.Family(rawValue: familyCode) else {
            throw .invalid(field: "hsrp address family", value: UInt64(familyCode))
        }
        let group: UInt16 = try reader.read()
        guard HSRPVersion.two.groupNumbers.contains(Int(group)) else {
            throw .invalid(field: "hsrp group", value: UInt64(group))
        }
        let identifier = MACAddress(octets: try reader.readBytes(6)) ?? MACAddress(0)
        let priority: UInt32 = try reader.read()
        guard let priority = UInt8(exactly: priority) else {
            throw .invalid(field: "hsrp priority", value: UInt64(priority))
        }
        let helloMilliseconds: UInt32 = try reader.read()
        let holdMilliseconds: UInt32 = try reader.read()
        let address = try reader.readBytes(addressByteCount)
        guard let virtualAddress = IPAddress(octets: family == .ipv4 ? address.prefix(4) : address) else {
            throw .truncated(wanted: addressByteCount, left: address.count)
        }
        var message = HSRPMessage(
            version: .two, operation: operation, state: state, helloMilliseconds: helloMilliseconds,
            holdMilliseconds: holdMilliseconds, priority: priority, group: group, authentication: .absent,
            virtualAddress: virtualAddress)
        message.identifier = identifier
        return message
    }
}

extension HSRPState {
    /// The code on the wire of version 2, numbered from 1; 0 is a group that is disabled.
    var version2Code: UInt8 {
        switch self {
        case .initial: 1
        case .learn: 2
        case .listen: 3
        case .speak: 4
        case .standby: 5
        case .active: 6
        }
    }

    init(version2Code code: UInt8) throws(DecodeError) {
        guard let state = Self.allCases.first(where: { $0.version2Code == max(code, 1) }) else {
            throw .invalid(field: "hsrp state", value: UInt64(code))
        }
        self = state
    }
}
