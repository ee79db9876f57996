// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// What happened to a group.
public enum GroupEvent: Hashable, Sendable, Codable {
    /// The interface has carrier, is up and has its address; or no longer.
    case interfaceChanged(isUp: Bool)
    /// A tracked object with `shutdown` fell or all of them stand again.
    case fitnessChanged(isFit: Bool)
    /// The group that this one follows is in that state.
    case leaderChanged(HSRPState)
    /// The group that this one follows hears nobody, or somebody again.
    case leaderIsolationChanged(isCutOff: Bool)
    /// All groups that follow this one could be Active, or not all of them.
    case followersChanged(areReady: Bool)
    /// A message arrived whose group is this one.
    case messageReceived(HSRPMessage, from: IPAddress)
    /// The effective priority was computed anew.
    case priorityChanged(UInt8)
    /// Replication's view of the pair changed.
    case redundancyChanged(RedundancyStatus)
    /// The peer spoke over the association.
    case roleMessageReceived(RoleMessage, term: UInt64)
    /// An operator wants the peer to have the role.
    case switchoverRequested(force: Bool)
    /// The daemon ends in order.
    case stopRequested
    /// The process was restarted after a crash while it held the address and no peer was ready; `isFenced` if the
    /// kernel's fence was found up.
    case resumed(isFenced: Bool)
    /// The configuration or the interface's address changed; virtual address and group stay what they were.
    case settingsChanged(GroupSettings)
    /// A hello could not be sent.
    case sendFailed
    /// A hello could be sent again.
    case sendSucceeded
    /// Everything received before the stall has been handed in (the answer to `drainReceived`).
    case drained
    /// How the probe asked for by `probe` ended.
    case probeFinished(ProbeResult)
    /// Something was received on the interface since it came up or `markReception` (an answer to `proveReception`).
    case receptionProven
    /// Nothing was (the other answer).
    case nothingReceived
    /// This node's own replication process does not answer, or answers again; while it is silent, its last status is old.
    case replicationSilenceChanged(isSilent: Bool)
    /// A deadline may have passed; calling too early is harmless.
    case deadlineReached

    /// Whether the group that this one follows is what has changed.
    public var isOfLeader: Bool {
        switch self {
        case .leaderChanged, .leaderIsolationChanged: true
        default: false
        }
    }
}
