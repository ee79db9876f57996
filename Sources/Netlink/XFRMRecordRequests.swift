// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec
internal import Primitives
public import SecurityAssociations

extension XFRMRequest {
    /// Adds an SA with its counters and ages; refused with EEXIST where its key is taken.
    ///
    /// The kernel keeps wall-clock times: the ages are taken back from `nowSeconds`, so that its limits fall due as if
    /// the SA had stood here from the start.
    public static func install(_ sa: ReplicatedSA, nowSeconds: UInt64) -> NetlinkRequest {
        var writer = ByteWriter(capacity: 1024)
        writer.write(sa.selector)
        writer.write(xfrm: sa.key.destination)
        writer.write(sa.key.spi)
        writer.write(sa.key.protocolNumber)
        writer.pad(3)
        writer.write(xfrm: sa.source)
        writer.write(sa.limits)
        writer.pad(32 + 12)
        writer.writeHost(UInt32(0))
        writer.writeHost(sa.requestID)
        writer.writeHost(UInt16(sa.key.destination.family.number))
        writer.write(sa.mode)
        writer.write(sa.replayWindow)
        writer.write(sa.flags)
        writer.pad(7)
        var request = NetlinkRequest(
            type: XFRMMessage.newSA, flags: NetlinkFlags.acknowledge | NetlinkFlags.create | NetlinkFlags.exclusive,
            fixed: writer.finish())
        appendAlgorithms(of: sa, to: &request)
        appendSettings(of: sa, to: &request)
        append(sa.replay, to: &request)
        var usage = ByteWriter(capacity: 32)
        usage.writeHost(sa.usage.bytes)
        usage.writeHost(sa.usage.packets)
        usage.writeHost(nowSeconds > sa.usage.ageSeconds ? nowSeconds - sa.usage.ageSeconds : 1)
        usage.writeHost(sa.usage.useAgeSeconds.map { nowSeconds > $0 ? nowSeconds - $0 : 1 } ?? 0)
        request.append(XFRMAttribute.usage, bytes: usage.bytes)
        return request
    }

    private static func appendAlgorithms(of sa: ReplicatedSA, to request: inout NetlinkRequest) {
        func append(_ type: UInt16, _ algorithm: ReplicatedSA.Algorithm?, hasTruncation: Bool) {
            guard let algorithm else { return }
            var writer = ByteWriter(capacity: 256)
            let name = Array(algorithm.name.utf8.prefix(ReplicatedSA.Algorithm.Limits.nameByteCount))
            writer.write(bytes: name)
            writer.pad(64 - name.count)
            writer.writeHost(UInt32(algorithm.secret.count * 8))
            if hasTruncation { writer.writeHost(algorithm.truncationBits) }
            algorithm.secret.withBytes { writer.write(bytes: $0) }
            request.append(type, bytes: writer.bytes)
        }
        append(XFRMAttribute.aead, sa.aead, hasTruncation: true)
        append(XFRMAttribute.encryption, sa.encryption, hasTruncation: false)
        append(XFRMAttribute.compression, sa.compression, hasTruncation: false)
        if let authentication = sa.authentication, authentication.truncationBits == 0 {
            append(XFRMAttribute.authentication, authentication, hasTruncation: false)
        } else {
            append(XFRMAttribute.truncatedAuthentication, sa.authentication, hasTruncation: true)
        }
    }

    private static func appendSettings(of sa: ReplicatedSA, to request: inout NetlinkRequest) {
        if let encapsulation = sa.encapsulation {
            var writer = ByteWriter(capacity: XFRMSize.encapsulation)
            writer.writeHost(encapsulation.kind)
            writer.write(encapsulation.sourcePort)
            writer.write(encapsulation.destinationPort)
            writer.pad(2)
            writer.write(xfrm: encapsulation.originalAddress)
            request.append(XFRMAttribute.encapsulation, bytes: writer.bytes)
        }
        if let address = sa.careOfAddress {
            var writer = ByteWriter(capacity: 16)
            writer.write(xfrm: address)
            request.append(XFRMAttribute.careOfAddress, bytes: writer.bytes)
        }
        append(sa.key.mark, to: &request)
        if let mark = sa.outputMark {
            request.append(XFRMAttribute.outputMark, host: mark.value)
            request.append(XFRMAttribute.outputMarkMask, host: mark.mask)
        }
        let numbers: [(UInt16, UInt32)] = [
            (XFRMAttribute.interfaceID, sa.interfaceID), (XFRMAttribute.extraFlags, sa.extraFlags),
            (XFRMAttribute.trafficPadding, sa.trafficPadding), (XFRMAttribute.keepalive, sa.keepaliveSeconds),
            (XFRMAttribute.mappingThreshold, sa.mappingThreshold),
        ]
        for (type, value) in numbers where value != 0 { request.append(type, host: value) }
        if sa.direction != 0 { request.append(XFRMAttribute.direction, host: sa.direction) }
        if !sa.securityContext.isEmpty { request.append(XFRMAttribute.securityContext, bytes: sa.securityContext) }
    }

    /// Deletes one SA; a refusal with ESRCH if it is not there.
    public static func delete(_ key: SAKey) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: XFRMMessage.deleteSA, flags: NetlinkFlags.acknowledge, fixed: identity(key))
        append(key.mark, to: &request)
        return request
    }

    /// Writes an SA's sequence numbers, as `setReplay(_:_:mark:)` does for IPv4.
    public static func setReplay(_ numbers: SANumbers) -> NetlinkRequest {
        let rest = [UInt8](repeating: 0, count: XFRMSize.counters - XFRMSize.shortIdentity)
        var request = NetlinkRequest(
            type: XFRMMessage.newCounters, flags: NetlinkFlags.acknowledge | NetlinkFlags.replace,
            fixed: identity(numbers.key) + rest)
        append(numbers.key.mark, to: &request)
        append(numbers.replay, to: &request)
        return request
    }

    /// Adds a policy, or replaces the one with its key.
    public static func install(_ policy: ReplicatedPolicy, nowSeconds: UInt64) -> NetlinkRequest {
        var writer = ByteWriter(capacity: XFRMSize.policy)
        writer.write(policy.key.selector)
        writer.write(policy.limits)
        writer.pad(16)
        writer.writeHost(nowSeconds > policy.ageSeconds ? nowSeconds - policy.ageSeconds : 1)
        writer.pad(8)
        writer.writeHost(policy.priority)
        writer.writeHost(UInt32(0))
        writer.write(policy.key.direction.rawValue)
        writer.write(policy.action)
        writer.write(policy.flags)
        writer.write(policy.share)
        writer.pad(4)
        var request = NetlinkRequest(
            type: XFRMMessage.updatePolicy, flags: NetlinkFlags.acknowledge, fixed: writer.bytes)
        var templates = ByteWriter(capacity: XFRMSize.template * policy.templates.count)
        for template in policy.templates { templates.write(template) }
        if !policy.templates.isEmpty { request.append(XFRMAttribute.templates, bytes: templates.bytes) }
        append(policy.key.mark, to: &request)
        if policy.key.interfaceID != 0 { request.append(XFRMAttribute.interfaceID, host: policy.key.interfaceID) }
        if !policy.securityContext.isEmpty {
            request.append(XFRMAttribute.securityContext, bytes: policy.securityContext)
        }
        return request
    }

    /// Deletes one policy; a refusal with ENOENT if it is not there.
    public static func delete(_ key: PolicyKey) -> NetlinkRequest {
        var writer = ByteWriter(capacity: XFRMSize.policyIdentity)
        writer.write(key.selector)
        writer.writeHost(UInt32(0))
        writer.write(key.direction.rawValue)
        writer.pad(3)
        var request = NetlinkRequest(
            type: XFRMMessage.deletePolicy, flags: NetlinkFlags.acknowledge, fixed: writer.bytes)
        append(key.mark, to: &request)
        if key.interfaceID != 0 { request.append(XFRMAttribute.interfaceID, host: key.interfaceID) }
        return request
    }

    private static func identity(_ key: SAKey) -> [UInt8] {
        var writer = ByteWriter(capacity: XFRMSize.shortIdentity)
        writer.write(xfrm: key.destination)
        writer.write(key.spi)
        writer.writeHost(UInt16(key.destination.family.number))
        writer.write(key.protocolNumber)
        writer.pad(1)
        return writer.bytes
    }

    private static func append(_ mark: KernelSA.Mark, to request: inout NetlinkRequest) {
        guard !mark.isNone else { return }
        var writer = ByteWriter(capacity: 8)
        writer.writeHost(mark.value)
        writer.writeHost(mark.mask)
        request.append(XFRMAttribute.mark, bytes: writer.bytes)
    }
}

extension ByteWriter {
    /// Appends `xfrm_address_t`.
    mutating func write(xfrm address: IPAddress) {
        switch address {
        case .ipv4(let address):
            write(address)
            pad(12)
        case .ipv6(let address): write(address)
        }
    }

    /// Appends `struct xfrm_selector`.
    mutating func write(_ selector: ReplicatedSelector) {
        write(xfrm: selector.destination)
        write(xfrm: selector.source)
        write(selector.destinationPort)
        write(selector.destinationPortMask)
        write(selector.sourcePort)
        write(selector.sourcePortMask)
        writeHost(selector.isUnspecified ? UInt16(0) : UInt16(selector.source.family.number))
        write(selector.destinationLength)
        write(selector.sourceLength)
        write(selector.protocolNumber)
        pad(3 + 4)
        writeHost(selector.user)
    }

    /// Appends `struct xfrm_lifetime_cfg`.
    mutating func write(_ limits: ReplicatedLimits) {
        for value in limits.amounts { writeHost(value) }
        for value in limits.seconds { writeHost(value) }
    }

    /// Appends `struct xfrm_user_tmpl`.
    mutating func write(_ template: ReplicatedPolicy.Template) {
        write(xfrm: template.destination)
        write(template.spi)
        write(template.protocolNumber)
        pad(3)
        writeHost(UInt16(template.source.family.number))
        pad(2)
        write(xfrm: template.source)
        writeHost(template.requestID)
        write(template.mode)
        write(template.share)
        write(UInt8(template.isOptional ? 1 : 0))
        pad(1)
        writeHost(template.authenticationAlgorithms)
        writeHost(template.encryptionAlgorithms)
        writeHost(template.compressionAlgorithms)
    }
}
