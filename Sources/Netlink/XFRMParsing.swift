// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
internal import Primitives
public import SecurityAssociations

extension KernelSA {
    /// Reads XFRM_MSG_NEWSA or XFRM_MSG_UPDSA; nil for another family than IPv4 and IPv6.
    ///
    /// Keys in the message are stepped over.
    public init?(parsing message: NetlinkMessage) throws(DecodeError) {
        try self.init(parsing: message.payload)
    }

    /// Reads `struct xfrm_usersa_info` and, behind it at `attributesAt`, the attributes.
    init?(parsing payload: ArraySlice<UInt8>, attributesAt offset: Int = XFRMSize.sa) throws(DecodeError) {
        var reader = ByteReader(payload)
        let selector = try reader.readSelector()
        let destination = try reader.readBytes(16)
        let spi: UInt32 = try reader.read()
        let protocolNumber: UInt8 = try reader.read()
        try reader.skip(3)
        let source = try reader.readBytes(16)
        let limits = try reader.readLimits()
        let usage = try reader.readUsage()
        try reader.skip(16)
        let requestID: UInt32 = try reader.readHost()
        let familyNumber: UInt16 = try reader.readHost()
        let modeNumber: UInt8 = try reader.read()
        let windowPackets: UInt8 = try reader.read()
        let flags: UInt8 = try reader.read()
        guard let family = UInt8(exactly: familyNumber).flatMap(IPAddress.Family.init(number:)),
            let mode = Mode(rawValue: modeNumber)
        else { return nil }
        let identity = SAIdentity(
            destination: IPAddress(xfrm: destination, family), spi: spi, protocolNumber: protocolNumber)
        self.init(identity: identity, source: IPAddress(xfrm: source, family), requestID: requestID, mode: mode)
        self.selector = selector
        self.limits = limits
        self.usage = usage
        self.flags = flags
        replay.windowPackets = UInt32(windowPackets)
        try readAttributes(payload.dropFirst(offset))
    }

    private mutating func readAttributes(_ bytes: ArraySlice<UInt8>) throws(DecodeError) {
        var attributes = AttributeReader(bytes)
        while let attribute = try attributes.next() {
            var reader = attribute.reader
            switch attribute.type {
            case XFRMAttribute.replay where !replay.usesExtendedStructure:
                let window = replay.windowPackets
                replay = try reader.readReplay()
                replay.windowPackets = window
            case XFRMAttribute.extendedReplay: replay = try reader.readExtendedReplay()
            case XFRMAttribute.encapsulation:
                encapsulation = Encapsulation(
                    kind: try reader.readHost(), sourcePort: try reader.read(), destinationPort: try reader.read())
            case XFRMAttribute.mark: mark = try attribute.mark()
            case XFRMAttribute.interfaceID: interfaceID = try attribute.host()
            default: break
            }
        }
    }
}

extension KernelPolicy {
    /// Reads XFRM_MSG_NEWPOLICY; nil for per-socket policies.
    public init?(parsing message: NetlinkMessage) throws(DecodeError) {
        var reader = ByteReader(message.payload)
        let selector = try reader.readSelector()
        try reader.skip(96)
        let priority: UInt32 = try reader.readHost()
        let index: UInt32 = try reader.readHost()
        let directionNumber: UInt8 = try reader.read()
        let action: UInt8 = try reader.read()
        try reader.skip(6)
        guard let direction = Direction(rawValue: directionNumber) else { return nil }
        self.init(selector: selector, direction: direction, priority: priority, index: index)
        isBlocking = action == 1
        var attributes = AttributeReader(reader.readRemaining())
        while let attribute = try attributes.next() {
            switch attribute.type {
            case XFRMAttribute.templates: template = try Self.template(attribute)
            case XFRMAttribute.mark: mark = try attribute.mark()
            case XFRMAttribute.interfaceID: interfaceID = try attribute.host()
            default: break
            }
        }
    }

    private static func template(_ attribute: NetlinkAttribute) throws(DecodeError) -> Template? {
        guard !attribute.value.isEmpty else { return nil }
        var reader = attribute.reader
        let destination = try reader.readBytes(16)
        try reader.skip(4)
        let protocolNumber: UInt8 = try reader.read()
        try reader.skip(3)
        let family = try reader.readFamily()
        try reader.skip(2)
        let source = try reader.readXFRMAddress(family)
        let requestID: UInt32 = try reader.readHost()
        let mode: UInt8 = try reader.read()
        return Template(
            source: source, destination: IPAddress(xfrm: destination, family), requestID: requestID,
            mode: KernelSA.Mode(rawValue: mode) ?? .tunnel, protocolNumber: protocolNumber)
    }
}
