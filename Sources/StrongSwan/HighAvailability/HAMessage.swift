// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// One datagram of charon's ha plugin: the original bytes and what the journal needs to know of them.
///
/// The bytes hold key material and stay in `SecretBytes`; no other property does (reference ipsec-ha §1.3 to §1.6).
public struct HAMessage: Sendable, Equatable {
    /// The message types, numbered alike in all versions.
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// Keys of a new IKE SA, or an update of them.
        case ikeAdd = 1
        /// Identities, addresses and names, sent when an IKE SA is up.
        case ikeUpdate = 2
        /// The next message id of exchanges that the gateway starts.
        case ikeMessageIDInitiator = 3
        /// The next message id of exchanges that the VPN peer starts.
        case ikeMessageIDResponder = 4
        /// The end of an IKE SA.
        case ikeDelete = 5
        /// A child SA with the ingredients of its keys.
        case childAdd = 6
        /// The end of a child SA.
        case childDelete = 7
        /// Toward charon: be active for these segments.
        case segmentDrop = 8
        /// Toward charon: be passive for these segments.
        case segmentTake = 9
        /// The segments that the sender serves.
        case status = 10
        /// A starting charon asks for all it has lost.
        case resync = 11
        /// The last block of phase 1 (IKEv1).
        case ikeInitializationVector = 12

        /// Tells whether the message belongs in the journal; the others are commands between neighbours.
        public var isRecord: Bool {
            switch self {
            case .segmentDrop, .segmentTake, .status, .resync: false
            default: true
            }
        }
    }

    /// Tells whether the message changes a standing IKE SA, and may be delivered again, as long as none goes back.
    var refreshes: Bool {
        switch kind {
        case .ikeUpdate, .ikeMessageIDInitiator, .ikeMessageIDResponder, .ikeInitializationVector: !isPeerMove
        default: false
        }
    }

    /// The wire version of the bytes.
    public internal(set) var version: HAVersion
    /// The message type.
    public internal(set) var kind: Kind
    /// The IKE SA spoken of; present in every record.
    public internal(set) var identity: IKEIdentity?
    /// The IKE SA that an added one replaces.
    public internal(set) var rekeyedIdentity: IKEIdentity?
    /// The child SA's SPI toward the gateway, in host order.
    public internal(set) var inboundSPI: UInt32?
    /// The child SA's SPI from the gateway, in host order.
    public internal(set) var outboundSPI: UInt32?
    /// The connection's name in an IKE_UPDATE, the child's in a CHILD_ADD.
    public internal(set) var configurationName: String?
    /// The gateway's IKE end.
    public internal(set) var localEndpoint: IKEEndpoint?
    /// The VPN peer's IKE end.
    public internal(set) var remoteEndpoint: IKEEndpoint?
    /// The next message id.
    public internal(set) var messageID: UInt32?
    /// The segments named by a command, 1-based.
    public internal(set) var segments: [UInt16] = []
    /// The bits of reference ipsec-ha §1.5, without strongSwan's private set.
    public internal(set) var conditions: UInt32?
    /// The bits of reference ipsec-ha §1.5, without strongSwan's private set.
    public internal(set) var extensions: UInt32?
    /// Tells whether the message assigns virtual addresses to the VPN peer.
    public internal(set) var assignsVirtualAddress = false
    /// The number of the unknown attribute that ended parsing; to be counted.
    public internal(set) var unknownAttribute: UInt8?
    /// Type and value of the gateway's identity.
    var localID: [UInt8]?
    /// Type and value of the VPN peer's identity, EAP identity appended.
    var remoteID: [UInt8]?
    /// The datagram as it was received.
    public let bytes: SecretBytes

    /// Decodes a datagram of at most `Limits.datagramByteCount` bytes.
    public init(decoding datagram: ArraySlice<UInt8>) throws(DecodeError) {
        guard datagram.count <= Limits.datagramByteCount else {
            throw .overLimit(field: "ha datagram", value: UInt64(datagram.count))
        }
        var header = ByteReader(datagram)
        let versionNumber: UInt8 = try header.read()
        guard let version = HAVersion(rawValue: versionNumber) else {
            throw .invalid(field: "ha version", value: UInt64(versionNumber))
        }
        let kindNumber: UInt8 = try header.read()
        guard let kind = Kind(rawValue: kindNumber) else {
            throw .invalid(field: "ha message type", value: UInt64(kindNumber))
        }
        self.version = version
        self.kind = kind
        bytes = SecretBytes(datagram)
        var reader = HAAttributeReader(header.readRemaining(), version: version)
        while let (attribute, value) = try reader.next() {
            // charon ignores an update whose first attribute is another (`process_ike_update`).
            if kind == .ikeUpdate, identity == nil, attribute != .ikeID {
                throw .invalid(field: "ha first attribute", value: UInt64(attribute.rawValue))
            }
            try take(attribute, ByteReader(value))
        }
        unknownAttribute = reader.unknownNumber
        try checkPresence()
    }

    private mutating func take(_ attribute: HAAttribute, _ value: ByteReader) throws(DecodeError) {
        var value = value
        switch attribute {
        case .ikeID: identity = try value.readIdentity()
        case .ikeRekeyID: rekeyedIdentity = try value.readIdentity()
        case .localID: localID = Array(value.readRemaining())
        case .remoteID: remoteID = Array(value.readRemaining())
        case .remoteEAPID: remoteID = (remoteID ?? []) + value.readRemaining()
        case .localAddress: localEndpoint = try value.readEndpoint()
        case .remoteAddress: remoteEndpoint = try value.readEndpoint()
        case .configurationName: configurationName = String(decoding: value.readRemaining().dropLast(), as: UTF8.self)
        // charon keeps SPIs in network order in memory and converts once more: reversed on the wire.
        case .inboundSPI: inboundSPI = try value.readHost()
        case .outboundSPI: outboundSPI = try value.readHost()
        case .messageID: messageID = try value.read()
        case .segment: segments.append(try value.read())
        case .conditions: conditions = try value.readBits() ?? conditions
        case .extensions: extensions = try value.readBits() ?? extensions
        case .remoteVirtualAddress: assignsVirtualAddress = true
        default: break
        }
    }

    private func checkPresence() throws(DecodeError) {
        guard kind.isRecord else { return }
        guard let identity else { throw .invalid(field: "ha record without IKE_ID", value: UInt64(kind.rawValue)) }
        guard identity.version == 1 || identity.version == 2 else {
            throw .invalid(field: "ha IKE version", value: UInt64(identity.version))
        }
        switch kind {
        case .childAdd where inboundSPI == nil || outboundSPI == nil || configurationName == nil,
            .childDelete where inboundSPI == nil:
            throw .invalid(field: "ha child without SPI or name", value: UInt64(kind.rawValue))
        case .ikeMessageIDInitiator where messageID == nil, .ikeMessageIDResponder where messageID == nil:
            throw .invalid(field: "ha message id missing", value: UInt64(kind.rawValue))
        default: break
        }
    }
}

extension ByteReader {
    fileprivate mutating func readIdentity() throws(DecodeError) -> IKEIdentity {
        let version: UInt8 = try read()
        let spis = IKESPIPair(initiator: try read(), responder: try read())
        return IKEIdentity(version: version, spis: spis, isInitiator: try read(UInt8.self) != 0)
    }

    fileprivate mutating func readEndpoint() throws(DecodeError) -> IKEEndpoint {
        let port: UInt16 = try read()
        try skip(1)
        return IKEEndpoint(port: port, octets: Array(readRemaining()))
    }

    /// A bit set, or nil for the private set of version 5, which says nothing that is shown.
    fileprivate mutating func readBits() throws(DecodeError) -> UInt32? {
        let bits: UInt32 = try read()
        return bits >> 31 == 0 ? bits : nil
    }
}
