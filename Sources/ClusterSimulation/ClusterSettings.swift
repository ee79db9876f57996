// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import SecurityAssociations

/// What the operator configured on both nodes, and how much traffic there is.
struct ClusterSettings: Hashable, Sendable {
    var helloMilliseconds = 1000
    var holdMilliseconds = 3000
    /// One per node.
    var priorities: [UInt8] = [105, 100]
    var preempts = true
    /// What the tracked inside link takes off the priority; nil makes the node unfit instead.
    var decrement: Int? = 10
    var trackUpDelaySeconds = 0
    var isStateful = true
    /// The tunnels end at an IPv6 virtual address; of that only what the kernel sends differs here.
    var isIPv6 = false
    var tunnelCount = 2
    var packetsPerSecond: UInt64 = 200
    /// `replay-interval outbound`.
    var outboundInterval: UInt64 = 100_000
    /// Parts per million, one per node.
    var clockRates: [Int64] = [0, 0]

    static let virtualAddress = IPAddress(10, 1, 0, 100)
    static let groupNumber: UInt16 = 10

    static func address(of node: Int) -> IPAddress { IPAddress(10, 1, 0, UInt8(3 + node)) }

    /// The settings of the group on one node; mirrors FailoverNode+Model.swift `settings(for:_:)`.
    func group(of node: Int) -> GroupSettings {
        let prefix = IPPrefix(address: Self.address(of: node), length: 24)
        var settings = GroupSettings(
            group: Self.groupNumber, interfacePrefix: prefix, virtualAddress: Self.virtualAddress)
        settings.preempt = preempts
        settings.hello = .milliseconds(helloMilliseconds)
        settings.hold = .milliseconds(holdMilliseconds)
        settings.usesOwnHoldTime = helloMilliseconds % 1000 != 0
        settings.allowsFastStart = true
        settings.peerAddresses = priorities.indices.filter { $0 != node }.map(Self.address(of:))
        return settings
    }

    /// The margin's ingredients; mirrors Scheme.swift `marginSettings`.
    var margin: SequenceMargin.Settings {
        SequenceMargin.Settings(
            outboundInterval: outboundInterval, reportInterval: .seconds(1), hold: .milliseconds(holdMilliseconds),
            lease: lease, burstPacketsPerSecond: SequenceMargin.burstPacketsPerSecond)
    }

    var lease: Interval { .seconds(min(max((holdMilliseconds + 999) / 1000, 1), 3)) }

    /// How long the kernel may keep what nobody renews.
    var leaseNanoseconds: UInt64 { lease.nanoseconds + 300 * millisecond }

    /// Draws the settings of a random schedule.
    static func random(using random: inout SplitMix64) -> ClusterSettings {
        var settings = ClusterSettings()
        switch Int.random(in: 0..<4, using: &random) {
        case 0: (settings.helloMilliseconds, settings.holdMilliseconds) = (3000, 10_000)
        case 1: (settings.helloMilliseconds, settings.holdMilliseconds) = (250, 800)
        default: break
        }
        settings.preempts = Int.random(in: 0..<4, using: &random) > 0
        settings.decrement = Int.random(in: 0..<5, using: &random) == 0 ? nil : 10
        settings.trackUpDelaySeconds = Int.random(in: 0..<3, using: &random) * 2
        if Bool.random(using: &random) { settings.priorities = [100, 100] }
        settings.tunnelCount = Int.random(in: 1...3, using: &random)
        settings.packetsPerSecond = [20, 200, 2_000].randomElement(using: &random) ?? 200
        settings.clockRates = settings.priorities.map { _ in Int64.random(in: -10_000...10_000, using: &random) }
        return settings
    }
}
