// SPDX-License-Identifier: Apache-2.0

/// An attribute of an ha-plugin message, numbered as in versions 4 and 5 (strongSwan `ha_message.h`).
enum HAAttribute: UInt8, Sendable, CaseIterable {
    case ikeID = 1
    case ikeRekeyID = 2
    case localID = 3
    case remoteID = 4
    case remoteEAPID = 5
    case localAddress = 6
    case remoteAddress = 7
    case configurationName = 8
    case conditions = 9
    case extensions = 10
    case localVirtualAddress = 11
    case remoteVirtualAddress = 12
    case peerAddress = 13
    case initiator = 14
    case nonceInitiator = 15
    case nonceResponder = 16
    case secret = 17
    case additionalSecret = 18
    case oldDerivationKey = 19
    case pseudoRandomFunction = 20
    case oldPseudoRandomFunction = 21
    case encryption = 22
    case encryptionBits = 23
    case integrity = 24
    case keyExchange = 25
    case additionalKeyExchanges = 26
    case ipsecMode = 27
    case ipcomp = 28
    case inboundSPI = 29
    case outboundSPI = 30
    case inboundCPI = 31
    case outboundCPI = 32
    case localTrafficSelector = 33
    case remoteTrafficSelector = 34
    case messageID = 35
    case segment = 36
    case extendedSequenceNumbers = 37
    case ikeVersion = 38
    case localKeyShare = 39
    case remoteKeyShare = 40
    case presharedKey = 41
    case initializationVector = 42
    case authenticationMethod = 43

    /// How the value of an attribute is laid out.
    enum Shape: Sendable {
        /// IKE version, two SPIs, initiator flag: 18 bytes.
        case identity
        /// Type, 8-bit length, bytes.
        case identification
        /// Port, address family, 4 or 16 bytes.
        case host
        /// Bytes up to and with a zero.
        case text
        /// A number of 1, 2 or 4 bytes.
        case number(byteCount: Int)
        /// A 16-bit length and bytes.
        case chunk
        /// Type, protocol, ports, dynamic flag, two addresses.
        case trafficSelector
    }

    /// The layout of the value, the same in all versions.
    var shape: Shape {
        switch self {
        case .ikeID, .ikeRekeyID: .identity
        case .localID, .remoteID, .remoteEAPID: .identification
        case .localAddress, .remoteAddress, .localVirtualAddress, .remoteVirtualAddress, .peerAddress: .host
        case .configurationName: .text
        case .initiator, .ipsecMode, .ipcomp, .ikeVersion: .number(byteCount: 1)
        case .pseudoRandomFunction, .oldPseudoRandomFunction, .encryption, .encryptionBits, .integrity, .keyExchange,
            .inboundCPI, .outboundCPI, .segment, .extendedSequenceNumbers, .authenticationMethod:
            .number(byteCount: 2)
        case .conditions, .extensions, .inboundSPI, .outboundSPI, .messageID: .number(byteCount: 4)
        case .nonceInitiator, .nonceResponder, .secret, .additionalSecret, .oldDerivationKey, .additionalKeyExchanges,
            .localKeyShare, .remoteKeyShare, .presharedKey, .initializationVector:
            .chunk
        case .localTrafficSelector, .remoteTrafficSelector: .trafficSelector
        }
    }

    /// The attribute that `number` means in `version`, or nil.
    init?(number: UInt8, version: HAVersion) {
        switch (version, number) {
        // Version 3 has neither ADD_SECRET (18 in version 4) nor ALG_ADD_KES (26).
        case (.three, 42...): return nil
        case (.three, 25...): self.init(rawValue: number + 2)
        case (.three, 18...): self.init(rawValue: number + 1)
        default: self.init(rawValue: number)
        }
    }

    /// The attribute's number in `version`, or nil if that version cannot express it.
    func number(in version: HAVersion) -> UInt8? {
        guard version == .three else { return rawValue }
        switch self {
        case .additionalSecret, .additionalKeyExchanges: return nil
        default: return rawValue > 26 ? rawValue - 2 : rawValue > 18 ? rawValue - 1 : rawValue
        }
    }
}
