// SPDX-License-Identifier: Apache-2.0

import ByteCodec

/// Why a message of the group is not believed.
enum HelloRefusal: Hashable, Sendable {
    /// It is this node's own.
    case looped
    /// It came from this node's own address, and is another one's.
    case duplicateAddress
    /// Its sender is not on this segment.
    case offLink
    /// It is of the other protocol version.
    case otherVersion
    /// It does not prove that its sender belongs to the group.
    case badAuthentication
    /// It does not prove to be genuine, or carries no proof where one must be.
    case badProof
    /// It is genuine, and was heard before or is of an older life of its sender.
    case replayed

    /// The counter that it raises.
    var counter: StaticName {
        switch self {
        case .looped: "hello.looped"
        case .duplicateAddress: "hello.duplicateAddress"
        case .offLink: "hello.offLink"
        case .otherVersion: "hello.otherVersion"
        case .badAuthentication: "hello.badAuthentication"
        case .badProof: "hello.badProof"
        case .replayed: "hello.replayed"
        }
    }

    /// What an operator's log calls it, as IOS does where IOS has a word for it; nil where a counter is enough.
    var mnemonic: StaticName? {
        switch self {
        case .looped, .offLink: nil
        case .duplicateAddress: "HSRP-4-DUPADDR"
        case .otherVersion: "HSRP-4-BADVERSION"
        case .badAuthentication, .badProof: "HSRP-4-BADAUTH"
        case .replayed: "HSRP-4-REPLAY"
        }
    }
}
