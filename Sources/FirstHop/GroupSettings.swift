// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// What configuration and the interface say about one group on one node.
public struct GroupSettings: Hashable, Sendable, Codable {
    /// The interface's protocol version.
    public var version: HSRPVersion
    /// The group's number, one of the version's.
    public var group: UInt16
    /// The MAC burnt into the interface, by which version 2 names the sender.
    public var identifier = MACAddress(0)
    /// The interface's own address and network; hellos from elsewhere are refused.
    public var interfacePrefix: IPPrefix
    /// The configured virtual address; nil learns it from the Active.
    public var virtualAddress: IPAddress?
    /// Virtual addresses that are held along with `virtualAddress` and are in no message: secondary ones of IPv4, and the
    /// global ones of IPv6.
    public var furtherAddresses: [IPAddress] = []
    /// Has the state of another group and no election of its own; the same for the whole life of a machine.
    public var isFollower = false
    /// Whether a lower-priority Active is relieved.
    public var preempt = false
    /// `preempt delay minimum`: how long a lower-priority Active is left alone.
    public var preemptMinimumDelay: Interval = .zero
    /// `preempt delay reload`: the same, the first time after the daemon's start; nil is as `minimum`.
    public var preemptReloadDelay: Interval?
    /// `preempt delay sync`: bounds the wait for STANDBY HOT; nil waits without limit.
    public var preemptSyncDelay: Interval?
    /// `standby delay minimum`: how long the group stays in Initial after the interface came up.
    public var startMinimumDelay: Interval = .zero
    /// `standby delay reload`: the same, the first time after the daemon's start; nil is as `minimum`.
    public var startReloadDelay: Interval?
    /// `standby mac-address`: takes the place of the group's own virtual MAC; the same for the whole life of a machine.
    public var configuredVirtualMAC: MACAddress?
    /// `standby arp gratuitous count`: how often the virtual address is announced behind a takeover.
    public var announcementCount = 3
    /// `standby arp gratuitous interval`: from one of these announcements to the next.
    public var announcementInterval: Interval = .seconds(2)
    /// Time between hellos.
    public var hello: Interval = .seconds(3)
    /// How long a hello is valid; more than `hello`.
    public var hold: Interval = .seconds(10)
    /// Takes hello and hold time from the Active (timers not configured here).
    public var learnsTimers = false
    /// Times the Active by our own hold time: for sub-second times, which cannot be said in version 1.
    public var usesOwnHoldTime = false
    /// How the group's messages are authenticated.
    public var authentication: GroupAuthentication = .text(.cisco)
    /// Whether messages carry a proof for the other node of the pair, and must; nil where none is configured.
    public var proofMode: ProofMode?
    /// How long messages of the former keys are still believed after the keys have changed.
    public var keyTimeout: Interval = .zero
    /// Addresses of our own peer; nil takes every router heard for the peer (its address here is not known).
    public var peerAddresses: [IPAddress]? = []
    /// Shortens the first Speak to little more than a hello where nobody at all was heard for a hold time.
    public var allowsFastStart = false
    /// A node that has heard nobody stays in Listen, up to another hold time, until its interface has received anything.
    public var provesReception = false

    /// Makes settings with IOS's defaults.
    public init(
        version: HSRPVersion = .one, group: UInt16, interfacePrefix: IPPrefix, virtualAddress: IPAddress?
    ) {
        self.version = version
        self.group = group
        self.interfacePrefix = interfacePrefix
        self.virtualAddress = virtualAddress
    }

    /// The group's version of the Internet Protocol.
    public var family: IPAddress.Family { interfacePrefix.address.family }

    /// The MAC that goes with the virtual address.
    public var virtualMAC: MACAddress { configuredVirtualMAC ?? version.virtualMAC(group: group, family) }

    /// How long the kernel keeps the virtual address without renewal: ⌈hold⌉ held between 1 and 3 s.
    public var leaseSeconds: Int {
        min(max((hold.milliseconds + 999) / 1000, 1), 3)
    }
}

/// Fixed times of the product's own rules (DESIGN §3, §5).
public enum GroupTiming {
    /// How long a releasing Active waits for the HOT peer's `ready`.
    public static let readyWait = Interval.milliseconds(50)
    /// How long a living Active may go without a sign of life: a hello with its jitter; behind that it is asked.
    public static func signOfLife(_ hello: Interval) -> Interval { hello * 11 / 10 }
    /// How long an answer to a `question` may take before the hint is obeyed.
    public static let answerWait = Interval.milliseconds(50)
    /// How long an answer with evidence may take, or one hello interval if that is shorter.
    public static let evidenceWait = Interval.milliseconds(100)
    /// How long a neighbour may take to answer a probe, or half a hello interval.
    public static let probeWait = Interval.milliseconds(60)
    /// How long two Actives of a healed split wait for the association, which knows whose SAs live, before HSRP's order
    /// decides; the association tries every second, and its handshake takes a part of the next.
    public static let reunionWait = Interval.seconds(2)
    /// How long the Active may stay silent to `requestRole` before Coup.
    public static let requestWait = Interval.milliseconds(200)
    /// So many Coups without an answer show that the peer does not hear this node.
    public static let unheededCoups = 4
    /// How often an Active without a fit IKE daemon offers the role to a HOT peer.
    public static let givingPause = Interval.seconds(1)
    /// How long a prepared takeover waits behind its fence for `fenced`.
    public static let preparedWait = Interval.milliseconds(500)
    /// Behind the lease: how late the kernel may remove an expired address (measured 0.1–0.3 s).
    public static let leaseGrace = Interval.milliseconds(300)
    /// For how long after a confirmed takeover the old Active's late hellos are not believed.
    public static let staleHelloWindow = Interval.milliseconds(250)
    /// How long the virtual MAC stays up behind a release, without its address.
    public static let virtualMACLinger = Interval.milliseconds(30)
    /// When Resign is repeated, counted from the first one.
    public static let resignRepeats = [Interval.milliseconds(20), .milliseconds(60)]
    /// How often a node in Listen looks whether its interface receives anything.
    public static let receptionPause = Interval.milliseconds(250)
    /// How late a deadline may be handled before what was received meanwhile must be read first.
    public static let lateness = Interval.milliseconds(20)
    /// How long a node that was late by more than a hello reads on what waited outside its machine.
    public static let wakeListening = Interval.milliseconds(50)
    /// How often a group warns of the same trouble on its segment.
    public static let warningInterval = Interval.seconds(60)
    /// How long a switchover may take before it is reported as failed.
    public static let switchoverWait = Interval.seconds(10)
    /// Failed transmissions in a row after which a HOT peer is given the role.
    public static let failedSendsBeforeHandover = 3
}
