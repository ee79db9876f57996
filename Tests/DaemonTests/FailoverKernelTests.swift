// SPDX-License-Identifier: Apache-2.0

import FirstHop
import LinuxIO
import Netlink
import Primitives
import Testing

@testable import Daemon

/// What others do to the kernel under a running failover process, on a real kernel.
@Suite("Failover and its kernel", .serialized, .enabled(if: NetworkNamespace.isAvailable))
struct FailoverKernelTests {
    @Test("an address that another program deletes is back, and that is said once")
    func stolenAddress() throws {
        try FailoverBench.run { bench in
            try bench.becomeActive()
            for _ in 1...2 {
                try bench.run(milliseconds: 50)
                #expect(FailoverBench.ip("address delete 10.1.0.100/32 dev hsrp-eth1-10"))
                let took = try bench.wait { (try? bench.holdsAddress()) ?? false }
                #expect(took < .seconds(2))
            }
            #expect(bench.node.counters["kernel.addressRepaired", default: 0] >= 2)
            #expect(try bench.group().machine.stateChangeCount == 4)
        }
    }

    @Test("a fence that another program deletes is back")
    func stolenFence() throws {
        try FailoverBench.run { bench in
            try bench.configure(
                FailoverBench.text + " standby 10 track 1 shutdown\ntrack 1 interface gone line-protocol\n")
            try bench.wait { (try? bench.fences()) == [FailoverBench.virtual] }
            #expect(FailoverBench.ip("rule delete preference \(FencePreference.value)"))
            #expect(try bench.fences() == [])
            let took = try bench.wait { (try? bench.fences()) == [FailoverBench.virtual] }
            #expect(took < .seconds(2))
            #expect(bench.node.counters["kernel.fenceRepaired"] == 1)
        }
    }

    @Test("secondary addresses come and go by reload without a move of the role, held and fenced like the primary one")
    func secondary() throws {
        func line(_ host: Int) -> String { " standby 10 ip 10.1.0.\(host) secondary\n" }
        func held(_ bench: FailoverBench) throws -> [String] {
            try bench.addresses().filter { $0.link == "hsrp-eth1-10" }.map { "\($0.address)" }.sorted()
        }
        try FailoverBench.run { bench in
            try bench.configure(FailoverBench.text + line(101))
            #expect(try bench.fences().map(\.description).sorted() == ["10.1.0.100", "10.1.0.101"])
            try bench.wait { bench.state() == .active }
            #expect(try held(bench) == ["10.1.0.100", "10.1.0.101"] && bench.fences() == [])
            let changes = try bench.group().machine.stateChangeCount
            try bench.configure(FailoverBench.text + line(102) + line(103))
            try bench.run(milliseconds: 100)
            #expect(try held(bench) == ["10.1.0.100", "10.1.0.102", "10.1.0.103"] && bench.fences() == [])
            #expect(FailoverBench.ip("address delete 10.1.0.103/32 dev hsrp-eth1-10"))
            try bench.wait { (try? held(bench).count) == 3 }
            #expect(try bench.group().machine.stateChangeCount == changes)
            // While the node is unfit all of them are fenced and none is held; what is no longer named has no fence.
            let unfit = " standby 10 track 1 shutdown\ntrack 1 interface gone line-protocol\n"
            try bench.configure(FailoverBench.text + line(102) + line(104) + unfit)
            try bench.wait { bench.state() == .initial }
            try bench.run(milliseconds: 100)
            #expect(try held(bench) == [])
            #expect(try bench.fences().map(\.description).sorted() == ["10.1.0.100", "10.1.0.102", "10.1.0.104"])
            try bench.configure(FailoverBench.text + unfit)
            #expect(try bench.fences() == [FailoverBench.virtual])
            try bench.wait {
                bench.told.last { if case .fences = $0 { true } else { false } }
                    == .fences(addresses: [FailoverBench.virtual])
            }
            #expect(bench.node.counters["kernel.refused"] == nil)
        }
    }

    @Test("a station that claims a virtual address is counted and named; an Active asks for such stations")
    func claimed() throws {
        try FailoverBench.run { bench in
            let second = IPv4Address(10, 1, 0, 101)
            try bench.configure(FailoverBench.text + " standby 10 ip 10.1.0.101 secondary\n")
            let index = try #require(bench.node.kernel.link(named: "sw1")?.index)
            // The cable's other end is in the same network, and would answer for every address of it.
            bench.node.kernel.configure(index, [.arpIgnore: 1])
            let segment = try PacketSocket(receiving: Frames.etherTypeARP, interfaceIndex: index)
            try bench.wait { bench.state() == .active }
            let own = try #require(bench.node.kernel.link(named: "eth1")?.mac)
            var asked: Set<[UInt8]> = []
            try bench.wait {
                while let frame = try? segment.receive() { asked.insert(frame) }
                return asked.contains(Frames.arpProbe(for: second, mac: own))
            }
            #expect(asked.contains(Frames.arpProbe(for: IPv4Address(10, 1, 0, 100), mac: own)))
            #expect(bench.node.counters["arp.duplicateAddress"] == nil)
            let stranger = MACAddress(0x0200_5e00_0509)
            func claim(_ address: IPv4Address, _ mac: MACAddress) throws {
                for frame in Frames.announcements(of: IPAddress(address), mac: mac) {
                    try segment.send(frame, interfaceIndex: index)
                }
            }
            // The group's own MAC, and addresses that are nobody's here.
            try claim(second, .hsrpVersion1(group: 10))
            try claim(IPv4Address(10, 1, 0, 102), stranger)
            try bench.run(milliseconds: 150)
            #expect(bench.node.counters["arp.duplicateAddress"] == nil)
            try claim(second, stranger)
            try bench.wait { bench.node.counters["arp.duplicateAddress"] == 2 }
            // A group that nobody has here, with an address of one that is here, and with another one.
            for host: UInt8 in [101, 109] {
                let message = HSRPMessage(
                    version: .one, operation: .hello, state: .active, helloMilliseconds: 3000,
                    holdMilliseconds: 10_000, priority: 100, group: 11, authentication: .text(.cisco),
                    virtualAddress: IPAddress(10, 1, 0, host))
                let frame = Frames.hsrp(message, from: IPAddress(10, 1, 0, 9), sourceMAC: stranger)
                try segment.send(frame, interfaceIndex: index)
            }
            try bench.wait { bench.node.counters["hello.otherGroup"] == 2 }
            #expect(bench.node.counters["hello.duplicateVirtualAddress"] == 1)
            // A flood is dropped in the kernel.
            for _ in 0..<2000 { try claim(second, stranger) }
            try bench.run(milliseconds: 350)
            #expect(bench.node.counters["arp.duplicateAddress", default: 0] <= 2 + 5 * 16)
            #expect(bench.state() == .active)
        }
    }

    @Test("a fence of a release that did not say `iif lo` gives way to this one's")
    func oldFence() throws {
        try FailoverBench.run { bench in
            let tag = OwnTag.routeProtocol
            let old = "rule add from 10.1.0.100 prohibit preference \(FencePreference.value) protocol \(tag)"
            #expect(FailoverBench.ip(old))
            try bench.configure()
            try bench.run(milliseconds: 50)
            #expect(try KernelNetwork().ownFences().map(\.inputInterface) == [RuleInfo.itself])
            try bench.wait { bench.state() == .active }
            #expect(try bench.wait { (try? bench.fences()) == [] } < .seconds(2))
        }
    }

    @Test("a fence that another program puts up is taken down again")
    func foreignFence() throws {
        try FailoverBench.run { bench in
            try bench.becomeActive()
            let tag = OwnTag.routeProtocol
            #expect(
                FailoverBench.ip(
                    "rule add from 10.1.0.100 prohibit preference \(FencePreference.value) protocol \(tag)"))
            #expect(try bench.wait { (try? bench.fences()) == [] } < .seconds(2))
        }
    }

    @Test("a virtual MAC's interface that another program deletes or sets down is back with its address")
    func stolenLink() throws {
        try FailoverBench.run { bench in
            try bench.becomeActive()
            let before = try #require(try bench.group().carrierIndex)
            #expect(FailoverBench.ip("link delete hsrp-eth1-10"))
            let took = try bench.wait { (try? bench.holdsAddress()) ?? false }
            #expect(took < .seconds(2))
            let after = try #require(try bench.group().carrierIndex)
            #expect(after != before)
            try bench.run(milliseconds: 20)
            #expect(
                bench.told.last { if case .holding = $0 { true } else { false } }
                    == .holding(
                        addresses: [
                            HeldAddress(interfaceIndex: after, address: FailoverBench.virtual, prefixLength: 32)
                        ],
                        isPeerHot: false))
            #expect(FailoverBench.ip("link set hsrp-eth1-10 down"))
            try bench.wait { bench.node.kernel.links[after]?.isUp == false }
            try bench.wait { bench.node.kernel.links[after]?.isUp == true }
            #expect(try bench.group().machine.stateChangeCount == 4)
        }
    }

    @Test("the virtual MAC's interface has its parent's MTU, and follows it both ways")
    func mtu() throws {
        try FailoverBench.run { bench in
            #expect(FailoverBench.ip("link set eth1 mtu 1400"))
            try bench.becomeActive()
            for mtu: UInt32 in [1400, 1300, 1500] {
                #expect(FailoverBench.ip("link set eth1 mtu \(mtu)"))
                try bench.wait {
                    let kernel = try? KernelNetwork()
                    kernel?.readTables()
                    return kernel?.link(named: "hsrp-eth1-10")?.mtu == mtu
                }
            }
            #expect(bench.node.counters["kernel.refused"] == nil)
        }
    }

    @Test("an interface that is deleted and made anew under a running group carries it again")
    func recreated() throws {
        try FailoverBench.run { bench in
            try bench.becomeActive()
            #expect(FailoverBench.ip("link delete eth1"))
            try bench.wait { bench.state() == .initial }
            #expect(try bench.fences() == [FailoverBench.virtual])
            for words in [
                "link add eth1 type veth peer name sw1", "link set sw1 up", "address add 10.1.0.3/24 dev eth1",
                "link set eth1 up",
            ] { #expect(FailoverBench.ip(words)) }
            try bench.wait { bench.state() == .active }
            #expect(try bench.holdsAddress())
            #expect(try bench.fences() == [])
        }
    }

    @Test("an interface that gets another name takes the role with it into Initial, and leaves nothing behind")
    func renamed() throws {
        try FailoverBench.run { bench in
            try bench.becomeActive()
            #expect(FailoverBench.ip("link set eth1 down") && FailoverBench.ip("link set eth1 name lan1"))
            try bench.wait { bench.state() == .initial }
            try bench.wait { bench.node.kernel.link(named: "hsrp-eth1-10") == nil }
            #expect(try bench.addresses().allSatisfy { $0.address != FailoverBench.virtual })
            #expect(FailoverBench.ip("link set lan1 name eth1") && FailoverBench.ip("link set eth1 up"))
            try bench.wait { bench.state() == .active }
            #expect(try bench.holdsAddress())
        }
    }

    @Test("behind a lost carrier the multicast groups are joined anew")
    func rejoined() throws {
        try FailoverBench.run { bench in
            try bench.becomeActive()
            #expect(bench.node.counters["hello.rejoined"] == nil)
            #expect(FailoverBench.ip("link set sw1 down"))
            try bench.wait { bench.state() == .initial }
            #expect(FailoverBench.ip("link set sw1 up"))
            try bench.wait { bench.state() == .active }
            #expect(bench.node.counters["hello.rejoined"] == 1)
        }
    }

    @Test("what the parent's settings were is told before they are changed, and given up with the last group")
    func settings() throws {
        try FailoverBench.run { bench in
            try bench.becomeActive()
            let index = try #require(bench.node.kernel.link(named: "eth1")?.index)
            let told = bench.told.compactMap { if case .settings(let before) = $0 { before } else { nil } }
            #expect(told == [[InterfaceSettings(index: index, values: [.arpIgnore: 0, .arpAnnounce: 0])]])
            #expect(bench.node.kernel.link(named: "eth1")?.setting(.arpIgnore) == 1)
            try bench.configure("hostname alone\n")
            try bench.wait {
                bench.told.last { if case .settings = $0 { true } else { false } } == .settings(before: [])
            }
        }
    }
}
