// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives

/// One router on a virtual clock: events in at a time of milliseconds, actions out, as lines that read as a transcript.
struct Router {
    var machine: GroupMachine
    var now = Instant(nanoseconds: 0)
    let address: IPAddress

    static let virtual = IPAddress(10, 1, 0, 100)
    static let peer = IPAddress(10, 1, 0, 4)
    static let stranger = IPAddress(10, 1, 0, 9)

    init(
        address: IPAddress = IPAddress(10, 1, 0, 3), priority: UInt8 = 100, seed: UInt64 = 1,
        redundancy: RedundancyStatus = RedundancyStatus(isStateful: false), startsWithDaemon: Bool = true,
        settings change: (inout GroupSettings) -> Void = { _ in }
    ) {
        self.address = address
        var settings = GroupSettings(
            group: 10, interfacePrefix: IPPrefix(address: address, length: 24), virtualAddress: Self.virtual)
        settings.peerAddresses = [Self.peer]
        change(&settings)
        machine = GroupMachine(
            settings: settings, priority: priority, redundancy: redundancy, seed: seed,
            startsWithDaemon: startsWithDaemon)
    }

    static func instant(_ milliseconds: Int) -> Instant { Instant(nanoseconds: 0) + .milliseconds(milliseconds) }

    /// Hands in an event and returns everything that was to be done.
    mutating func at(_ milliseconds: Int, _ event: GroupEvent) -> [GroupAction] {
        now = Self.instant(milliseconds)
        var actions: [GroupAction] = []
        machine.handle(event, at: now, actions: &actions)
        if actions.contains(.drainReceived), machine.state != .active {
            // Nothing waits here.
            machine.handle(.drained, at: now, actions: &actions)
        }
        return actions
    }

    /// Lets time pass, serving every deadline on the way; returns what was done with its time in milliseconds.
    mutating func run(until milliseconds: Int) -> [(at: Int, action: GroupAction)] {
        var done: [(at: Int, action: GroupAction)] = []
        let end = Self.instant(milliseconds)
        var steps = 0
        while let deadline = machine.nextDeadline, deadline <= end {
            let time = max(deadline, now)
            steps += 1
            precondition(steps < 100_000, "a deadline does not move")
            now = time
            var actions: [GroupAction] = []
            machine.handle(.deadlineReached, at: time, actions: &actions)
            done += actions.map { (Int(time.nanoseconds / 1_000_000), $0) }
        }
        now = end
        return done
    }

    /// A message of another router.
    static func message(
        _ operation: HSRPMessage.Operation, _ state: HSRPState, priority: UInt8, hello: UInt32 = 3,
        hold: UInt32 = 10, version: HSRPVersion = .one, group: UInt16 = 10, authentication: AuthenticationText = .cisco,
        virtual: IPAddress = Router.virtual
    ) -> HSRPMessage {
        HSRPMessage(
            version: version, operation: operation, state: state, helloMilliseconds: hello * 1000,
            holdMilliseconds: hold * 1000, priority: priority, group: group, authentication: .text(authentication),
            virtualAddress: virtual)
    }

    /// Hears a hello of another router.
    mutating func hear(
        _ milliseconds: Int, _ state: HSRPState, priority: UInt8, from source: IPAddress = Router.stranger
    ) -> [GroupAction] {
        hear(milliseconds, .hello, state, priority: priority, from: source)
    }

    /// Hears a message of another router.
    mutating func hear(
        _ milliseconds: Int, _ operation: HSRPMessage.Operation, _ state: HSRPState, priority: UInt8,
        from source: IPAddress = Router.stranger
    ) -> [GroupAction] {
        at(milliseconds, .messageReceived(Self.message(operation, state, priority: priority), from: source))
    }
}

/// A router brought into a state at time 0, nothing pending but its timers.
extension Router {
    static func listening(
        priority: UInt8 = 100, redundancy: RedundancyStatus = RedundancyStatus(isStateful: false),
        settings: (inout GroupSettings) -> Void = { _ in }
    ) -> Router {
        var router = Router(priority: priority, redundancy: redundancy, settings: settings)
        _ = router.at(0, .interfaceChanged(isUp: true))
        return router
    }

    static func speaking(
        priority: UInt8 = 100, redundancy: RedundancyStatus = RedundancyStatus(isStateful: false),
        settings: (inout GroupSettings) -> Void = { _ in }
    ) -> Router {
        var router = listening(priority: priority, redundancy: redundancy, settings: settings)
        _ = router.run(until: 10_000)
        precondition(router.machine.state == .speak)
        return router
    }

    /// A pair that was HOT until the association ended; the peer's kernel may live.
    static var cutOff: RedundancyStatus {
        var status = hot
        (status.isAssociationUp, status.isLocalHot, status.mayPeerKernelLive) = (false, false, true)
        return status
    }

    /// A Standby behind its peer, which has the higher priority, with `preempt`.
    static func preempting(_ status: RedundancyStatus = Router.hot) -> Router {
        standby(behind: peer, activePriority: 105, redundancy: status) { $0.preempt = true }
    }

    /// An Active with `preempt` whose pair became HOT at 25 s.
    static func preemptingActive() -> Router {
        var router = speaking(redundancy: RedundancyStatus(isStateful: true)) { $0.preempt = true }
        _ = router.run(until: 25_000)
        _ = router.at(25_000, .redundancyChanged(hot))
        return router
    }

    /// Standby at 20 s behind an Active of priority 110 heard at 20 s (at 9 s too, so that it left Listen by d).
    static func standby(
        priority: UInt8 = 100, behind active: IPAddress = Router.stranger, activePriority: UInt8 = 110,
        redundancy: RedundancyStatus = RedundancyStatus(isStateful: false),
        settings: (inout GroupSettings) -> Void = { _ in }
    ) -> Router {
        var router = listening(priority: priority, redundancy: redundancy, settings: settings)
        for second in [1, 4, 7, 9, 12, 15, 18] {
            _ = router.run(until: second * 1000)
            _ = router.hear(second * 1000, .active, priority: max(activePriority, priority), from: active)
        }
        _ = router.run(until: 20_000)
        _ = router.hear(20_000, .active, priority: activePriority, from: active)
        precondition(router.machine.state == .standby)
        return router
    }

    /// A Standby with timers of 250 and 800 ms whose Active (priority 110) was heard last at 20 s.
    static func fastStandby(behind active: IPAddress, redundancy: RedundancyStatus) -> Router {
        var router = standby(behind: active, redundancy: redundancy)
        var settings = router.machine.settings
        settings.hello = .milliseconds(250)
        settings.hold = .milliseconds(800)
        settings.usesOwnHoldTime = true
        _ = router.at(20_000, .settingsChanged(settings))
        _ = router.hear(20_000, .active, priority: 110, from: active)
        return router
    }

    static func active(
        priority: UInt8 = 100, redundancy: RedundancyStatus = RedundancyStatus(isStateful: false),
        settings: (inout GroupSettings) -> Void = { _ in }
    ) -> Router {
        var router = speaking(priority: priority, redundancy: redundancy, settings: settings)
        _ = router.run(until: 20_000)
        precondition(router.machine.state == .active)
        return router
    }

    /// The HOT pair: association up, everything replicated both ways.
    static var hot: RedundancyStatus {
        var status = RedundancyStatus(isStateful: true)
        status.isAssociationUp = true
        status.isLocalHot = true
        status.isPeerHot = true
        status.isPeerPopulated = true
        status.mayPeerKernelLive = true
        return status
    }
}

extension [GroupAction] {
    /// The actions that reach the kernel, the wire or the peer, in order, by short names.
    var steps: [String] {
        compactMap { action in
            switch action {
            case .send(let message, let fromVirtualMAC):
                "\(message.operation) \(message.state.name)\(fromVirtualMAC ? " from virtual MAC" : "")"
            case .raiseFence: "raise fence"
            case .lowerFence: "lower fence"
            case .raiseMAC: "raise MAC"
            case .lowerMAC: "lower MAC"
            case .addAddress(_, let seconds): "add address for \(seconds) s"
            case .renewLease: "renew lease"
            case .deleteAddress: "delete address"
            case .announce: "announce"
            case .probe: "probe"
            case .sendRole(.question, _), .sendRole(.evidenceQuestion, _): "tell question"
            case .sendRole(.evidence, _): "tell evidence"
            case .sendRole(.answer(_, let isActive), _): "tell \(isActive ? "active" : "not active")"
            case .sendRole(let message, _): "tell \(message)"
            case .publishRole(let isActive, let term): "publish \(isActive ? "active" : "standby") term \(term)"
            case .stateChanged(let from, let to, _): "\(from.name) -> \(to.name)"
            case .proveReception: "proof?"
            case .markReception: "mark"
            case .drainReceived: "drain"
            case .switchoverRefused(let code, _): "refused \(code)"
            case .switchoverFinished(let milliseconds): "finished in \(milliseconds) ms"
            case .stopped: "stopped"
            case .count, .log, .warn: nil
            }
        }
    }

    /// Names of the counters that were raised.
    var counted: [String] {
        compactMap { if case .count(let name) = $0 { name.description } else { nil } }
    }

    /// The warnings that were given, with their mnemonics.
    var warnings: [String] {
        compactMap { if case .warn(let mnemonic, let text) = $0 { "\(mnemonic): \(text)" } else { nil } }
    }

    /// The nonce of the last question asked.
    var question: UInt64? {
        for case .sendRole(let message, _) in reversed() {
            switch message {
            case .question(let nonce), .evidenceQuestion(let nonce): return nonce
            default: continue
            }
        }
        return nil
    }

    /// The nonce of the last answer given, and what it says.
    var answer: (nonce: UInt64, isActive: Bool)? {
        for case .sendRole(.answer(let nonce, let isActive), _) in reversed() { return (nonce, isActive) }
        return nil
    }
}
