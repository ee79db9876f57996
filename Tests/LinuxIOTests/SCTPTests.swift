// SPDX-License-Identifier: Apache-2.0

import Glibc
import Netlink
import Primitives
import Testing

@testable import LinuxIO

/// One endpoint and what it told.
private final class Node {
    var events: [SCTPEvent] = []
    var messages: [[UInt8]] = []
    var endpoint: SCTPEndpoint?

    init(_ reactor: Reactor, local: [IPv4Address], remote: [IPv4Address], port: UInt16, remotePort: UInt16? = nil)
        throws
    {
        var settings = SCTPSettings(
            localAddresses: local, localPort: port, remoteAddresses: remote, remotePort: remotePort ?? port)
        settings.retryMilliseconds = 300
        endpoint = try SCTPEndpoint(settings, on: reactor) { [weak self] event in
            if case .message(let bytes) = event { self?.messages.append(bytes) } else { self?.events.append(event) }
        }
    }

    var isUp: Bool { endpoint?.isUp ?? false }

    func has(_ event: SCTPEvent) -> Bool { events.contains(event) }
}

private let first = IPv4Address(127, 0, 0, 2)
private let second = IPv4Address(127, 0, 0, 3)
private let third = IPv4Address(127, 0, 0, 4)

/// Serves the loop until the condition holds; records a failure after the time.
private func wait(
    _ reactor: Reactor, milliseconds: Int = 5000, _ what: Comment, until condition: () -> Bool
) throws {
    let end = Reactor.now() + .milliseconds(milliseconds)
    while !condition() {
        guard Reactor.now() < end else {
            Issue.record(what)
            return
        }
        try reactor.runOnce(waitingAtMost: 20)
    }
}

@Suite("SCTP association", .serialized, .enabled(if: SCTPEndpoint.isSupported))
struct SCTPTests {
    @Test("crossing attempts become one association; messages arrive whole and in order, both ways")
    func crossing() throws {
        let reactor = try Reactor()
        let left = try Node(reactor, local: [first], remote: [second], port: 5000)
        let right = try Node(reactor, local: [second], remote: [first], port: 5000)
        try wait(reactor, "both up") { left.isUp && right.isUp }
        #expect(left.events.filter { $0 == .up }.count == 1)
        #expect(right.events.filter { $0 == .up }.count == 1)
        let big = (0..<60_000).map { UInt8(truncatingIfNeeded: $0) }
        #expect(left.endpoint?.send(big) == .sent)
        for number in 0..<100 { #expect(right.endpoint?.send([UInt8(number), 7]) == .sent) }
        try wait(reactor, "all received") { right.messages.count == 1 && left.messages.count == 100 }
        #expect(right.messages == [big])
        #expect(left.messages.map { $0[0] } == (0..<100).map { UInt8($0) })
        let status = try #require(left.endpoint?.status())
        #expect(status.state == "ESTABLISHED")
        #expect(status.paths.map(\.remote) == [second])
        #expect(status.paths.first?.isActive == true)
        #expect(status.paths.first?.local == first)
    }

    @Test("a full queue says so, and says when it takes messages again")
    func backPressure() throws {
        let reactor = try Reactor()
        let left = try Node(reactor, local: [first], remote: [second], port: 5001)
        let right = try Node(reactor, local: [second], remote: [first], port: 5001)
        try wait(reactor, "both up") { left.isUp && right.isUp }
        right.endpoint?.setReading(false)
        let piece = [UInt8](repeating: 9, count: 16_384)
        var sent = 0
        sending: for _ in 0..<1000 {
            switch left.endpoint?.send(piece) {
            case .sent: sent += 1
            default: break sending
            }
        }
        #expect(sent > 4 && sent < 500)
        #expect(!left.has(.writable))
        right.endpoint?.setReading(true)
        try wait(reactor, "drained") { right.messages.count == sent && left.has(.writable) }
        #expect(right.messages.allSatisfy { $0 == piece })
    }

    @Test("strangers are aborted and never heard")
    func strangers() throws {
        let reactor = try Reactor()
        let node = try Node(reactor, local: [first], remote: [second], port: 5002)
        let stranger = try Node(reactor, local: [third], remote: [first], port: 5002)
        try wait(reactor, "refused") { node.has(.strangerRefused(third)) }
        try wait(reactor, "refused again") { node.events.filter { $0 == .strangerRefused(third) }.count == 2 }
        #expect(!stranger.isUp)
        #expect(stranger.endpoint?.send([1]) == .closed)
        #expect(!node.isUp)
        #expect(node.messages.isEmpty)
        let wrongPort = try Node(reactor, local: [second], remote: [first], port: 5003, remotePort: 5002)
        try wait(reactor, "refused for its port") { node.has(.strangerRefused(second)) }
        #expect(!node.isUp)
        wrongPort.endpoint?.close()
        stranger.endpoint?.close()
    }

    @Test("the end of a process is told at once as an abort, and the next one is found again")
    func abortAndReturn() throws {
        let reactor = try Reactor()
        let left = try Node(reactor, local: [first], remote: [second], port: 5004)
        let right = try Node(reactor, local: [second], remote: [first], port: 5004)
        try wait(reactor, "both up") { left.isUp && right.isUp }
        // Unacknowledged data must not delay the end.
        _ = right.endpoint?.send([UInt8](repeating: 0, count: 60_000))
        right.endpoint = nil
        let closed = Reactor.now()
        try wait(reactor, "aborted") { left.has(.down(.aborted)) }
        #expect(Reactor.now().since(closed) < .milliseconds(100))
        try wait(reactor, "kernel of the peer answers") { left.has(.unreachable(isAnswered: true)) }
        let again = try Node(reactor, local: [second], remote: [first], port: 5004)
        try wait(reactor, "up again") { left.isUp && again.isUp }
    }

    @Test("nobody there: attempts fail without an answer")
    func nobody() throws {
        let reactor = try Reactor()
        // A test network without a host; the default route, if any, leads nowhere.
        let node = try Node(reactor, local: [first], remote: [IPv4Address(127, 0, 0, 9)], port: 5005)
        try wait(reactor, "refused by our own kernel") { node.has(.unreachable(isAnswered: true)) }
    }

    @Test("an address that comes later carries its path, and may go again")
    func lateAddress() throws {
        let reactor = try Reactor()
        let netlink = try NetlinkSocket(.route)
        let late = IPv4Address(198, 18, 0, 1)
        let lateRemote = IPv4Address(198, 18, 0, 2)
        try netlink.request(
            AddressRequest.replace(
                interfaceIndex: 1, address: IPAddress(lateRemote), prefixLength: 32, validSeconds: nil))
        let left = try Node(reactor, local: [first, late], remote: [second, lateRemote], port: 5006)
        let right = try Node(reactor, local: [second, lateRemote], remote: [first, late], port: 5006)
        try wait(reactor, "both up") { left.isUp && right.isUp }
        try netlink.request(
            AddressRequest.replace(interfaceIndex: 1, address: IPAddress(late), prefixLength: 32, validSeconds: nil))
        try wait(reactor, milliseconds: 10_000, "second path active") {
            right.endpoint?.status()?.paths.first { $0.remote == late }?.isActive == true
        }
        for address in [late, lateRemote] {
            try netlink.request(AddressRequest.delete(interfaceIndex: 1, address: IPAddress(address), prefixLength: 32))
        }
        try wait(reactor, milliseconds: 10_000, "second path inactive") {
            right.endpoint?.status()?.paths.first { $0.remote == late }?.isActive == false
        }
        try wait(reactor, "told of it") { right.has(.pathChanged(late, isUsable: false)) }
        #expect(left.isUp && right.isUp)
    }
}
