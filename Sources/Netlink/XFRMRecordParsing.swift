// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives
public import SecurityAssociations

/// What one XFRM message says about an SA or a policy that may be replicated.
public enum XFRMFinding: Equatable, Sendable {
    /// It stands in the kernel like this.
    case stands(KernelRecord)
    /// It is gone.
    case removed(RecordKey)
    /// It reached its hard limit, and the kernel has removed it.
    case expired(RecordKey)
    /// It cannot or must not be replicated; the name is a counter's.
    case skipped(StaticName)
    /// A whole table, or an unknown part of it, went: read everything anew.
    case flushed
}

/// Reads XFRM messages whole, keys included (reference ipsec-ha §2.2).
public struct XFRMRecordReader: Sendable {
    /// The ends that are ours: nothing else is looked at.
    public var ends: Set<IPAddress>
    /// Attributes that this version does not know, so far.
    public private(set) var unknownAttributes = 0

    /// Makes a reader for SAs and policies with one of these addresses as an end.
    public init(ends: Set<IPAddress>) { self.ends = ends }

    /// Reads a dumped message or an event; nil for what is not ours.
    ///
    /// - Parameter nowSeconds: the wall clock, against which the kernel's times become ages.
    public mutating func read(_ message: NetlinkMessage, nowSeconds: UInt64) throws(DecodeError) -> XFRMFinding? {
        switch message.type {
        case XFRMMessage.newSA, XFRMMessage.updateSA:
            guard isOurSA(message.payload) else { return nil }
            return try standingSA(message.payload, nowSeconds)
        case XFRMMessage.deleteSA:
            // The whole SA follows the identity, so that its addresses can be looked at.
            guard let info = try attribute(XFRMAttribute.sa, of: message, behind: XFRMSize.shortIdentity),
                isOurSA(info)
            else { return nil }
            var reader = ByteReader(message.payload)
            let key = try reader.readSAKey()
            return .removed(.sa(try marked(key, message, behind: XFRMSize.shortIdentity)))
        case XFRMMessage.expire:
            guard isOurSA(message.payload) else { return nil }
            var reader = ByteReader(message.payload)
            try reader.skip(XFRMSize.sa)
            guard try reader.read(UInt8.self) != 0 else { return nil }
            let key = try XFRMRecordReader.key(ofSA: message.payload)
            return .expired(.sa(try marked(key, message, behind: XFRMSize.expire)))
        case XFRMMessage.newPolicy, XFRMMessage.updatePolicy:
            return try standingPolicy(message.payload, nowSeconds)
        case XFRMMessage.deletePolicy: return try removedPolicy(message)
        case XFRMMessage.policyExpire: return try expiredPolicy(message)
        case XFRMMessage.flushSA, XFRMMessage.flushPolicy: return .flushed
        default: return nil
        }
    }

    // MARK: SAs

    /// Looks at protocol and addresses alone.
    private func isOurSA(_ payload: ArraySlice<UInt8>) -> Bool {
        guard payload.count >= XFRMSize.sa else { return false }
        let start = payload.startIndex
        guard payload[start + 76] == 50, let family = IPAddress.Family(number: payload[start + 212]) else {
            return false
        }
        let source = IPAddress(xfrm: payload[(start + 80)...], family)
        let destination = IPAddress(xfrm: payload[(start + 56)...], family)
        return ends.contains(source) || ends.contains(destination)
    }

    private static func key(ofSA payload: ArraySlice<UInt8>) throws(DecodeError) -> SAKey {
        var reader = ByteReader(payload)
        try reader.skip(212)
        let family = try reader.readFamily()
        reader = ByteReader(payload.dropFirst(XFRMSize.selector))
        return try reader.readSAKey(family)
    }

    private mutating func standingSA(
        _ payload: ArraySlice<UInt8>, _ nowSeconds: UInt64
    ) throws(DecodeError) -> XFRMFinding {
        let key = try Self.key(ofSA: payload)
        var reader = ByteReader(payload)
        let selector = try reader.readReplicatedSelector(key.destination.family)
        try reader.skip(XFRMSize.identity)
        var sa = ReplicatedSA(key: key, source: try reader.readXFRMAddress(key.destination.family))
        sa.limits = try reader.readReplicatedLimits()
        sa.usage.bytes = try reader.readHost()
        sa.usage.packets = try reader.readHost()
        let addedAt: UInt64 = try reader.readHost()
        let usedAt: UInt64 = try reader.readHost()
        sa.usage.ageSeconds = nowSeconds > addedAt ? nowSeconds - addedAt : 0
        sa.usage.useAgeSeconds = usedAt == 0 ? nil : (nowSeconds > usedAt ? nowSeconds - usedAt : 0)
        try reader.skip(16)
        sa.requestID = try reader.readHost()
        try reader.skip(2)
        sa.mode = try reader.read()
        sa.replayWindow = try reader.read()
        sa.flags = try reader.read()
        sa.replay.windowPackets = UInt32(sa.replayWindow)
        guard let selector else { return .skipped("kernel.interfaceSelectorSkipped") }
        sa.selector = selector
        // XFRM_MODE_IPTFS has settings of its own, which this version does not carry.
        guard sa.mode <= 4 else { return .skipped("kernel.modeSkipped") }
        var attributes = AttributeReader(payload.dropFirst(XFRMSize.sa))
        while let attribute = try attributes.next() {
            if attribute.type == XFRMAttribute.processor { return .skipped("kernel.perProcessorSkipped") }
            if try !sa.read(attribute) { unknownAttributes += 1 }
        }
        guard sa.hasKeys else { return .skipped("kernel.larvalSkipped") }
        guard !sa.areKeysHidden else { return .skipped("kernel.keysHidden") }
        return .stands(.sa(sa))
    }

    // MARK: Policies

    private mutating func standingPolicy(
        _ payload: ArraySlice<UInt8>, _ nowSeconds: UInt64
    ) throws(DecodeError) -> XFRMFinding? {
        let attributes = AttributeReader(payload.dropFirst(XFRMSize.policy))
        guard try areOurTemplates(attributes) else { return nil }
        var reader = ByteReader(payload)
        let selector = try reader.readReplicatedSelector(nil)
        let limits = try reader.readReplicatedLimits()
        try reader.skip(16)
        let addedAt: UInt64 = try reader.readHost()
        try reader.skip(8)
        let priority: UInt32 = try reader.readHost()
        try reader.skip(4)
        guard let direction = KernelPolicy.Direction(rawValue: try reader.read()) else { return nil }
        guard let selector else { return .skipped("kernel.interfaceSelectorSkipped") }
        var policy = ReplicatedPolicy(key: PolicyKey(direction: direction, selector: selector))
        policy.limits = limits
        policy.priority = priority
        policy.ageSeconds = nowSeconds > addedAt ? nowSeconds - addedAt : 0
        policy.action = try reader.read()
        policy.flags = try reader.read()
        policy.share = try reader.read()
        var walker = attributes
        while let attribute = try walker.next() {
            if attribute.type == XFRMAttribute.policyType, attribute.value.first ?? 0 != 0 {
                return .skipped("kernel.subPolicySkipped")
            }
            if try !policy.read(attribute) { unknownAttributes += 1 }
        }
        return .stands(.policy(policy))
    }

    private func removedPolicy(_ message: NetlinkMessage) throws(DecodeError) -> XFRMFinding? {
        let attributes = AttributeReader(message.payload.dropFirst(XFRMSize.policyIdentity))
        guard try areOurTemplates(attributes) else { return nil }
        var reader = ByteReader(message.payload)
        guard let selector = try reader.readReplicatedSelector(nil) else { return nil }
        try reader.skip(4)
        return try Self.key(selector, direction: reader.read(), attributes).map { .removed($0) }
    }

    private func expiredPolicy(_ message: NetlinkMessage) throws(DecodeError) -> XFRMFinding? {
        let attributes = AttributeReader(message.payload.dropFirst(XFRMSize.policyExpire))
        guard try areOurTemplates(attributes) else { return nil }
        var reader = ByteReader(message.payload)
        guard let selector = try reader.readReplicatedSelector(nil) else { return nil }
        reader = ByteReader(message.payload)
        try reader.skip(160)
        let direction: UInt8 = try reader.read()
        try reader.skip(7)
        guard try reader.read(UInt8.self) != 0 else { return nil }
        return try Self.key(selector, direction: direction, attributes).map { .expired($0) }
    }

    private static func key(
        _ selector: ReplicatedSelector, direction: UInt8, _ attributes: AttributeReader
    ) throws(DecodeError) -> RecordKey? {
        guard let direction = KernelPolicy.Direction(rawValue: direction) else { return nil }
        var key = PolicyKey(direction: direction, selector: selector)
        if let mark = try attributes.first(XFRMAttribute.mark) { key.mark = try mark.mark() }
        if let interface = try attributes.first(XFRMAttribute.interfaceID) { key.interfaceID = try interface.host() }
        return .policy(key)
    }

    /// Some template has one of our ends.
    private func areOurTemplates(_ attributes: AttributeReader) throws(DecodeError) -> Bool {
        guard let attribute = try attributes.first(XFRMAttribute.templates) else { return false }
        var rest = attribute.value
        while rest.count >= XFRMSize.template {
            let start = rest.startIndex
            if rest[start + 20] == 50, let family = IPAddress.Family(number: rest[start + 24]) {
                let destination = IPAddress(xfrm: rest, family)
                let source = IPAddress(xfrm: rest[(start + 28)...], family)
                if ends.contains(source) || ends.contains(destination) { return true }
            }
            rest = rest.dropFirst(XFRMSize.template)
        }
        return false
    }

    // MARK: Attributes of events

    private func attribute(
        _ type: UInt16, of message: NetlinkMessage, behind offset: Int
    ) throws(DecodeError) -> ArraySlice<UInt8>? {
        try AttributeReader(message.payload.dropFirst(offset)).first(type)?.value
    }

    private func marked(
        _ key: SAKey, _ message: NetlinkMessage, behind offset: Int
    ) throws(DecodeError) -> SAKey {
        var key = key
        let attributes = AttributeReader(message.payload.dropFirst(offset))
        if let mark = try attributes.first(XFRMAttribute.mark) { key.mark = try mark.mark() }
        return key
    }
}
