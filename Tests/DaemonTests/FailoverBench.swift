// SPDX-License-Identifier: Apache-2.0

import FirstHop
import LinuxIO
import Netlink
import Primitives
import Testing

@testable import Daemon

/// A failover process in this process, in a network of its own, with the test in the supervisor's place.
final class FailoverBench {
    let reactor: Reactor
    let node: FailoverNode
    let supervisor: ProcessChannel
    var told: [ProcessMessage] = []
    private var revision: UInt32 = 0

    static let virtual = IPAddress(10, 1, 0, 100)
    /// One group that is Active half a second after its start.
    static let text = """
        interface eth1
         standby 10 ip 10.1.0.100
         standby 10 timers msec 50 msec 200
         standby 10 priority 110

        """

    /// Runs `body` in a network with eth1 (10.1.0.3/24) and eth2 (10.2.0.3/24), each with its cable's other end up.
    static func run(_ body: (FailoverBench) throws -> Void) throws {
        try NetworkNamespace.run {
            for number in 1...2 {
                for words in [
                    "link add eth\(number) type veth peer name sw\(number)", "link set sw\(number) up",
                    "address add 10.\(number).0.3/24 dev eth\(number)", "link set eth\(number) up",
                ] { #expect(ip(words)) }
            }
            let bench = try FailoverBench()
            try body(bench)
        }
    }

    static func ip(_ words: String) -> Bool { NetworkNamespace.ip(words) }

    init() throws {
        reactor = try Reactor()
        let (ours, theirs) = try MessageSocket.pair()
        supervisor = try ProcessChannel(ours.take(), peer: .failover, on: reactor)
        let channel = try ProcessChannel(theirs.take(), peer: .supervisor, on: reactor)
        node = try FailoverNode(supervisor: channel, on: reactor)
        supervisor.onMessage = { [unowned self] message, _ in told.append(message) }
    }

    /// Gives a configuration as the supervisor does, and lets the process take it.
    func configure(_ text: String = FailoverBench.text) throws {
        revision += 1
        supervisor.send(.configuration(revision: revision, text: Array(text.utf8)))
        try run(milliseconds: 1)
    }

    func run(milliseconds: Int) throws {
        let end = Reactor.now() + .milliseconds(milliseconds)
        repeat { try reactor.runOnce(waitingAtMost: 1) } while Reactor.now() < end
    }

    /// Lets the process run until something is so; returns how long that took.
    @discardableResult
    func wait(
        atMost milliseconds: Int = 5000, sourceLocation: SourceLocation = #_sourceLocation, until isSo: () -> Bool
    ) throws -> Interval {
        let start = Reactor.now()
        while !isSo() {
            guard Reactor.now().since(start) < .milliseconds(milliseconds) else {
                Issue.record("it did not become so in \(milliseconds) ms", sourceLocation: sourceLocation)
                break
            }
            try reactor.runOnce(waitingAtMost: 1)
        }
        return Reactor.now().since(start)
    }

    func group(_ number: Int = 10, on interface: String = "eth1") throws -> GroupRunner {
        try #require(node.groups[.init(interface: interface, number: number)])
    }

    /// The group's state; nil while there is no such group, as between a machine that leaves and its successor.
    func state(_ number: Int = 10, on interface: String = "eth1") -> HSRPState? {
        node.groups[.init(interface: interface, number: number)]?.machine.state
    }

    func becomeActive() throws {
        try configure()
        try wait { node.groups.values.allSatisfy { $0.machine.state == .active } }
    }

    // What stands in the kernel, asked anew.

    func addresses() throws -> [AddressOnLink] {
        let kernel = try KernelNetwork()
        kernel.readTables()
        return kernel.addresses.values.flatMap { $0 }.map { address in
            AddressOnLink(link: kernel.links[address.interfaceIndex]?.name ?? "?", address: address.address)
        }
    }

    func holdsAddress(on link: String = "hsrp-eth1-10") throws -> Bool {
        try addresses().contains(AddressOnLink(link: link, address: Self.virtual))
    }

    func fences() throws -> [IPAddress] {
        try KernelNetwork().ownFences().compactMap { $0.source?.address }
    }

    struct AddressOnLink: Hashable {
        var link: String
        var address: IPAddress
    }
}
