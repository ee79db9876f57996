// SPDX-License-Identifier: Apache-2.0

/// Everything that decides the redundancy state, as the replication process knows it at one moment.
public struct RedundancyFacts: Hashable, Sendable, Codable {
    /// A scheme and an association are configured.
    public var isConfigured = false
    /// The scheme's crypto map is `stateful`.
    public var isStateful = false
    /// The role of the scheme's group on this node; nil until failover told it.
    public var isActive: Bool?
    /// The role is about to be given away in order.
    public var isDraining = false
    /// Role command, counters and routes of a takeover are done.
    public var isTakeoverComplete = true
    /// Why there is no association, for the screens; nil where nothing is known to hinder it.
    public var associationFault: String?
    /// A session stands.
    public var isSessionUp = false
    /// A session stood at some time since this process started.
    public var wasSessionUp = false
    /// The peer's process does not talk although its kernel answers.
    public var isPeerSilent = false
    /// The peer is Active.
    public var isPeerActive = false
    /// The peer, standby, holds everything that this node has.
    public var isPeerHot = false
    /// The peer holds records.
    public var isPeerPopulated = false
    /// The peer's kernel may run although the association is gone.
    public var mayPeerKernelLive = false
    /// Why the IKE daemon is unfit; nil if it is fit or none is configured.
    public var daemonFault: String?
    /// Why the kernel does not take or show SAs, with `ike-daemon none`; nil while it does.
    public var kernelFault: String?
    /// A snapshot arrives or has arrived on this standby.
    public var isSnapshotBegun = false
    /// The snapshot is complete and the digest was equal at the last mark.
    public var isJournalEqual = false
    /// Everything of the journal was delivered to the IKE daemon.
    public var isDelivered = false
    /// Child SAs of the Active are on their way to the IKE daemon.
    public var hasUndelivered = false
    /// The Active's sequence numbers were last heard too long ago: they must be raised before anything is sent.
    public var areNumbersStale = false
    /// The IKE daemon and the kernel were seen to hold the journal's SAs.
    public var isVerified = false
    /// The outbound counters of all SAs stand at the Active's numbers plus margin.
    public var areCountersInstalled = false

    /// The facts before anything is known.
    public init() {}

    /// The state that the facts make, and what is missing for HOT on a standby.
    public var evaluation: (state: RedundancyState, missing: [String]) {
        guard isConfigured else { return (.disabled, ["no scheme or association is configured"]) }
        guard let isActive else { return (.initialization, ["the role of the scheme's group is not known yet"]) }
        if isActive {
            if isDraining { return (.activeDrain, []) }
            return (isTakeoverComplete && !areNumbersStale ? .active : .activeFast, [])
        }
        var missing = [associationFault, daemonFault, kernelFault].compactMap(\.self)
        guard isSessionUp else {
            if associationFault == nil { missing.append("no session with the peer") }
            return (wasSessionUp ? .standbyCold : .negotiation, missing)
        }
        if isPeerSilent { missing.append("the peer's replication process does not answer") }
        guard isPeerActive else { return (.standbyCold, missing + ["the peer is not Active"]) }
        guard isStateful else { return (missing.isEmpty ? .standbyHot : .standbyCold, missing) }
        guard isSnapshotBegun else { return (.standbyCold, missing + ["the Active has not sent its records"]) }
        if !isJournalEqual { missing.append("the records are not complete") }
        if !isDelivered { missing.append("not all records are delivered") }
        if !isVerified { missing.append("the SAs are not verified against the records") }
        if !areCountersInstalled { missing.append("outbound sequence numbers are not installed") }
        if missing.isEmpty { return (.standbyHot, []) }
        return (daemonFault == nil ? .standbyColdBulk : .standbyCold, missing)
    }
}
