// SPDX-License-Identifier: Apache-2.0

public import FirstHop
public import Primitives
public import Tracking

/// A whole configuration after validation: every reference resolves, every value is in range.
public struct Model: Hashable, Sendable {
    /// The node's name for screens and logs.
    public var hostname: String = "havpn"
    /// Tracked objects ordered by number.
    public var trackedObjects: [TrackedObject] = []
    /// `ip sla` operations ordered by number.
    public var echoOperations: [EchoOperation] = []
    /// Programs that hear of changes, in alphabetical order of their paths.
    public var notifications: [Notification] = []
    /// Key chains in alphabetical order; those that a group names have keys.
    public var keyChains: [KeyChain] = []
    /// Interfaces that carry at least one group, in the file's order.
    public var interfaces: [Interface] = []
    /// The replication association, nil where none is configured or it is shut down.
    public var association: Association?
    /// `redundancy inter-device`: the group name whose role rules replication, nil without a scheme.
    public var scheme: String?
    /// How the association is secured.
    public var security: Security = .unset
    /// Crypto maps in alphabetical order.
    public var cryptoMaps: [CryptoMap] = []
    /// Which IKE daemon holds the SAs.
    public var ikeDaemon: IKEDaemon = .strongSwan(StrongSwanSettings())

    /// An empty configuration.
    public init() {}

    /// Files that hold keys of groups, each once.
    public var keyFilePaths: Set<String> {
        Set(
            interfaces.flatMap(\.groups).flatMap { group in
                var paths: [String] = []
                if case .keyFile(let path) = group.authentication { paths.append(path) }
                if case .file(let path) = group.proof?.key { paths.append(path) }
                return paths
            })
    }

    /// `track N …`.
    public struct TrackedObject: Hashable, Sendable {
        /// 1 to 1000.
        public var number: Int
        /// What is watched.
        public var kind: ObjectKind
        /// How long the object must be down before clients hear of it, 0 to 180 s.
        public var delayDownSeconds: Int = 0
        /// How long it must be up again, 0 to 180 s.
        public var delayUpSeconds: Int = 0
        /// What a script or an operation counts as before its first result.
        public var defaultState: Tracking.TrackedObject.State = .up

        /// Makes an object without delays.
        public init(number: Int, kind: ObjectKind) {
            self.number = number
            self.kind = kind
        }
    }

    /// An interface and its groups.
    public struct Interface: Hashable, Sendable {
        /// The kernel's name of it.
        public var name: String
        /// The groups on it, ordered by number.
        public var groups: [Group] = []
        /// `standby version`, one for all its groups.
        public var version = HSRPVersion.one
        /// `standby delay minimum S`, 0 to 10000: how long its groups stay in Initial after it came up.
        public var startMinimumDelaySeconds = 0
        /// `standby delay reload S`, 0 to 10000: the same at the daemon's start; nil is as `minimum`.
        public var startReloadDelaySeconds: Int?
        /// `standby arp gratuitous count N`, 0 to 60: how often addresses are announced behind a takeover.
        public var announcementCount = 3
        /// `standby arp gratuitous interval S`, 2 to 60.
        public var announcementIntervalSeconds = 2
        /// `standby use-bia`: the address sits on the interface itself, no virtual MAC.
        public var usesBurnedInAddress = false

        /// Makes an interface without groups.
        public init(name: String) { self.name = name }
    }

    /// One HSRP group (`standby G …`).
    public struct Group: Hashable, Sendable {
        /// One of the interface's version's: 0 to 255, or to 4095.
        public var number: Int
        /// The virtual address; nil until `standby G ip` was given one.
        ///
        /// Of an IPv6 group the link-local one, made of the virtual MAC where none was written.
        public var virtualAddress: IPAddress?
        /// `standby G ip` without an address: it is learned from the Active.
        public var learnsVirtualAddress = false
        /// `standby G ip ADDRESS secondary`: held along with the virtual address and in no message, in their order.
        public var secondaryAddresses: [IPv4Address] = []
        /// `standby G ipv6 ADDRESS/LENGTH`: further virtual addresses, which tunnels may end at, in their order.
        public var globalAddresses: [IPv6Prefix] = []
        /// 0 to 255.
        public var priority: Int = 100
        /// Takes the role from a lower-priority Active.
        public var preempt = false
        /// `preempt delay minimum S`, 0 to 3600: how long a lower-priority Active is left alone.
        public var preemptMinimumDelaySeconds = 0
        /// `preempt delay reload S`, 0 to 3600: the same after the daemon's start; nil is as `minimum`.
        public var preemptReloadDelaySeconds: Int?
        /// `preempt delay sync S`: bounds the wait for STANDBY HOT; nil waits without limit.
        public var preemptSyncDelaySeconds: Int?
        /// Hello interval.
        public var helloMilliseconds: Int = 3000
        /// Hold time, more than the hello interval.
        public var holdMilliseconds: Int = 10000
        /// Whether the timers were given with `msec` (kept for printing).
        public var timersInMilliseconds = false
        /// `standby G authentication`; the clear text `cisco` by default.
        public var authentication = Authentication.text("cisco")
        /// `standby G hmac`: proofs for the other node of the pair.
        public var proof: Proof?
        /// `standby G name`.
        public var name: String?
        /// Tracked objects and what they do to the group, ordered by number; an object may be undefined (it is Up).
        public var tracks: [Track] = []
        /// `standby G follow NAME`: no election of its own.
        public var follows: String?
        /// `standby G mac-address`: takes the place of the group's own virtual MAC.
        public var virtualMAC: MACAddress?
        /// `standby G probe ADDRESS`: the neighbour that proves that this segment works.
        public var probe: IPv4Address?

        /// The version of the Internet Protocol that the group's address is of.
        public var family: IPAddress.Family { virtualAddress?.family ?? .ipv4 }

        /// The virtual addresses that tunnels may end at; none while the first is to be learned.
        ///
        /// Link-local ones count on one link alone.
        public var tunnelEnds: [IPAddress] {
            switch virtualAddress {
            case .ipv4(let address)?: ([address] + secondaryAddresses).map { IPAddress($0) }
            case .ipv6?: globalAddresses.map { IPAddress($0.address) }
            case nil: []
            }
        }

        /// The virtual addresses beside the one in messages.
        public var furtherAddresses: [IPAddress] {
            secondaryAddresses.map { IPAddress($0) } + globalAddresses.map { IPAddress($0.address) }
        }

        /// The virtual link-local address where none is written (`ipv6 autoconfig`).
        public var automaticLinkLocal: IPAddress {
            .ipv6(.virtualLinkLocal(.hsrpIPv6(group: UInt16(truncatingIfNeeded: number))))
        }

        /// Makes a group with IOS's defaults.
        public init(number: Int) { self.number = number }

        /// `standby G hmac {key-string KEY | key-file PATH} [MODE]`.
        public struct Proof: Hashable, Sendable {
            /// Where the key stands.
            public enum Key: Hashable, Sendable {
                /// In the text, `Limits.proofKeyByteCounts` bytes.
                case string(SecretBytes)
                /// Alone in a file with this absolute path.
                case file(String)
            }

            /// The key that both nodes share.
            public var key: Key
            /// How far the node insists.
            public var mode = ProofMode.permissive

            /// Makes a proof in the mode that does no harm.
            public init(key: Key) { self.key = key }
        }

        /// How the group's messages are authenticated.
        public enum Authentication: Hashable, Sendable {
            /// Clear text of at most 8 bytes.
            case text(String)
            /// `md5 key-string`, 1 to 55 bytes; after a change messages of the former key are believed so much longer.
            case keyString(SecretBytes, timeoutSeconds: Int)
            /// `md5 key-chain`: the name of a chain; it resolves.
            case keyChain(String)
            /// `md5 key-file`: the absolute path of a file that holds the key.
            case keyFile(String)
        }

        /// `standby G track N decrement D` or `… shutdown`.
        public struct Track: Hashable, Sendable {
            /// The tracked object's number.
            public var object: Int
            /// What the object does while it is down.
            public var effect: Effect

            /// Makes a tracking statement.
            public init(object: Int, effect: Effect) {
                self.object = object
                self.effect = effect
            }

            /// What a tracked object does to its group while it is down.
            public enum Effect: Hashable, Sendable {
                /// Lowers the priority by 1 to 255.
                case decrement(Int)
                /// Makes the node unfit: the group goes to Initial.
                case shutdown
            }
        }
    }

    /// `ipc zone default` / `association N`.
    public struct Association: Hashable, Sendable {
        /// 1 to 255.
        public var number: Int = 1
        /// 1 to 65535.
        public var localPort: Int = 5000
        /// Local addresses, the first one primary; at least one.
        public var localAddresses: [IPv4Address] = []
        /// 1 to 65535.
        public var remotePort: Int = 5000
        /// The peer's addresses; at least one.
        public var remoteAddresses: [IPv4Address] = []

        /// How patient SCTP is; nil values are the daemon's own choice.
        public var tuning = Tuning()

        /// Makes an association with the default ports and no address.
        public init() {}

        /// `retransmit-timeout`, `path-retransmit` and `assoc-retransmit`.
        public struct Tuning: Hashable, Sendable {
            /// The least retransmission timeout, 10 to 60000 ms.
            public var minimumTimeoutMilliseconds: Int?
            /// The greatest retransmission timeout, not below the least, 10 to 60000 ms.
            public var maximumTimeoutMilliseconds: Int?
            /// Retransmissions before a path counts as failed, 1 to 10.
            public var pathRetransmissions: Int?
            /// Retransmissions before the association counts as failed, 1 to 20.
            public var associationRetransmissions: Int?

            /// No value of its own.
            public init() {}
        }
    }

    /// How the association is secured.
    public enum Security: Hashable, Sendable {
        /// Nothing was said; only valid without an association.
        case unset
        /// `security none`, written out.
        case none
        /// `security identity PATH` and `security peer sha256:…`: TLS between keys that know each other.
        ///
        /// The path is absolute and names the file with this node's own key; the peers, 1 to
        /// `Limits.securityPeerCount` different ones in the file's order, are whom it talks to.
        case pinned(identityPath: String, peers: [Fingerprint])
    }

    /// A crypto map: which groups and peers it ties together.
    public struct CryptoMap: Hashable, Sendable {
        /// The map's name.
        public var name: String
        /// `redundancy GROUP`: the group's name; it resolves.
        public var redundancyGroup: String?
        /// `redundancy GROUP stateful`.
        public var isStateful = false
        /// Entries ordered by sequence number.
        public var entries: [Entry] = []
        /// `redundancy replay-interval … inbound N`, 0 to 10000: report when a window moved by so many.
        public var inboundReplayInterval: Int = 1000
        /// `… outbound N`, 1000 to 10000000: the least margin of the standby's outbound counters.
        public var outboundReplayInterval: Int = 100_000
        /// Interfaces the map was applied to and the one of its group, in alphabetical order.
        public var interfaces: [String] = []

        /// Makes an empty map.
        public init(name: String) { self.name = name }

        /// `crypto map NAME SEQ ipsec-isakmp`.
        public struct Entry: Hashable, Sendable {
            /// 1 to 65535.
            public var sequence: Int
            /// `set peer` addresses; empty means any.
            public var peers: [IPAddress] = []
            /// `set peer any`.
            public var acceptsAnyPeer = false
            /// `reverse-route`: inject a route per remote selector while Active.
            public var reverseRoute = false

            /// Makes an entry without peers.
            public init(sequence: Int) { self.sequence = sequence }
        }
    }

    /// Which IKE daemon holds the SAs.
    public enum IKEDaemon: Hashable, Sendable {
        /// Stock strongSwan through its ha plugin and VICI.
        case strongSwan(StrongSwanSettings)
        /// SAs in the kernel only.
        case none
    }

    /// `ike-daemon strongswan` and its lines.
    public struct StrongSwanSettings: Hashable, Sendable {
        /// The path of charon's VICI socket.
        public var viciPath: String = "/run/charon.vici"
        /// charon's own end of the ha plugin.
        public var haLocal = IPv4Address(127, 0, 0, 1)
        /// charon's `remote`, which is havpnd's own end.
        public var haRemote = IPv4Address(127, 0, 0, 2)

        /// The defaults.
        public init() {}
    }
}
