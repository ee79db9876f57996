// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives

extension HAMessage {
    /// Tells charon which segments its neighbour serves: none to an active charon, 1 to a passive one.
    public static func status(serving segments: [UInt16], version: HAVersion) -> HAMessage {
        command(.status, segments: segments, version: version)
    }

    /// Makes charon active for `segments` (its neighbour dropped them).
    public static func segmentDrop(_ segments: [UInt16], version: HAVersion) -> HAMessage {
        command(.segmentDrop, segments: segments, version: version)
    }

    /// Makes charon passive for `segments` (its neighbour took them).
    public static func segmentTake(_ segments: [UInt16], version: HAVersion) -> HAMessage {
        command(.segmentTake, segments: segments, version: version)
    }

    /// Asks charon to send its cache and then rekey every child; of use in tests only.
    public static func resync(_ segments: [UInt16], version: HAVersion) -> HAMessage {
        command(.resync, segments: segments, version: version)
    }

    /// Ends an IKE SA with all its children, silently.
    public static func ikeDelete(_ identity: IKEIdentity, version: HAVersion) -> HAMessage {
        build(.ikeDelete, version: version) { $0.write(.ikeID, identity, version) }
    }

    /// Ends the child SA with this SPI toward the gateway, silently.
    public static func childDelete(_ identity: IKEIdentity, inboundSPI: UInt32, version: HAVersion) -> HAMessage {
        build(.childDelete, version: version) { writer in
            writer.write(.ikeID, identity, version)
            writer.write(number: .inboundSPI, version)
            writer.writeHost(inboundSPI)
        }
    }

    /// Says that the VPN peer's end of an IKE SA moved: its NAT gave it another port or address.
    ///
    /// charon has no word for this; a journal rewrites what it holds of the SA (`CharonJournal`).
    public static func peerMoved(_ identity: IKEIdentity, to end: IKEEndpoint, version: HAVersion) -> HAMessage {
        build(.ikeUpdate, version: version) { writer in
            writer.write(.ikeID, identity, version)
            writer.write(number: .remoteAddress, version)
            writer.write(end)
        }
    }

    /// Tells whether this is a `peerMoved`: an update that names an end and no connection.
    public var isPeerMove: Bool {
        kind == .ikeUpdate && configurationName == nil && remoteEndpoint != nil && !assignsVirtualAddress
    }

    /// The same message with another end of the VPN peer, or nil if it names none.
    func replacing(remote end: IKEEndpoint) -> HAMessage? {
        guard remoteEndpoint != nil, unknownAttribute == nil else { return nil }
        return bytes.withBytes { original in
            var writer = ByteWriter(capacity: original.count + 12)
            writer.write(bytes: original.prefix(2))
            var reader = HAAttributeReader(original[2...], version: version)
            while let (attribute, value) = try? reader.next() {
                writer.write(number: attribute, version)
                if attribute == .remoteAddress { writer.write(end) } else { writer.write(bytes: value) }
            }
            return try? HAMessage(decoding: writer.bytes[...])
        }
    }

    /// The same message in another wire version, or nil if that version cannot express it (reference ipsec-ha §1.4).
    public func translated(to target: HAVersion) -> HAMessage? {
        guard target != version else { return self }
        guard unknownAttribute == nil else { return nil }
        return bytes.withBytes { original in
            var writer = ByteWriter(capacity: original.count + 8)
            writer.write(target.rawValue)
            writer.write(kind.rawValue)
            var reader = HAAttributeReader(original[2...], version: version)
            while let (attribute, value) = try? reader.next() {
                let isPrivateSet = attribute == .conditions || attribute == .extensions
                if target != .five, isPrivateSet, value.first.map({ $0 >> 7 == 1 }) ?? false { continue }
                guard let number = attribute.number(in: target) else { return nil }
                writer.write(number)
                writer.write(bytes: value)
            }
            return try? HAMessage(decoding: writer.bytes[...])
        }
    }

    private static func command(_ kind: Kind, segments: [UInt16], version: HAVersion) -> HAMessage {
        build(kind, version: version) { writer in
            for segment in segments {
                writer.write(number: .segment, version)
                writer.write(segment)
            }
        }
    }

    private static func build(_ kind: Kind, version: HAVersion, _ body: (inout ByteWriter) -> Void) -> HAMessage {
        var writer = ByteWriter()
        writer.write(version.rawValue)
        writer.write(kind.rawValue)
        body(&writer)
        guard let message = try? HAMessage(decoding: writer.bytes[...]) else {
            preconditionFailure("built a message that does not decode")
        }
        return message
    }
}

extension ByteWriter {
    fileprivate mutating func write(number attribute: HAAttribute, _ version: HAVersion) {
        guard let number = attribute.number(in: version) else { preconditionFailure("attribute unknown to version") }
        write(number)
    }

    fileprivate mutating func write(_ end: IKEEndpoint) {
        write(end.port)
        // AF_INET and AF_INET6.
        write(end.octets.count == 4 ? 2 as UInt8 : 10)
        write(bytes: end.octets)
    }

    fileprivate mutating func write(_ attribute: HAAttribute, _ identity: IKEIdentity, _ version: HAVersion) {
        write(number: attribute, version)
        write(identity.version)
        write(identity.spis.initiator)
        write(identity.spis.responder)
        write(identity.isInitiator ? 1 as UInt8 : 0)
    }
}
