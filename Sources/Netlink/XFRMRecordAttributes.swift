// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec
internal import Primitives
internal import SecurityAssociations

extension ReplicatedSA {
    /// Takes one attribute of a dumped SA; false for one that this version does not know.
    mutating func read(_ attribute: NetlinkAttribute) throws(DecodeError) -> Bool {
        let family = key.destination.family
        var reader = attribute.reader
        switch attribute.type {
        case XFRMAttribute.aead: aead = try reader.readAlgorithm(hasTruncation: true)
        case XFRMAttribute.encryption: encryption = try reader.readAlgorithm(hasTruncation: false)
        case XFRMAttribute.compression: compression = try reader.readAlgorithm(hasTruncation: false)
        case XFRMAttribute.truncatedAuthentication: authentication = try reader.readAlgorithm(hasTruncation: true)
        case XFRMAttribute.authentication:
            // A dump names the same key twice; only the truncated form is whole.
            if authentication == nil { authentication = try reader.readAlgorithm(hasTruncation: false) }
        case XFRMAttribute.encapsulation:
            let kind: UInt16 = try reader.readHost()
            let ports = (source: try reader.read(UInt16.self), destination: try reader.read(UInt16.self))
            try reader.skip(2)
            encapsulation = Encapsulation(
                kind: kind, sourcePort: ports.source, destinationPort: ports.destination,
                originalAddress: try reader.readXFRMAddress(family))
        case XFRMAttribute.replay where !replay.usesExtendedStructure:
            let window = replay.windowPackets
            replay = try reader.readReplay()
            replay.windowPackets = window
        case XFRMAttribute.extendedReplay: replay = try reader.readExtendedReplay()
        case XFRMAttribute.mark: key.mark = try attribute.mark()
        case XFRMAttribute.outputMark:
            outputMark = KernelSA.Mark(value: try attribute.host(), mask: outputMark?.mask ?? .max)
        case XFRMAttribute.outputMarkMask:
            outputMark = KernelSA.Mark(value: outputMark?.value ?? 0, mask: try attribute.host())
        case XFRMAttribute.interfaceID: interfaceID = try attribute.host()
        case XFRMAttribute.extraFlags: extraFlags = try attribute.host()
        case XFRMAttribute.trafficPadding: trafficPadding = try attribute.host()
        case XFRMAttribute.careOfAddress: careOfAddress = try reader.readXFRMAddress(family)
        case XFRMAttribute.direction: direction = try attribute.host()
        case XFRMAttribute.keepalive: keepaliveSeconds = try attribute.host()
        case XFRMAttribute.mappingThreshold: mappingThreshold = try attribute.host()
        case XFRMAttribute.securityContext: securityContext = Array(attribute.value)
        // Each node's own: when it was used last, thresholds of its sysctls, its hardware.
        case XFRMAttribute.replay, XFRMAttribute.lastUsed, XFRMAttribute.padding, XFRMAttribute.offloadDevice,
            XFRMAttribute.usage, XFRMAttribute.replayThreshold, XFRMAttribute.timerThreshold,
            XFRMAttribute.sourceAddress:
            break
        default: return false
        }
        return true
    }
}

extension ReplicatedPolicy {
    /// Takes one attribute of a dumped policy; false for one that this version does not know.
    mutating func read(_ attribute: NetlinkAttribute) throws(DecodeError) -> Bool {
        switch attribute.type {
        case XFRMAttribute.templates: templates = try Self.templates(attribute.value)
        case XFRMAttribute.mark: key.mark = try attribute.mark()
        case XFRMAttribute.interfaceID: key.interfaceID = try attribute.host()
        case XFRMAttribute.securityContext: securityContext = Array(attribute.value)
        case XFRMAttribute.policyType, XFRMAttribute.lastUsed, XFRMAttribute.padding, XFRMAttribute.offloadDevice:
            break
        default: return false
        }
        return true
    }

    private static func templates(_ bytes: ArraySlice<UInt8>) throws(DecodeError) -> [Template] {
        var templates: [Template] = []
        var rest = bytes
        while rest.count >= XFRMSize.template, templates.count < Limits.templates {
            var reader = ByteReader(rest)
            try reader.skip(XFRMSize.identity)
            let family = try reader.readFamily()
            try reader.skip(2)
            let source = try reader.readXFRMAddress(family)
            reader = ByteReader(rest)
            let key = try reader.readSAKey(family)
            try reader.skip(20)
            var template = Template(source: source, destination: key.destination)
            template.spi = key.spi
            template.protocolNumber = key.protocolNumber
            template.requestID = try reader.readHost()
            template.mode = try reader.read()
            template.share = try reader.read()
            template.isOptional = try reader.read(UInt8.self) != 0
            try reader.skip(1)
            template.authenticationAlgorithms = try reader.readHost()
            template.encryptionAlgorithms = try reader.readHost()
            template.compressionAlgorithms = try reader.readHost()
            templates.append(template)
            rest = rest.dropFirst(XFRMSize.template)
        }
        return templates
    }
}

extension IPAddress {
    /// Reads `xfrm_address_t` at the start of `bytes`, which must hold 16.
    init(xfrm bytes: ArraySlice<UInt8>, _ family: Family) {
        func number(_ range: Range<Int>) -> UInt64 {
            range.reduce(0) { $0 << 8 | UInt64(bytes[bytes.startIndex + $1]) }
        }
        switch family {
        case .ipv4: self.init(IPv4Address(UInt32(number(0..<4))))
        case .ipv6: self.init(high: number(0..<8), low: number(8..<16))
        }
    }
}

extension ByteReader {
    mutating func readXFRMAddress(_ family: IPAddress.Family) throws(DecodeError) -> IPAddress {
        IPAddress(xfrm: try readBytes(16), family)
    }

    /// Reads a `__u16` family.
    mutating func readFamily() throws(DecodeError) -> IPAddress.Family {
        let number: UInt16 = try readHost()
        guard let family = UInt8(exactly: number).flatMap(IPAddress.Family.init(number:)) else {
            throw .invalid(field: "address family", value: UInt64(number))
        }
        return family
    }

    /// Reads `struct xfrm_id`, which has no family of its own.
    mutating func readSAKey(_ family: IPAddress.Family) throws(DecodeError) -> SAKey {
        let destination = try readXFRMAddress(family)
        let spi: UInt32 = try read()
        let protocolNumber: UInt8 = try read()
        try skip(3)
        return SAKey(destination: destination, spi: spi, protocolNumber: protocolNumber)
    }

    /// Reads `struct xfrm_usersa_id`.
    mutating func readSAKey() throws(DecodeError) -> SAKey {
        let address = try readBytes(16)
        let spi: UInt32 = try read()
        let family = try readFamily()
        let protocolNumber: UInt8 = try read()
        try skip(1)
        return SAKey(destination: IPAddress(xfrm: address, family), spi: spi, protocolNumber: protocolNumber)
    }

    /// Reads `struct xfrm_selector`; nil when it names an interface.
    ///
    /// `outer` is the family where the selector has none.
    mutating func readReplicatedSelector(
        _ outer: IPAddress.Family?
    ) throws(DecodeError) -> ReplicatedSelector? {
        let addresses = (destination: try readBytes(16), source: try readBytes(16))
        var selector = ReplicatedSelector()
        selector.destinationPort = try read()
        selector.destinationPortMask = try read()
        selector.sourcePort = try read()
        selector.sourcePortMask = try read()
        let number: UInt16 = try readHost()
        let own = UInt8(exactly: number).flatMap(IPAddress.Family.init(number:))
        let family = own ?? outer ?? .ipv4
        selector.isUnspecified = own == nil
        selector.destination = IPAddress(xfrm: addresses.destination, family)
        selector.source = IPAddress(xfrm: addresses.source, family)
        selector.destinationLength = try read()
        selector.sourceLength = try read()
        selector.protocolNumber = try read()
        try skip(3)
        let interface: UInt32 = try readHost()
        selector.user = try readHost()
        let longest = max(selector.destinationLength, selector.sourceLength)
        guard Int(longest) <= selector.source.bitCount else {
            throw .invalid(field: "selector length", value: UInt64(longest))
        }
        return interface == 0 ? selector : nil
    }

    mutating func readReplicatedLimits() throws(DecodeError) -> ReplicatedLimits {
        var limits = ReplicatedLimits()
        for index in 0..<4 {
            let value: UInt64 = try readHost()
            if value != limits.amounts[index] { limits.amounts[index] = value }
        }
        for index in 0..<4 {
            let value: UInt64 = try readHost()
            if value != limits.seconds[index] { limits.seconds[index] = value }
        }
        return limits
    }

    /// Reads `struct xfrm_algo`, or `xfrm_algo_auth` and `xfrm_algo_aead`, which have one number more.
    mutating func readAlgorithm(hasTruncation: Bool) throws(DecodeError) -> ReplicatedSA.Algorithm {
        let name = try readBytes(64).prefix { $0 != 0 }
        let bits: UInt32 = try readHost()
        let truncation: UInt32 = hasTruncation ? try readHost() : 0
        guard bits <= UInt32(ReplicatedSA.Algorithm.Limits.keyByteCount * 8) else {
            throw .overLimit(field: "key bits", value: UInt64(bits))
        }
        return ReplicatedSA.Algorithm(
            name: String(decoding: name, as: UTF8.self), secret: SecretBytes(try readBytes(Int(bits + 7) / 8)),
            truncationBits: truncation)
    }
}
