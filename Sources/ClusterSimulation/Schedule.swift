// SPDX-License-Identifier: Apache-2.0

import FirstHop

/// What happens to a cluster: its settings, and the faults with their times.
public struct Schedule: Sendable {
    /// Feeds everything that the run draws.
    public var seed: UInt64
    var settings = ClusterSettings()
    /// What goes wrong, in any order.
    public var faults: [TimedFault] = []

    /// The least number of faults of a random schedule.
    static let leastFaults = 5
    /// From this seed on there are thefts and reloads too; seeds before it keep the faults that they have had.
    static let firstSeedOfAllFaults: UInt64 = 10_000_000
    /// From this seed on every second schedule has an IPv6 virtual address.
    static let firstSeedOfIPv6: UInt64 = 20_000_000
    /// From here on a machine that is paused sees it by its clocks, which go on.
    static let firstSeedOfStandstill: UInt64 = 30_000_000
    /// The time in which faults begin.
    static let faultMilliseconds: UInt64 = 25_000

    /// A schedule of named settings and faults.
    init(seed: UInt64 = 1, settings: ClusterSettings = ClusterSettings(), faults: [TimedFault] = []) {
        self.seed = seed
        self.settings = settings
        self.faults = faults
    }

    /// The random schedule of a seed.
    public init(seed: UInt64) {
        self.seed = seed
        var random = SplitMix64(seed: seed)
        settings = ClusterSettings.random(using: &random)
        settings.isIPv6 = seed >= Self.firstSeedOfIPv6 && seed % 2 == 1
        let count = Int.random(in: Self.leastFaults...9, using: &random)
        // Now and then faults fall into each other's time; sometimes they are far apart.
        let span = Bool.random(using: &random) ? Self.faultMilliseconds : Self.faultMilliseconds / 5
        for _ in 0..<count {
            let at = UInt64.random(in: 0...span, using: &random)
            faults.append(
                Self.fault(
                    at: at, ofKinds: seed < Self.firstSeedOfAllFaults ? 20 : 23,
                    standsStill: seed >= Self.firstSeedOfStandstill, using: &random))
        }
        faults.sort { $0.atMilliseconds < $1.atMilliseconds }
    }

    private static func fault(
        at: UInt64, ofKinds kinds: Int, standsStill: Bool, using random: inout SplitMix64
    ) -> TimedFault {
        let node = Int.random(in: 0...1, using: &random)
        let length = [5, 50, 400, 2_000, 6_000, 15_000].randomElement(using: &random) ?? 50
        let time = UInt64.random(in: UInt64(length / 2)...UInt64(length), using: &random)
        let isBothWays = Bool.random(using: &random)
        let percent = Int.random(in: 10...90, using: &random)
        let actions = Int.random(in: 0...12, using: &random)
        let process = ProcessKind.allCases.randomElement(using: &random) ?? .failover
        let fault: Fault =
            switch Int.random(in: 0..<kinds, using: &random) {
            case 0: .lanCut(from: node, isBothWays: isBothWays)
            case 1, 2: .lanNoise(loss: percent, duplicates: percent / 2, delayMicroseconds: UInt64(percent) * 200)
            case 3: .lanLink(node)
            case 4, 5: .insideLink(node)
            case 6, 7, 8: .crash(node, process, afterActions: actions)
            case 9: .killDaemon(node)
            case 10, 11: .stall(node, process)
            case 12: .stallAll(node)
            case 13: standsStill ? .standstill(node) : .pause(node)
            case 14: .powerOff(node)
            case 15: .slowKernel(node, milliseconds: UInt64(percent))
            case 16: .failingKernel(node, percent: percent)
            case 17: .syncCut(from: node, isBothWays: isBothWays)
            case 18: .syncNoise(loss: percent)
            case 20, 21: .theft(node)
            case 22: .reload(node)
            default: .switchover
            }
        return TimedFault(fault, at: at, for: time)
    }

    /// When the last fault is over, in milliseconds behind the warm-up.
    var healedMilliseconds: UInt64 { faults.map { $0.atMilliseconds + $0.lengthMilliseconds }.max() ?? 0 }
}
