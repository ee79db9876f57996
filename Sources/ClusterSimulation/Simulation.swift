// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives

/// Two gateways, their network and their VPN peer on one virtual clock; the same seed and faults give the same run.
final class Simulation {
    let settings: ClusterSettings
    /// Nanoseconds since the start, as nobody in the cluster can know them.
    private(set) var now: UInt64 = 0
    /// For everything that the run itself draws; faults are drawn before it starts.
    var random: SplitMix64
    private(set) var nodes: [Node] = []
    private(set) lazy var lan = LAN(self)
    private(set) lazy var association = AssociationModel(self)
    private(set) lazy var tunnels = Tunnels(self)
    private(set) lazy var checker = Checker(self)
    private(set) var log: [String] = []
    private(set) var eventCount = 0
    /// Messages so far that a wire could have lost.
    private(set) var messageCount = 0
    /// When a process died last at one of its actions, as a fault had planned for it.
    var crashedAt: UInt64?
    private var queue = EventQueue()
    private let isLogging: Bool
    private let lostMessage: Int?

    /// Bounds of a run.
    enum Limits {
        static let logLines = 50_000
        /// More events than a run of ten simulated minutes needs.
        static let events = 2_000_000
    }

    /// Prepares a run; `lostMessage` is the number of the one message that is lost.
    init(settings: ClusterSettings, seed: UInt64, lostMessage: Int? = nil, isLogging: Bool = false) {
        self.settings = settings
        self.isLogging = isLogging
        self.lostMessage = lostMessage
        random = SplitMix64(seed: seed)
        nodes = settings.priorities.indices.map { Node(index: $0, simulation: self) }
    }

    /// Powers every node on.
    func start() {
        for node in nodes { node.powerOn() }
        tunnels.start()
    }

    // MARK: Time

    func schedule(
        at time: UInt64, for owner: ProcessModel? = nil, isTimer: Bool = false, _ body: @escaping () -> Void
    ) {
        let item = EventQueue.Item(owner: owner, generation: owner?.generation ?? 0, isTimer: isTimer, body: body)
        queue.add(item, at: max(time, now))
    }

    func schedule(after delay: UInt64, for owner: ProcessModel? = nil, _ body: @escaping () -> Void) {
        schedule(at: now + delay, for: owner, body)
    }

    /// Runs until `end`, or until a promise is broken.
    func run(until end: UInt64) {
        while checker.violation == nil, let next = queue.nextTime, next <= end, let item = queue.pop() {
            now = max(now, next)
            eventCount += 1
            deliver(item)
            if eventCount > Limits.events { checker.fail("the run does not come to an end") }
        }
        now = max(now, end)
    }

    /// Hands an event to whom it concerns, who may be paused, hung or dead.
    func deliver(_ item: EventQueue.Item) {
        guard let owner = item.owner else { return item.body() }
        owner.node.take(item)
    }

    // MARK: Chance

    func chance(_ percent: Int) -> Bool {
        percent > 0 && Int.random(in: 0..<100, using: &random) < percent
    }

    /// A number of nanoseconds drawn evenly from a range in microseconds.
    func microseconds(_ range: ClosedRange<UInt64>) -> UInt64 { UInt64.random(in: range, using: &random) * 1_000 }

    /// Counts a message that a wire carries; true for the one that this run loses.
    func losesNextMessage() -> Bool {
        messageCount += 1
        return messageCount == lostMessage
    }

    // MARK: Telling

    func note(_ text: @autoclosure () -> String) {
        guard isLogging, log.count < Limits.logLines else { return }
        let micros = now / 1_000
        let fraction = String(micros % 1_000_000)
        let zeros = String(repeating: "0", count: 6 - fraction.count)
        log.append("\(micros / 1_000_000).\(zeros)\(fraction) \(text())")
    }
}

/// Asks a machine of another room something.
///
/// On a property of a class the call would copy the whole machine first.
func query<Machine, Answer>(_ machine: inout Machine, _ question: (inout Machine) -> Answer) -> Answer {
    question(&machine)
}

/// Nanoseconds in a millisecond.
let millisecond: UInt64 = 1_000_000
/// Nanoseconds in a second.
let second: UInt64 = 1_000_000_000
