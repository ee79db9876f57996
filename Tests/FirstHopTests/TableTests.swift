// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

/// RFC 2281 §5.7, cell by cell, toward foreign routers.
@Suite struct TableTests {
    /// A router in each state that hears others without being Active, with a time at which nothing of its own is due.
    private static let others: [(Int, @Sendable () -> Router)] = [
        (500, { Router.listening() }), (10_500, { Router.speaking() }), (20_500, { Router.standby() }),
    ]

    @Test("a, Initial: listens, or learns where no address is known")
    func enabled() {
        var router = Router()
        #expect(router.at(0, .interfaceChanged(isUp: true)).steps == ["Initial -> Listen"])
        var learner = Router { $0.virtualAddress = nil }
        #expect(learner.at(0, .interfaceChanged(isUp: true)).steps == ["Initial -> Learn"])
        #expect(learner.machine.nextDeadline == nil)
    }

    @Test("b: every state goes to Initial; Active releases in order and resigns")
    func disabled() {
        for (name, build) in [
            ("Listen", { Router.listening() }), ("Speak", { Router.speaking() }), ("Standby", { Router.standby() }),
        ] as [(String, () -> Router)] {
            var router = build()
            #expect(router.at(30_000, .fitnessChanged(isFit: false)).steps.last == "\(name) -> Initial")
            #expect(router.machine.nextDeadline == nil)
        }
        var active = Router.active()
        #expect(
            active.at(20_001, .interfaceChanged(isUp: false)).steps == [
                "raise fence", "delete address", "resign Active", "publish standby term 1",
                "Active -> Initial",
            ])
        #expect(active.run(until: 30_000).map(\.at) == [20_021, 20_031, 20_061])
    }

    @Test("c: Listen speaks, Standby becomes Active with fence, MAC, address, announcement, hello, in this order")
    func activeExpires() {
        var standby = Router.standby()
        let done = standby.run(until: 30_000).filter { $0.at >= 30_000 }.map(\.action)
        #expect(
            Array(done.steps.prefix(8)) == [
                "raise MAC", "add address for 3 s", "lower fence", "announce", "hello Active from virtual MAC",
                "publish active term 1", "Standby -> Active",
            ])
        var listening = Router.listening()
        _ = listening.hear(5_000, .standby, priority: 120)
        let spoken = listening.run(until: 10_000)
        #expect(spoken.map(\.action).steps == ["Listen -> Speak", "hello Speak"])
    }

    @Test("c, Speak: ignored, but remembered: Standby follows a long silent Active at once")
    func silentActiveInSpeak() {
        var router = Router.speaking()
        let done = router.run(until: 20_000)
        #expect(done.filter { $0.at < 20_000 }.map(\.action).steps.allSatisfy { $0 == "hello Speak" })
        let last = done.filter { $0.at == 20_000 }.map(\.action).steps
        #expect(last.first == "Speak -> Standby")
        #expect(last.last == "Standby -> Active")
    }

    @Test("d: Listen speaks, Speak becomes Standby")
    func standbyExpires() {
        var router = Router.listening()
        _ = router.hear(9_000, .active, priority: 120)
        #expect(router.run(until: 10_000).map(\.action).steps == ["Listen -> Speak", "hello Speak"])
        _ = router.run(until: 19_000)
        _ = router.hear(19_000, .active, priority: 120)
        #expect(router.run(until: 20_000).map(\.action).steps.suffix(2) == ["Speak -> Standby", "hello Standby"])
    }

    @Test("e: Speak, Standby and Active say hello every interval, within 5 %")
    func helloDue() {
        var router = Router.active()
        let hellos = router.run(until: 120_000).filter {
            if case .send = $0.action { true } else { false }
        }.map(\.at)
        #expect((32...36).contains(hellos.count))
        for (first, second) in zip(hellos, hellos.dropFirst()) { #expect((2849...3151).contains(second - first)) }
    }

    @Test("f: Speak and Standby listen to a better speaker, the others do not mind; a worse one is nobody's business")
    func higherSpeaker() {
        var speaking = Router.speaking()
        #expect(speaking.hear(11_000, .speak, priority: 101).steps == ["Speak -> Listen"])
        var standby = Router.standby()
        #expect(standby.hear(20_500, .speak, priority: 101).steps == ["Standby -> Listen"])
        var active = Router.active()
        #expect(active.hear(20_500, .speak, priority: 101).steps == [])
        var listening = Router.listening()
        #expect(listening.hear(500, .speak, priority: 101).steps == [])
        var better = Router.speaking()
        #expect(better.hear(11_000, .speak, priority: 99).steps == [])
    }

    @Test("equal priority: the higher address is better")
    func addressBreaksTies() {
        var router = Router.speaking()
        #expect(router.hear(11_000, .speak, priority: 100, from: IPAddress(10, 1, 0, 2)).steps == [])
        #expect(router.hear(11_000, .speak, priority: 100).steps == ["Speak -> Listen"])
    }

    @Test("g: a better Active is followed; an Active yields to it without Resign")
    func higherActive() {
        for (time, build) in Self.others {
            var router = build()
            #expect(router.hear(time, .active, priority: 120).steps == [])
            #expect(router.machine.activeRouter?.address == Router.stranger)
            #expect(router.machine.activeDeadline == Router.instant(time + 10_000))
        }
        var active = Router.active()
        #expect(
            active.hear(20_500, .active, priority: 120).steps == [
                "raise fence", "delete address", "publish standby term 1", "Active -> Speak",
                "hello Speak",
            ])
        #expect(active.machine.activeRouter?.priority == 120)
    }

    @Test("g and h, Learn: the address and the timers come from the Active")
    func learning() {
        var router = Router {
            $0.virtualAddress = nil
            $0.learnsTimers = true
        }
        _ = router.at(0, .interfaceChanged(isUp: true))
        let hello = Router.message(.hello, .active, priority: 90, hello: 1, hold: 4)
        for wrong in [IPAddress.any(.ipv4), IPAddress(10, 2, 0, 1), router.address] {
            let hello = Router.message(.hello, .active, priority: 90, virtual: wrong)
            #expect(router.at(50, .messageReceived(hello, from: Router.stranger)).steps == [])
        }
        let steps = router.at(100, .messageReceived(hello, from: Router.stranger)).steps
        #expect(steps == ["raise fence", "Learn -> Listen"])
        #expect(router.machine.virtualAddress == Router.virtual)
        #expect(router.machine.hello == .seconds(1))
        #expect(router.machine.hold == .seconds(4))
        // Kept: the fence in the kernel belongs to it.
        _ = router.at(200, .fitnessChanged(isFit: false))
        #expect(router.at(300, .fitnessChanged(isFit: true)).steps == ["Initial -> Listen"])
        let other = Router.message(.hello, .active, priority: 90, virtual: IPAddress(10, 1, 0, 101))
        let actions = router.at(400, .messageReceived(other, from: Router.stranger))
        #expect(actions.warnings.first?.hasPrefix("HSRP-4-DIFFVIP1") == true)
        #expect(router.machine.virtualAddress == Router.virtual)
    }

    @Test("an Active with another virtual address is named once a minute, and believed as in IOS")
    func otherVirtualAddress() {
        var router = Router.listening()
        let other = Router.message(.hello, .active, priority: 120, virtual: IPAddress(10, 1, 0, 101))
        let actions = router.at(100, .messageReceived(other, from: Router.stranger))
        #expect(actions.counted == ["hello.received", "hello.otherAddress"])
        #expect(
            actions.warnings == [
                "HSRP-4-DIFFVIP1: group 10 active router's virtual IP address 10.1.0.101 of 10.1.0.9 is different to the "
                    + "locally configured address 10.1.0.100"
            ])
        #expect(router.machine.activeRouter?.address == Router.stranger)
        #expect(router.at(3_000, .messageReceived(other, from: Router.stranger)).warnings.isEmpty)
        _ = router.at(6_000, .messageReceived(other, from: Router.stranger))
        #expect(router.at(60_200, .messageReceived(other, from: Router.stranger)).warnings.count == 1)
        // Only the Active's address matters.
        var speaking = Router.listening()
        let speaker = Router.message(.hello, .speak, priority: 1, virtual: IPAddress(10, 1, 0, 101))
        #expect(speaking.at(100, .messageReceived(speaker, from: Router.stranger)).warnings.isEmpty)
    }

    @Test("announcements are made as often and as far apart as configured", arguments: [0, 1, 2, 5])
    func announcementCount(count: Int) {
        var router = Router.standby {
            $0.announcementCount = count
            $0.announcementInterval = .seconds(7)
        }
        var done = router.run(until: 200_000)
        let taken = done.first { [$0.action].steps == ["Standby -> Active"] }?.at ?? 0
        done.removeAll { [$0.action].steps != ["announce"] }
        #expect(done.map(\.at) == (0..<count).map { taken + 7_000 * $0 })
    }

    @Test("configured timers are not learned, and the Active is timed by its own hold time")
    func configuredTimers() {
        var router = Router.listening()
        let hello = Router.message(.hello, .active, priority: 120, hello: 1, hold: 4)
        _ = router.at(100, .messageReceived(hello, from: Router.stranger))
        #expect(router.machine.hello == .seconds(3))
        #expect(router.machine.activeDeadline == Router.instant(4_100))
        var subsecond = Router.listening { $0.usesOwnHoldTime = true }
        _ = subsecond.at(100, .messageReceived(hello, from: Router.stranger))
        #expect(subsecond.machine.activeDeadline == Router.instant(10_100))
    }

    @Test("h without preempt: a worse Active is left alone")
    func lowerActiveWithoutPreempt() {
        for (time, build) in Self.others {
            var router = build()
            #expect(router.hear(time, .active, priority: 90).steps == [])
        }
    }

    @Test("h with preempt: Coup in the present state, then Active")
    func lowerActiveWithPreempt() {
        for (state, time, build) in [
            ("Listen", 500, { Router.listening { $0.preempt = true } }),
            ("Speak", 10_500, { Router.speaking { $0.preempt = true } }),
            ("Standby", 20_500, { Router.standby { $0.preempt = true } }),
        ] as [(String, Int, () -> Router)] {
            var router = build()
            #expect(
                router.hear(time, .active, priority: 90).steps.prefix(7) == [
                    "coup \(state)", "raise MAC", "add address for 3 s", "lower fence", "announce",
                    "hello Active from virtual MAC", "publish active term 1",
                ])
        }
    }

    @Test("preemption is strict: an equal priority never relieves an Active, whatever the addresses")
    func strictPreemption() {
        var router = Router.listening { $0.preempt = true }
        #expect(router.hear(500, .active, priority: 100, from: IPAddress(10, 1, 0, 2)).steps == [])
    }

    @Test("h, Active: Coup, and the LAN is told again")
    func lowerActiveWhileActive() {
        var router = Router.active()
        #expect(router.hear(20_500, .active, priority: 90).steps == ["coup Active from virtual MAC", "announce"])
        #expect(router.machine.state == .active)
    }

    @Test("i: Listen speaks, Speak waits, Standby becomes Active at once")
    func resign() {
        var listening = Router.listening()
        _ = listening.hear(500, .active, priority: 120)
        #expect(listening.hear(600, .resign, .active, priority: 120).steps == ["Listen -> Speak", "hello Speak"])
        var speaking = Router.speaking()
        _ = speaking.hear(10_500, .active, priority: 120)
        #expect(speaking.hear(10_600, .resign, .active, priority: 120).steps == [])
        #expect(speaking.machine.activeDeadline == Router.instant(20_600))
        var standby = Router.standby()
        #expect(standby.hear(20_500, .resign, .active, priority: 110).steps.last == "Standby -> Active")
    }

    @Test("a Resign of anybody else than the Active is counted and ignored")
    func strangeResign() {
        var standby = Router.standby()
        let actions = standby.hear(20_500, .resign, .active, priority: 110, from: IPAddress(10, 1, 0, 77))
        #expect(actions.steps == [])
        #expect(actions.counted.contains("resign.notFromActive"))
    }

    @Test("j: an Active yields to a better Coup; a worse one is counted")
    func coup() {
        var router = Router.active()
        #expect(router.hear(20_400, .coup, .listen, priority: 90).counted.contains("coup.lowerPriority"))
        #expect(router.machine.state == .active)
        #expect(
            router.hear(20_500, .coup, .listen, priority: 200).steps == [
                "raise fence", "delete address", "publish standby term 1", "Active -> Speak",
                "hello Speak",
            ])
        for (time, build) in Self.others {
            var other = build()
            #expect(other.hear(time, .coup, .listen, priority: 200).steps == [])
        }
    }

    @Test("k: Speak and Standby give way to a better Standby, Listen and Active remember it")
    func higherStandby() {
        var listening = Router.listening()
        #expect(listening.hear(500, .standby, priority: 101).steps == [])
        #expect(listening.machine.standbyDeadline == Router.instant(10_500))
        var speaking = Router.speaking()
        #expect(speaking.hear(10_500, .standby, priority: 101).steps == ["Speak -> Listen"])
        var standby = Router.standby()
        #expect(standby.hear(20_500, .standby, priority: 101).steps == ["Standby -> Listen"])
        var active = Router.active()
        #expect(active.hear(20_500, .standby, priority: 101).steps == [])
        #expect(active.machine.standbyRouter?.priority == 101)
    }

    @Test("l: Listen speaks and Speak becomes Standby against a worse Standby; Standby stays, Active remembers it")
    func lowerStandby() {
        var listening = Router.listening()
        #expect(listening.hear(500, .standby, priority: 90).steps == ["Listen -> Speak", "hello Speak"])
        var speaking = Router.speaking()
        #expect(speaking.hear(10_500, .standby, priority: 90).steps.first == "Speak -> Standby")
        var standby = Router.standby()
        #expect(standby.hear(20_500, .standby, priority: 90).steps == [])
        var active = Router.active()
        #expect(active.hear(20_500, .standby, priority: 90).steps == [])
        #expect(active.machine.standbyRouter?.priority == 90)
    }

    @Test("hellos in other states, looped, off-link and badly authenticated messages change nothing and are counted")
    func refusedMessages() {
        var router = Router.listening()
        #expect(router.hear(1, .listen, priority: 255).counted == ["hello.received", "hello.unexpectedState"])
        #expect(router.hear(2, .active, priority: 255, from: router.address).counted == ["hello.looped"])
        #expect(router.hear(3, .active, priority: 255, from: IPAddress(10, 2, 0, 1)).counted == ["hello.offLink"])
        let forged = Router.message(.hello, .active, priority: 255, authentication: AuthenticationText(value: 1))
        let actions = router.at(4, .messageReceived(forged, from: Router.stranger))
        #expect(actions.counted == ["hello.badAuthentication"] && actions.steps.isEmpty)
        #expect(router.machine.activeRouter == nil)
    }

    @Test("fast start: a lone node is Active after hold and little more than a hello")
    func fastStart() {
        var router = Router.listening { $0.allowsFastStart = true }
        let done = router.run(until: 20_000)
        let active = done.first {
            $0.action == .stateChanged(from: .standby, to: .active, reason: "the Active is silent")
        }
        #expect(active?.at == 13_300)
    }

    @Test("fast start does not hurry once anybody was heard")
    func noFastStart() {
        var router = Router.listening { $0.allowsFastStart = true }
        _ = router.hear(100, .speak, priority: 50)
        _ = router.run(until: 19_000)
        #expect(router.machine.state == .speak)
    }

    @Test("an interface that has received nothing keeps the group in Listen, up to another hold time")
    func deafInterface() {
        var router = Router.listening {
            $0.allowsFastStart = true
            $0.provesReception = true
        }
        #expect(router.run(until: 9_999).isEmpty)
        let asked = router.run(until: 19_999)
        #expect(asked.map { [$0.action].steps } == Array(repeating: ["proof?"], count: 40))
        #expect(asked.map(\.at) == (0..<40).map { 10_000 + 250 * $0 })
        let changes = router.run(until: 30_000).filter { if case .stateChanged = $0.action { true } else { false } }
        #expect(changes.map(\.at) == [20_000, 23_300, 23_300])
        #expect(router.machine.state == .active)
    }

    @Test("with the first frame of anything the group goes on; a hello needs no proof")
    func receptionProven() {
        let settings: (inout GroupSettings) -> Void = {
            $0.allowsFastStart = true
            $0.provesReception = true
        }
        var router = Router.listening(settings: settings)
        #expect(router.run(until: 12_400).allSatisfy { $0.action == .proveReception })
        #expect(router.at(12_500, .receptionProven).steps == ["Listen -> Speak", "hello Speak"])
        #expect(router.run(until: 15_799).map(\.action).steps.contains("Speak -> Standby") == false)
        _ = router.run(until: 15_800)
        #expect(router.machine.state == .active)
        // Proven for as long as the interface stays up.
        _ = router.at(16_000, .fitnessChanged(isFit: false))
        _ = router.at(17_000, .fitnessChanged(isFit: true))
        #expect(!router.run(until: 30_000).contains { $0.action == .proveReception })
        _ = router.at(31_000, .interfaceChanged(isUp: false))
        _ = router.at(32_000, .interfaceChanged(isUp: true))
        #expect(router.run(until: 42_000).contains { $0.action == .proveReception })

        var other = Router.listening(settings: settings)
        _ = other.hear(9_000, .speak, priority: 50)
        #expect(!other.run(until: 60_000).contains { $0.action == .proveReception })
        #expect(other.machine.state == .active)
    }

    @Test("the lease is renewed three times in its length and the announcement is made at 0, 2 and 4 s")
    func leaseAndAnnouncements() {
        var router = Router.active()
        let done = router.run(until: 30_000)
        #expect(done.filter { [$0.action].steps == ["renew lease"] }.map(\.at) == (1...10).map { 20_000 + 1000 * $0 })
        #expect(done.filter { [$0.action].steps == ["announce"] }.map(\.at) == [22_000, 24_000])
    }
}
