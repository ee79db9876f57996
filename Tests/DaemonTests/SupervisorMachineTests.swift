// SPDX-License-Identifier: Apache-2.0

import Netlink
import Primitives
import Testing

@testable import Daemon

/// A machine, its clock, and what it has said since it was asked last.
private struct Bench {
    var machine = SupervisorMachine()
    var now = Instant(nanoseconds: 1_000_000_000)

    mutating func step(_ event: SupervisorMachine.Event) -> [SupervisorMachine.Action] {
        var actions: [SupervisorMachine.Action] = []
        machine.handle(event, at: now, actions: &actions)
        return actions
    }

    mutating func wait(_ interval: Interval) { now = now + interval }

    /// A daemon that is ready, Active with one address.
    static func ready(isPeerHot: Bool) -> Bench {
        var bench = Bench()
        _ = bench.step(.configurationRead(text))
        _ = bench.step(.received(.configurationAccepted(revision: 1, text: canonical), from: .front))
        _ = bench.step(.received(.fences(addresses: [address]), from: .failover))
        _ = bench.step(.received(.ready, from: .failover))
        _ = bench.step(.haPluginStood)
        _ = bench.step(.received(.holding(addresses: [held], isPeerHot: isPeerHot), from: .failover))
        return bench
    }
}

private let text = Array("host R3".utf8)
private let canonical = Array("hostname R3".utf8)
private let address = IPAddress(10, 1, 0, 100)
private let held = HeldAddress(interfaceIndex: 6, address: address, prefixLength: 32)
private let accepted = ProcessMessage.configuration(revision: 1, text: canonical)

@Suite("Supervisor: start and reload")
struct SupervisorStartTests {
    @Test("front parses first; then the others start, each with its channels and the canonical text")
    func start() {
        var bench = Bench()
        #expect(
            bench.step(.configurationRead(text)) == [
                .spawn(.front), .passControl, .send(.configuration(revision: 1, text: text), to: .front),
            ])
        #expect(
            bench.step(.received(.configurationAccepted(revision: 1, text: canonical), from: .front)) == [
                .adopt(canonical),
                .spawn(.failover), .connect(.failover, .front), .send(accepted, to: .failover),
                .spawn(.replication), .passHAPlugin, .connect(.replication, .front),
                .connect(.replication, .failover), .send(accepted, to: .replication),
            ])
    }

    @Test("READY is told once, when fence and ha-plugin socket both stand, in either order", arguments: [true, false])
    func ready(isFailoverFirst: Bool) {
        var bench = Bench()
        _ = bench.step(.configurationRead(text))
        _ = bench.step(.received(.configurationAccepted(revision: 1, text: canonical), from: .front))
        #expect(bench.step(.received(.ready, from: .replication)).isEmpty)
        let events: [SupervisorMachine.Event] = [.received(.ready, from: .failover), .haPluginStood]
        let ordered = isFailoverFirst ? events : events.reversed()
        let told = { (event: SupervisorMachine.Event) in bench.step(event).filter { $0 != .tellProbes } }
        #expect(told(ordered[0]).isEmpty)
        #expect(told(ordered[1]).first == .notify("READY=1"))
        #expect(told(ordered[0]).isEmpty)
        #expect(told(ordered[1]).isEmpty)
    }

    @Test("a failover process that is ready is told what is known of probes, each new one again")
    func probes() {
        var bench = Bench.ready(isPeerHot: false)
        #expect(bench.step(.received(.ready, from: .replication)).isEmpty)
        _ = bench.step(.childEnded(.failover, how: "killed by signal 9"))
        #expect(bench.step(.received(.ready, from: .failover)) == [.tellProbes])
    }

    @Test("a refused or unreadable first configuration ends the daemon with status 1 and front's own words")
    func refusedAtStart() {
        var bench = Bench()
        _ = bench.step(.configurationRead(text))
        let words = "a.conf:1:1: error: no"
        #expect(
            bench.step(.received(.configurationRefused(revision: 1, text: words), from: .front)) == [
                .printRefusal(words), .kill(.front), .exit(1),
            ])
        var other = Bench()
        #expect(other.step(.configurationUnreadable(reason: "gone")).last == .exit(1))
        var third = Bench()
        _ = third.step(.configurationRead(text))
        #expect(third.step(.childEnded(.front, how: "killed by signal 4")).last == .exit(1))
    }

    @Test("a reload goes through front to the others; a refused one changes nothing")
    func reload() {
        var bench = Bench.ready(isPeerHot: true)
        #expect(bench.step(.reloadRequested) == [.notify("RELOADING=1"), .readConfiguration])
        #expect(
            bench.step(.configurationRead(text)) == [.send(.configuration(revision: 2, text: text), to: .front)])
        let new = Array("hostname R4".utf8)
        let message = ProcessMessage.configuration(revision: 2, text: new)
        let actions = bench.step(.received(.configurationAccepted(revision: 2, text: new), from: .front))
        #expect(actions.starts(with: [.adopt(new), .send(message, to: .failover), .send(message, to: .replication)]))
        #expect(actions.last == .notify("READY=1"))

        #expect(bench.step(.received(.reloadRequested, from: .front)).last == .readConfiguration)
        _ = bench.step(.configurationRead(text))
        let refused = bench.step(.received(.configurationRefused(revision: 3, text: "no"), from: .front))
        #expect(refused.contains(.notify("READY=1")))
        #expect(!refused.contains { if case .send = $0 { true } else { false } })
        // What is told to a restarted child is the configuration in force.
        #expect(bench.step(.childEnded(.replication, how: "x")).contains(.send(message, to: .replication)))
    }

    @Test("an unreadable file is told to front, which tells whoever asked")
    func unreadable() {
        var bench = Bench.ready(isPeerHot: false)
        _ = bench.step(.reloadRequested)
        let actions = bench.step(.configurationUnreadable(reason: "gone"))
        #expect(
            actions.first
                == .send(.configurationRefused(revision: 1, text: "cannot read the configuration: gone"), to: .front))
        #expect(!actions.contains(.exit(1)))
    }

    @Test("a wish to reload while one is under way is served after it, an answer to an older one is ignored")
    func reloadTwice() {
        var bench = Bench.ready(isPeerHot: false)
        _ = bench.step(.reloadRequested)
        _ = bench.step(.configurationRead(text))
        #expect(bench.step(.reloadRequested).isEmpty)
        #expect(bench.step(.received(.configurationAccepted(revision: 1, text: []), from: .front)).isEmpty)
        let actions = bench.step(.received(.configurationAccepted(revision: 2, text: canonical), from: .front))
        #expect(actions.last == .readConfiguration)
    }

    @Test("a front that never answers is killed, restarted, and the running configuration stays")
    func hangingFront() {
        var bench = Bench.ready(isPeerHot: false)
        _ = bench.step(.reloadRequested)
        _ = bench.step(.configurationRead(text))
        #expect(bench.machine.nextDeadline == bench.now + .seconds(5))
        bench.wait(.seconds(5))
        #expect(bench.step(.timerDue) == [.kill(.front)])
        let actions = bench.step(.childEnded(.front, how: "killed by signal 9"))
        #expect(actions.contains(.spawn(.front)))
        #expect(actions.contains(.passControl))
        #expect(actions.contains(.connect(.front, .failover)))
        #expect(actions.contains(.connect(.front, .replication)))
        #expect(actions.last == .send(accepted, to: .front))
    }

    @Test("replication alone may have this node's key")
    func identity() {
        var bench = Bench.ready(isPeerHot: true)
        #expect(bench.step(.received(.identityRequested, from: .replication)) == [.openIdentity])
        #expect(bench.step(.received(.identityRequested, from: .front)).isEmpty)
    }

    @Test("failover alone may have the keys of hellos")
    func keyFile() {
        var bench = Bench.ready(isPeerHot: true)
        #expect(bench.step(.received(.keyFileRequested(path: "/etc/k"), from: .failover)) == [.openKeyFile("/etc/k")])
        #expect(bench.step(.received(.keyFileRequested(path: "/etc/k"), from: .replication)).isEmpty)
    }

    @Test("frames from the wrong process are counted and change nothing")
    func wrongSender() {
        var bench = Bench.ready(isPeerHot: true)
        #expect(bench.step(.received(.holding(addresses: [], isPeerHot: false), from: .front)).isEmpty)
        #expect(bench.step(.received(.fences(addresses: []), from: .replication)).isEmpty)
        #expect(bench.step(.received(.configurationAccepted(revision: 1, text: []), from: .failover)).isEmpty)
        #expect(bench.step(.received(.viciRequested, from: .front)).isEmpty)
        #expect(bench.step(.received(.identityRequested, from: .failover)).isEmpty)
        #expect(bench.machine.counters["supervisor.unexpected"] == 5)
        #expect(bench.step(.childEnded(.failover, how: "x")).contains(.removeAddresses([held])))
    }
}

@Suite("Supervisor: who dies")
struct SupervisorDeathTests {
    @Test("failover with a HOT peer: fence, addresses, word to the peer, virtual MAC, and a listener starts")
    func failoverWithHotPeer() {
        var bench = Bench.ready(isPeerHot: true)
        let actions = bench.step(.childEnded(.failover, how: "killed by signal 9"))
        #expect(
            actions == [
                .log("%HAVPN-3-PROCESS: failover killed by signal 9"),
                .raiseFences([address]), .removeAddresses([held]), .send(.failoverDied, to: .replication),
                .lowerVirtualMACs([held]),
                .spawn(.failover), .connect(.failover, .front), .connect(.failover, .replication),
                .send(accepted, to: .failover),
            ])
    }

    @Test("failover without a ready peer: nothing is removed, the next one resumes")
    func failoverAlone() {
        var bench = Bench.ready(isPeerHot: false)
        let actions = bench.step(.childEnded(.failover, how: "killed by signal 9"))
        #expect(
            Array(actions.dropFirst()) == [
                .spawn(.failover), .connect(.failover, .front), .connect(.failover, .replication),
                .send(.resume, to: .failover), .send(accepted, to: .failover),
            ])
    }

    @Test("failover as a standby holds nothing: it just starts again")
    func failoverAsStandby() {
        var bench = Bench.ready(isPeerHot: false)
        _ = bench.step(.received(.holding(addresses: [], isPeerHot: false), from: .failover))
        let actions = bench.step(.childEnded(.failover, how: "exited with status 1"))
        #expect(!actions.contains(.send(.resume, to: .failover)))
        #expect(actions.contains(.raiseFences([address])))
        #expect(actions.contains(.spawn(.failover)))
        #expect(!actions.contains(.removeAddresses([held])))
    }

    @Test("a death before the next frame of failover still knows what is held")
    func twoDeaths() {
        var bench = Bench.ready(isPeerHot: false)
        _ = bench.step(.childEnded(.failover, how: "x"))
        bench.wait(.milliseconds(100))
        #expect(bench.step(.childEnded(.failover, how: "x")).contains(.send(.resume, to: .failover)))
    }

    @Test(
        "the third crash within 10 s gives up: fence, no address, orderly end with status 1", arguments: [true, false])
    func thirdCrash(isPeerHot: Bool) {
        var bench = Bench.ready(isPeerHot: false)
        _ = bench.step(.childEnded(.failover, how: "x"))
        bench.wait(.seconds(4))
        _ = bench.step(.childEnded(.failover, how: "x"))
        bench.wait(.seconds(4))
        _ = bench.step(.received(.holding(addresses: [held], isPeerHot: isPeerHot), from: .failover))
        let actions = bench.step(.childEnded(.failover, how: "x"))
        #expect(actions.contains(.raiseFences([address])))
        #expect(actions.contains(.removeAddresses([held])))
        #expect(actions.contains(.send(.failoverDied, to: .replication)) == isPeerHot)
        #expect(!actions.contains(.spawn(.failover)))
        #expect(actions.contains(.send(.stop, to: .replication)))
        _ = bench.step(.childEnded(.replication, how: "x"))
        #expect(bench.step(.childEnded(.front, how: "x")).last == .exit(1))
    }

    @Test("three crashes in more than 10 s do not give up")
    func slowCrashes() {
        var bench = Bench.ready(isPeerHot: false)
        for _ in 0..<5 {
            #expect(bench.step(.childEnded(.failover, how: "x")).contains(.spawn(.failover)))
            bench.wait(.seconds(6))
        }
    }

    @Test("replication starts again at once, is given the ha-plugin socket and new channels")
    func replication() {
        var bench = Bench.ready(isPeerHot: true)
        let actions = bench.step(.childEnded(.replication, how: "x"))
        #expect(
            Array(actions.dropFirst()) == [
                .spawn(.replication), .passHAPlugin, .connect(.replication, .front),
                .connect(.replication, .failover), .send(accepted, to: .replication),
            ])
    }

    @Test("a child that keeps crashing is started with a pause, and not for ever at once")
    func pause() {
        var bench = Bench.ready(isPeerHot: false)
        for _ in 0..<2 { #expect(bench.step(.childEnded(.replication, how: "x")).contains(.spawn(.replication))) }
        #expect(!bench.step(.childEnded(.replication, how: "x")).contains(.spawn(.replication)))
        #expect(bench.machine.nextDeadline == bench.now + .seconds(1))
        // Failover dies meanwhile: no channel to a process that is not there.
        #expect(!bench.step(.childEnded(.failover, how: "x")).contains(.connect(.failover, .replication)))
        bench.wait(.seconds(1))
        let actions = bench.step(.timerDue)
        #expect(actions.contains(.spawn(.replication)))
        #expect(actions.contains(.connect(.replication, .failover)))
        #expect(bench.machine.nextDeadline == nil)
    }

    @Test("with replication dead too, failover's death still fences and removes, and nobody is told")
    func bothDead() {
        var bench = Bench.ready(isPeerHot: true)
        for _ in 0..<3 { _ = bench.step(.childEnded(.replication, how: "x")) }
        let actions = bench.step(.childEnded(.failover, how: "x"))
        #expect(actions.contains(.raiseFences([address])))
        #expect(actions.contains(.removeAddresses([held])))
        #expect(!actions.contains(.send(.failoverDied, to: .replication)))
    }
}

@Suite("Supervisor: orderly stop")
struct SupervisorStopTests {
    @Test("failover, then replication, then front; exit 0")
    func order() {
        var bench = Bench.ready(isPeerHot: true)
        #expect(bench.step(.stopRequested) == [.notify("STOPPING=1"), .send(.stop, to: .failover)])
        #expect(bench.step(.received(.stopped, from: .failover)) == [.send(.stop, to: .replication)])
        #expect(bench.step(.childEnded(.failover, how: "exited with status 0")).isEmpty)
        #expect(bench.step(.received(.stopped, from: .replication)) == [.send(.stop, to: .front)])
        #expect(bench.step(.received(.stopped, from: .front)).isEmpty)
        #expect(bench.step(.childEnded(.replication, how: "exited with status 0")).isEmpty)
        #expect(bench.step(.childEnded(.front, how: "exited with status 0")) == [.exit(0)])
        #expect(bench.machine.nextDeadline == nil)
    }

    @Test("what interfaces were before the first failover process is put back when failover has ended, however it did")
    func settings() {
        let first = InterfaceSettings(index: 2, values: [.arpIgnore: 0, .arpAnnounce: 1])
        let second = InterfaceSettings(index: 3, values: [.arpIgnore: 2])
        func bench() -> Bench {
            var bench = Bench.ready(isPeerHot: false)
            #expect(bench.step(.received(.settings(before: [first, second]), from: .failover)).isEmpty)
            _ = bench.step(.childEnded(.failover, how: "x"))
            // The next one finds what its predecessor wrote.
            let found = InterfaceSettings(index: 2, values: [.arpIgnore: 1, .arpAnnounce: 2])
            // An interface that carries no group any more is put back at once.
            #expect(
                bench.step(.received(.settings(before: [found]), from: .failover)) == [.restoreSettings([second])])
            return bench
        }
        var orderly = bench()
        _ = orderly.step(.stopRequested)
        #expect(orderly.step(.received(.stopped, from: .failover)).first == .restoreSettings([first]))
        #expect(!orderly.step(.childEnded(.failover, how: "x")).contains(.restoreSettings([first])))
        var hanging = bench()
        _ = hanging.step(.stopRequested)
        hanging.wait(.seconds(3))
        #expect(hanging.step(.timerDue).contains(.restoreSettings([first])))
        var givesUp = bench()
        _ = givesUp.step(.childEnded(.failover, how: "x"))
        #expect(givesUp.step(.childEnded(.failover, how: "x")).contains(.restoreSettings([first])))
        #expect(orderly.step(.received(.settings(before: []), from: .front)).isEmpty)
    }

    @Test("whoever does not stop in time is passed over and killed in the end")
    func deadlines() {
        var bench = Bench.ready(isPeerHot: true)
        _ = bench.step(.stopRequested)
        #expect(bench.machine.nextDeadline == bench.now + .seconds(3))
        bench.wait(.seconds(3))
        let late = bench.step(.timerDue)
        #expect(
            late == [
                .kill(.failover), .raiseFences([address]), .removeAddresses([held]),
                .send(.failoverDied, to: .replication), .lowerVirtualMACs([held]), .send(.stop, to: .replication),
            ])
        #expect(
            bench.step(.childEnded(.failover, how: "killed by signal 9")) == [.raiseFences([address])])
        bench.wait(.milliseconds(500))
        #expect(bench.step(.timerDue) == [.send(.stop, to: .front)])
        bench.wait(.milliseconds(300))
        #expect(bench.step(.timerDue).isEmpty)
        bench.wait(.milliseconds(300))
        #expect(bench.step(.timerDue) == [.kill(.front), .kill(.replication), .exit(0)])
    }

    @Test("failover that dies while it stops is cleaned up after, and nobody is started again")
    func deathWhileStopping() {
        var bench = Bench.ready(isPeerHot: false)
        _ = bench.step(.stopRequested)
        #expect(bench.step(.stopRequested).isEmpty)
        #expect(bench.step(.reloadRequested).isEmpty)
        #expect(
            bench.step(.childEnded(.failover, how: "killed by signal 11")) == [
                .raiseFences([address]), .removeAddresses([held]), .lowerVirtualMACs([held]),
                .send(.stop, to: .replication),
            ])
    }

    @Test("a stop before the first configuration was accepted ends at once")
    func early() {
        var bench = Bench()
        _ = bench.step(.configurationRead(text))
        #expect(bench.step(.stopRequested) == [.notify("STOPPING=1"), .send(.stop, to: .front)])
        #expect(bench.step(.childEnded(.front, how: "exited with status 0")) == [.exit(0)])
    }
}
