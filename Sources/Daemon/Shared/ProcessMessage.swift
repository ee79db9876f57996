// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Netlink
import Primitives
import Tracking

/// The processes of one daemon.
enum ProcessRole: UInt8, Sendable, CaseIterable {
    case supervisor = 0
    case front = 1
    case failover = 2
    case replication = 3
}

/// What a descriptor that travels with a frame is for.
enum DescriptorPurpose: UInt8, Sendable {
    /// A socketpair end toward another process; the payload's role names whom.
    case processChannel = 1
    /// The UDP socket that stands as charon's ha-plugin peer.
    case haPlugin = 2
    /// A connected VICI stream, asked for by `viciRequested`.
    case vici = 3
    /// The listening control socket.
    case control = 4
    /// The file with this node's key, asked for by `identityRequested`.
    case identity = 5
    /// The file of `--record`.
    case recording = 6
}

/// One virtual address that failover holds, so that the supervisor can remove it when failover dies.
struct HeldAddress: Hashable, Sendable {
    var interfaceIndex: UInt32
    var address: IPAddress
    var prefixLength: UInt8

    init(interfaceIndex: UInt32, address: IPAddress, prefixLength: UInt8) {
        self.interfaceIndex = interfaceIndex
        self.address = address
        self.prefixLength = prefixLength
    }

    /// A virtual address as failover holds it: alone, whatever the network.
    ///
    /// The answer to who asks a link-local address must find its way back by the same interface.
    init(_ address: IPAddress, on interfaceIndex: UInt32) {
        let length = address.isLinkLocal ? 64 : address.bitCount
        self.init(interfaceIndex: interfaceIndex, address: address, prefixLength: UInt8(length))
    }
}

/// What an interface's settings were before failover changed them.
struct InterfaceSettings: Hashable, Sendable {
    var index: UInt32
    var values: [InterfaceSetting: UInt32]
}

/// Every frame between two of our own processes; one SEQPACKET datagram each, at most `maximumByteCount`.
///
/// The peer is our own code, yet decoding is checked all the same: a process may have been taken over.
enum ProcessMessage: Hashable, Sendable {
    // Supervisor to children.
    /// The configuration: raw file text toward front, canonical text toward the others; `revision` counts loads.
    case configuration(revision: UInt32, text: [UInt8])
    /// A descriptor is attached to this frame.
    case descriptor(DescriptorPurpose, peer: ProcessRole)
    /// Hand over in order and exit.
    case stop
    /// Toward replication: failover died with a HOT peer; fence is up, addresses are gone: tell the peer `takeOver`.
    case failoverDied
    /// Toward failover, after a restart without a ready peer: adopt what is tagged ours and be Active again.
    case resume
    /// Toward replication: the file with this node's key cannot be opened yet, for this reason; its descriptor follows
    /// as soon as it can.
    case identityMissing(reason: String)
    /// Toward failover: the file with a key of hellos, whose descriptor is attached.
    case keyFile(path: String)
    /// Toward failover: that file cannot be opened yet, for this reason; it follows as soon as it can.
    case keyFileMissing(path: String, reason: String)

    /// Toward failover: what became of a tracked object that the supervisor watches.
    case observed(ProbeReport)

    /// Toward failover: the process that carries its words to the peer.
    case replicationStarted(process: Int32)

    /// Toward failover: counters that the supervisor keeps, for `show counters`; complete each time.
    case counted([String: UInt64])

    // Children to the supervisor.
    /// The child has opened what it needs; `detail` is for sd_notify's STATUS.
    case ready
    /// Front parsed a configuration: the canonical text for the other processes.
    case configurationAccepted(revision: UInt32, text: [UInt8])
    /// Front refused a configuration; the running one stays.
    case configurationRefused(revision: UInt32, text: String)
    /// Failover's addresses, complete each time, and whether the peer is HOT at this moment.
    case holding(addresses: [HeldAddress], isPeerHot: Bool)
    /// Failover's virtual addresses, all of them, whose fence the supervisor raises if failover dies.
    case fences(addresses: [IPAddress])
    /// Failover tells of a change of a group's state, for programs that are notified.
    case groupChanged(GroupChange)
    /// The interfaces that failover has changed, complete each time, with what it found there: the supervisor puts that
    /// back when failover is gone, whichever way.
    case settings(before: [InterfaceSettings])
    /// Replication wants a connected VICI stream.
    case viciRequested
    /// Replication wants the file with this node's key.
    case identityRequested
    /// Failover wants a file with a key of hellos, which the configuration names.
    case keyFileRequested(path: String)
    /// Front asks for a reload of the file.
    case reloadRequested
    /// The child has finished its orderly end and exits.
    case stopped

    // Failover and replication.
    /// Replication's view of the pair for the group of the scheme.
    case redundancyChanged(RedundancyStatus)
    /// Failover's role for the scheme's group; `term` rises at each takeover. An Active that `isFenced` sends nothing until
    /// replication has taken the role.
    case roleChanged(isActive: Bool, isFenced: Bool, group: UInt16, term: UInt64)
    /// A role message, to the peer (from failover) or from it (from replication).
    case role(RoleMessage, group: UInt16, term: UInt64)

    /// Failover wants this number back when replication has worked off what came before it.
    case watchAsked(number: UInt32)
    /// Toward failover: replication is awake.
    case watchAnswered(number: UInt32)

    /// Toward failover: the next hop toward the latest VPN peer.
    case neighbour(IPv4Address, interfaceIndex: UInt32)

    // Front with failover and replication.
    /// A query; the answer is one or more `answer` frames with the same number.
    case query(number: UInt32, text: [UInt8])
    /// A piece of a JSON answer; `isLast` ends it.
    case answer(number: UInt32, isLast: Bool, text: [UInt8])
    /// An event for `monitor` and `show logging`: one JSON object.
    case event(text: [UInt8])
    /// A line of a recording.
    case recorded(text: [UInt8])

    /// The largest frame: well under the default socket buffer.
    static let maximumByteCount = 131_072
    /// The largest piece of an answer.
    static let maximumAnswerByteCount = 65_536
}
