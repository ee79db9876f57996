// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives
public import SecurityAssociations

/// What the kernel reports about SAs and policies (reference ipsec-ha §2.3).
public enum XFRMEvent: Hashable, Sendable {
    /// An SA came in or was changed.
    case added(KernelSA)
    /// An SA went, by request or by hard expiry.
    case deleted(SAIdentity)
    /// All SAs of a protocol went; 0 is every protocol.
    case flushed(protocolNumber: UInt8)
    /// An SA reached a limit; a hard one removes it.
    case expired(KernelSA, isHard: Bool)
    /// Counters moved by their threshold or timer, or somebody set them.
    case countersReported(SAIdentity, KernelReplay, cause: CounterCause)
    /// A peer behind NAT changed its address or port.
    case mapped(SAIdentity, newSource: IPAddress, newPort: UInt16)
    /// A policy came, changed or went; read the table where that matters.
    case policiesChanged

    /// Why counters are reported (XFRM_AE_C…).
    public enum CounterCause: Sendable {
        /// The timer ran out (XFRM_AE_CE).
        case timer
        /// The packet threshold was reached (XFRM_AE_CR).
        case threshold
        /// Somebody set them (XFRM_AE_CU).
        case write
        /// The answer to a query.
        case query
    }

    /// Reads one event; nil for messages that carry nothing of interest.
    public init?(parsing message: NetlinkMessage) throws(DecodeError) {
        switch message.type {
        case XFRMMessage.newSA, XFRMMessage.updateSA:
            guard let sa = try KernelSA(parsing: message) else { return nil }
            self = .added(sa)
        case XFRMMessage.deleteSA:
            var reader = ByteReader(message.payload)
            self = .deleted(try reader.readShortIdentity())
        case XFRMMessage.flushSA:
            var reader = ByteReader(message.payload)
            self = .flushed(protocolNumber: try reader.read())
        case XFRMMessage.expire:
            guard let sa = try KernelSA(parsing: message.payload, attributesAt: XFRMSize.expire) else { return nil }
            var reader = ByteReader(message.payload.dropFirst(XFRMSize.sa))
            self = .expired(sa, isHard: try reader.read(UInt8.self) != 0)
        case XFRMMessage.newCounters:
            guard let (identity, replay, cause) = try Self.counters(message) else { return nil }
            self = .countersReported(identity, replay, cause: cause)
        case XFRMMessage.mapping:
            var reader = ByteReader(message.payload)
            let identity = try reader.readShortIdentity()
            try reader.skip(20)
            let source = try reader.readXFRMAddress(identity.destination.family)
            try reader.skip(2)
            self = .mapped(identity, newSource: source, newPort: try reader.read())
        case XFRMMessage.newPolicy, XFRMMessage.deletePolicy, XFRMMessage.updatePolicy, XFRMMessage.policyExpire,
            XFRMMessage.flushPolicy:
            self = .policiesChanged
        default: return nil
        }
    }

    private static func counters(
        _ message: NetlinkMessage
    ) throws(DecodeError) -> (SAIdentity, KernelReplay, CounterCause)? {
        var reader = ByteReader(message.payload)
        let identity = try reader.readShortIdentity()
        try reader.skip(16)
        let flags: UInt32 = try reader.readHost()
        try reader.skip(4)
        let cause: CounterCause =
            if flags & 64 != 0 { .write } else if flags & 32 != 0 { .timer } else if flags & 16 != 0 { .threshold } else
            { .query }
        var attributes = AttributeReader(reader.readRemaining())
        while let attribute = try attributes.next() {
            var value = attribute.reader
            switch attribute.type {
            case XFRMAttribute.replay: return (identity, try value.readReplay(), cause)
            case XFRMAttribute.extendedReplay: return (identity, try value.readExtendedReplay(), cause)
            default: break
            }
        }
        return nil
    }
}
