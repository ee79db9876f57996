// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec
internal import Primitives
public import SecurityAssociations

/// Requests about SAs and policies.
public enum XFRMRequest {
    /// Dumps every SA; the answer carries keys, which `KernelSA` leaves behind.
    public static func dumpSAs() -> NetlinkRequest {
        // Without a fixed structure: strict checking allows only attributes behind the header.
        NetlinkRequest(type: XFRMMessage.getSA, flags: NetlinkFlags.dump, fixed: [])
    }

    /// Dumps every policy.
    public static func dumpPolicies() -> NetlinkRequest {
        NetlinkRequest(type: XFRMMessage.getPolicy, flags: NetlinkFlags.dump, fixed: [])
    }

    /// Asks for one SA; the answer is XFRM_MSG_NEWSA, or a refusal with ESRCH.
    public static func get(_ identity: SAIdentity, mark: KernelSA.Mark? = nil) -> NetlinkRequest {
        var request = NetlinkRequest(type: XFRMMessage.getSA, fixed: shortIdentity(identity))
        append(mark, to: &request)
        return request
    }

    /// Deletes one SA; a refusal with ESRCH if it is not there.
    public static func delete(_ identity: SAIdentity, mark: KernelSA.Mark? = nil) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: XFRMMessage.deleteSA, flags: NetlinkFlags.acknowledge, fixed: shortIdentity(identity))
        append(mark, to: &request)
        return request
    }

    /// Writes an SA's sequence numbers (XFRM_MSG_NEWAE; NLM_F_REPLACE is required by the kernel).
    ///
    /// The kernel accepts going backwards: that numbers only rise is the caller's to ensure. `replay` must have the
    /// structure, the window and the bitmap length that the SA has in the kernel: a wrong length is refused, but the other
    /// structure is acknowledged and does nothing (measured, Linux 6.1).
    public static func setReplay(
        _ identity: SAIdentity, _ replay: KernelReplay, mark: KernelSA.Mark? = nil
    ) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: XFRMMessage.newCounters, flags: NetlinkFlags.acknowledge | NetlinkFlags.replace,
            fixed: countersIdentity(identity))
        append(mark, to: &request)
        append(replay, to: &request)
        return request
    }

    /// Asks for one SA's sequence numbers; the answer is XFRM_MSG_NEWAE (`XFRMEvent.countersReported`).
    public static func getReplay(_ identity: SAIdentity, mark: KernelSA.Mark? = nil) -> NetlinkRequest {
        var request = NetlinkRequest(type: XFRMMessage.getCounters, fixed: countersIdentity(identity))
        append(mark, to: &request)
        return request
    }

    /// Adds or replaces a policy that lets packets pass in the clear.
    ///
    /// - Parameters:
    ///   - selector: which packets.
    ///   - direction: in which direction.
    ///   - priority: lower numbers win; charon's own policies stand at 100 000 and above.
    public static func bypass(
        _ selector: KernelSelector, _ direction: KernelPolicy.Direction, priority: UInt32
    ) -> NetlinkRequest {
        var writer = ByteWriter(capacity: XFRMSize.policy)
        write(selector, into: &writer)
        for _ in 0..<4 { writer.writeHost(UInt64.max) }
        writer.pad(32 + 32)
        writer.writeHost(priority)
        writer.writeHost(UInt32(0))
        writer.write(direction.rawValue)
        writer.pad(7)
        return NetlinkRequest(type: XFRMMessage.updatePolicy, flags: NetlinkFlags.acknowledge, fixed: writer.bytes)
    }

    /// Deletes the policy with that selector and direction; a refusal with ENOENT if it is not there.
    public static func deletePolicy(
        _ selector: KernelSelector, _ direction: KernelPolicy.Direction
    ) -> NetlinkRequest {
        var writer = ByteWriter(capacity: XFRMSize.policyIdentity)
        write(selector, into: &writer)
        writer.writeHost(UInt32(0))
        writer.write(direction.rawValue)
        writer.pad(3)
        return NetlinkRequest(type: XFRMMessage.deletePolicy, flags: NetlinkFlags.acknowledge, fixed: writer.bytes)
    }

    /// Appends the replay structure that the SA has.
    static func append(_ replay: KernelReplay, to request: inout NetlinkRequest) {
        var writer = ByteWriter(capacity: 64)
        if replay.usesExtendedStructure {
            writer.writeHost(UInt32(replay.bitmap.count))
            writer.writeHost(UInt32(truncatingIfNeeded: replay.outbound))
            writer.writeHost(UInt32(truncatingIfNeeded: replay.inbound))
            writer.writeHost(UInt32(truncatingIfNeeded: replay.outbound >> 32))
            writer.writeHost(UInt32(truncatingIfNeeded: replay.inbound >> 32))
            writer.writeHost(replay.windowPackets)
            for word in replay.bitmap { writer.writeHost(word) }
            request.append(XFRMAttribute.extendedReplay, bytes: writer.bytes)
        } else {
            precondition(replay.outbound <= UInt64(UInt32.max) && replay.inbound <= UInt64(UInt32.max))
            writer.writeHost(UInt32(replay.outbound))
            writer.writeHost(UInt32(replay.inbound))
            writer.writeHost(replay.bitmap.first ?? 0)
            request.append(XFRMAttribute.replay, bytes: writer.bytes)
        }
    }

    private static func append(_ mark: KernelSA.Mark?, to request: inout NetlinkRequest) {
        guard let mark else { return }
        var writer = ByteWriter(capacity: 8)
        writer.writeHost(mark.value)
        writer.writeHost(mark.mask)
        request.append(XFRMAttribute.mark, bytes: writer.bytes)
    }

    private static func shortIdentity(_ identity: SAIdentity) -> [UInt8] {
        var writer = ByteWriter(capacity: XFRMSize.shortIdentity)
        writer.write(xfrm: identity.destination)
        writer.write(identity.spi)
        writer.writeHost(UInt16(identity.destination.family.number))
        writer.write(identity.protocolNumber)
        writer.pad(1)
        return writer.bytes
    }

    private static func countersIdentity(_ identity: SAIdentity) -> [UInt8] {
        shortIdentity(identity) + [UInt8](repeating: 0, count: XFRMSize.counters - XFRMSize.shortIdentity)
    }

    private static func write(_ selector: KernelSelector, into writer: inout ByteWriter) {
        let family = selector.destination.address.family
        precondition(selector.source.address.family == family)
        writer.write(xfrm: selector.destination.address)
        writer.write(xfrm: selector.source.address)
        writer.write(selector.destinationPort)
        writer.write(selector.destinationPort == 0 ? UInt16(0) : UInt16.max)
        writer.write(selector.sourcePort)
        writer.write(selector.sourcePort == 0 ? UInt16(0) : UInt16.max)
        writer.writeHost(UInt16(family.number))
        writer.write(UInt8(selector.destination.length))
        writer.write(UInt8(selector.source.length))
        writer.write(selector.protocolNumber)
        writer.pad(11)
    }
}
