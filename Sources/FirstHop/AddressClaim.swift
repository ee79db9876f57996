// SPDX-License-Identifier: Apache-2.0

import ByteCodec
public import Primitives

/// What an ARP frame says of its sender: this address is mine, and that is my MAC.
public struct AddressClaim: Hashable, Sendable {
    /// The sender's address.
    public var address: IPv4Address
    /// The sender's MAC.
    public var mac: MACAddress

    /// Makes a claim.
    public init(address: IPv4Address, mac: MACAddress) {
        self.address = address
        self.mac = mac
    }

    /// Reads an Ethernet frame; nil for all but ARP of IPv4 over Ethernet, and for a probe, whose sender has no address yet.
    public init?(frame: [UInt8]) {
        var reader = ByteReader(frame)
        guard (try? reader.skip(12)) != nil, (try? reader.read(UInt16.self)) == Frames.etherTypeARP,
            (try? reader.read(UInt16.self)) == 1, (try? reader.read(UInt16.self)) == 0x0800,
            (try? reader.read(UInt16.self)) == 6 << 8 | 4, (try? reader.skip(2)) != nil,
            let octets = try? reader.readBytes(6), let mac = MACAddress(octets: octets),
            let address = try? reader.readIPv4(), address != .any
        else { return nil }
        self.init(address: address, mac: mac)
    }
}

/// Who claims a group's addresses beside the group, and how often that is worth a line.
public struct ClaimWatch: Sendable {
    private var saidAt: Instant?

    /// Nothing was heard yet.
    public init() {}

    /// Whether what is heard now is worth a line.
    public mutating func isNews(at now: Instant) -> Bool {
        if let saidAt, now.since(saidAt) < GroupTiming.warningInterval { return false }
        saidAt = now
        return true
    }

    /// Takes a claim of one of the group's addresses; nil where it is the group's own, otherwise whether it is to be logged.
    public mutating func hear(_ claim: AddressClaim, virtualMAC: MACAddress, at now: Instant) -> Bool? {
        claim.mac == virtualMAC ? nil : isNews(at: now)
    }
}
