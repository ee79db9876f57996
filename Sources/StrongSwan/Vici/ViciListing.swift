// SPDX-License-Identifier: Apache-2.0

import Primitives

/// An IKE SA as `list-sas` tells of it.
public struct ListedIKE: Sendable, Hashable {
    /// charon's own number, wanted by `terminate`.
    public var uniqueID: UInt32
    /// The connection's name.
    public var name: String
    /// The IKE version, 1 or 2.
    public var version: UInt8
    /// charon's word: CONNECTING, ESTABLISHED, PASSIVE, REKEYING, REKEYED, DELETING or another.
    public var state: String
    /// The gateway's address and port.
    public var localHost: String
    /// The gateway's port.
    public var localPort: UInt16
    /// The VPN peer's address.
    public var remoteHost: String
    /// The VPN peer's port.
    public var remotePort: UInt16
    /// The gateway's identity.
    public var localID: String
    /// The VPN peer's identity.
    public var remoteID: String
    /// Both SPIs; the responder's is zero while half open.
    public var spis: IKESPIPair
    /// Tells whether the gateway initiated.
    public var isInitiator: Bool
    /// Seconds since establishment, if established.
    public var establishedSeconds: UInt64?
    /// Seconds until rekeying, if scheduled.
    public var rekeySeconds: Int64?
    /// The child SAs.
    public var children: [ListedChild]

    /// What the ha plugin calls this SA.
    public var identity: IKEIdentity { IKEIdentity(version: version, spis: spis, isInitiator: isInitiator) }

    /// The VPN peer's end, if charon names an address and a port.
    public var remoteEnd: IKEEndpoint? {
        guard remotePort != 0, let address = IPAddress(text: remoteHost) else { return nil }
        return IKEEndpoint(port: remotePort, octets: address.octets)
    }

    /// Whether charon answers the peer for this SA: one that a passive charon holds is PASSIVE.
    public var isServed: Bool { state == "ESTABLISHED" }

    /// Makes an entry from its fields.
    public init(
        uniqueID: UInt32, name: String, version: UInt8, state: String, localHost: String, localPort: UInt16,
        remoteHost: String, remotePort: UInt16, localID: String, remoteID: String, spis: IKESPIPair, isInitiator: Bool,
        establishedSeconds: UInt64? = nil, rekeySeconds: Int64? = nil, children: [ListedChild]
    ) {
        self.uniqueID = uniqueID
        self.name = name
        self.version = version
        self.state = state
        self.localHost = localHost
        self.localPort = localPort
        self.remoteHost = remoteHost
        self.remotePort = remotePort
        self.localID = localID
        self.remoteID = remoteID
        self.spis = spis
        self.isInitiator = isInitiator
        self.establishedSeconds = establishedSeconds
        self.rekeySeconds = rekeySeconds
        self.children = children
    }
}

/// A child SA as `list-sas` tells of it.
public struct ListedChild: Sendable, Hashable {
    /// charon's own number, wanted by `rekey`.
    public var uniqueID: UInt32
    /// The child's name.
    public var name: String
    /// charon's word: INSTALLED, REKEYING, REKEYED, DELETED or another.
    public var state: String
    /// Another child has its place, or it is being deleted.
    public var isLeaving: Bool { state == "REKEYED" || state == "DELETING" || state == "DELETED" }
    /// ESP or AH.
    public var securityProtocol: String
    /// Both SPIs.
    public var spis: ChildSPIPair
    /// The gateway's traffic selectors.
    public var localSelectors: [String]
    /// The VPN peer's traffic selectors.
    public var remoteSelectors: [String]
    /// Bytes received, as the kernel counted.
    public var bytesIn: UInt64
    /// Packets received.
    public var packetsIn: UInt64
    /// Bytes sent.
    public var bytesOut: UInt64
    /// Packets sent.
    public var packetsOut: UInt64
    /// Seconds until rekeying; absent without time limits.
    public var rekeySeconds: Int64?
    /// Seconds until the hard end.
    public var lifeSeconds: Int64?
    /// Seconds since installation.
    public var installSeconds: UInt64?

    /// Makes an entry from its fields.
    public init(
        uniqueID: UInt32, name: String, state: String, securityProtocol: String, spis: ChildSPIPair,
        localSelectors: [String], remoteSelectors: [String], bytesIn: UInt64, packetsIn: UInt64, bytesOut: UInt64,
        packetsOut: UInt64, rekeySeconds: Int64? = nil, lifeSeconds: Int64? = nil, installSeconds: UInt64? = nil
    ) {
        self.uniqueID = uniqueID
        self.name = name
        self.state = state
        self.securityProtocol = securityProtocol
        self.spis = spis
        self.localSelectors = localSelectors
        self.remoteSelectors = remoteSelectors
        self.bytesIn = bytesIn
        self.packetsIn = packetsIn
        self.bytesOut = bytesOut
        self.packetsOut = packetsOut
        self.rekeySeconds = rekeySeconds
        self.lifeSeconds = lifeSeconds
        self.installSeconds = installSeconds
    }
}

/// A loaded connection as `list-conns` tells of it.
public struct ListedConnection: Sendable, Hashable {
    /// The connection's name.
    public var name: String
    /// The configured local addresses.
    public var localAddresses: [String]
    /// The configured remote addresses.
    public var remoteAddresses: [String]
    /// `IKEv1`, `IKEv2` or `IKEv1/2`.
    public var version: String
    /// The child configurations.
    public var children: [ListedChildConfiguration]
}

/// A child configuration as `list-conns` tells of it.
public struct ListedChildConfiguration: Sendable, Hashable {
    /// The child's name.
    public var name: String
    /// The mode: TUNNEL, TRANSPORT or another.
    public var mode: String
    /// The gateway's traffic selectors.
    public var localSelectors: [String]
    /// The VPN peer's traffic selectors.
    public var remoteSelectors: [String]
}

extension [ListedIKE] {
    /// The installed children that charon serves, under the IKE SA that holds each.
    public var servedChildren: [ChildSPIPair: IKESPIPair] {
        let pairs = filter(\.isServed).flatMap { ike in
            ike.children.filter { $0.spis.inbound != 0 && $0.state == "INSTALLED" }.map { ($0.spis, ike.spis) }
        }
        return Dictionary(pairs) { first, _ in first }
    }
}
