// SPDX-License-Identifier: Apache-2.0

import Glibc
import Netlink
import Primitives
import Testing

@testable import LinuxIO

@Suite("Echo sockets, processes and files", .serialized)
struct ProbeTests {
    @Test(
        "an echo comes back to the socket that asked, and only echo replies do",
        .enabled(if: NetworkNamespace.isAvailable))
    func echo() throws {
        try NetworkNamespace.run {
            #expect(NetworkNamespace.ip("link set lo up"))
            let socket = try EchoSocket(
                to: IPv4Address(127, 0, 0, 1), source: IPv4Address(127, 0, 0, 2), interface: "lo")
            // Type 8, checksum 0xf7fd, identifier 1, sequence 1.
            try socket.send([8, 0, 0xf7, 0xfd, 0, 1, 0, 1])
            var packet: [UInt8]?
            let end = Reactor.now() + .seconds(5)
            while packet == nil, Reactor.now() < end { packet = try socket.receive() }
            #expect(packet?[20] == 0 && packet?.count == 28)
            #expect(try socket.receive() == nil)
        }
    }

    @Test("a socket that is flooded gives up", .enabled(if: NetworkNamespace.isAvailable))
    func flood() throws {
        try NetworkNamespace.run {
            #expect(NetworkNamespace.ip("link set lo up"))
            let socket = try EchoSocket(to: IPv4Address(127, 0, 0, 1), source: nil, interface: nil)
            var received = 0
            #expect(throws: SystemError.self) {
                for _ in 0..<1000 {
                    try socket.send([8, 0, 0xf7, 0xfd, 0, 1, 0, 1])
                    if try socket.receive() != nil { received += 1 }
                }
            }
            #expect(received == EchoSocket.Limits.packets)
        }
    }

    @Test("what has no way is refused with the reason", .enabled(if: NetworkNamespace.isAvailable))
    func refusals() throws {
        try NetworkNamespace.run {
            let target = IPv4Address(192, 0, 2, 1)
            #expect(throws: SystemError.self) { try EchoSocket(to: target, source: nil, interface: nil) }
            #expect(throws: SystemError.self) { try EchoSocket(to: target, source: nil, interface: "nothing0") }
            #expect(throws: SystemError.self) { try EchoSocket(to: target, source: target, interface: nil) }
        }
    }

    @Test("this very process is found by its name, and a number that nobody has is not")
    func names() throws {
        let name = try #require(ProcessList.name(of: getpid()))
        #expect(!name.isEmpty && name.utf8.count <= 15)
        #expect(ProcessList.all()[getpid()] == name)
        #expect(ProcessList.name(of: Int32.max) == nil)
    }

    @Test("a file is there or not")
    func files() {
        #expect(fileExists("/proc/self/stat") && fileExists("/"))
        #expect(!fileExists("/proc/self/nothing") && !fileExists(""))
    }

    @Test("an event of the process connector is read; other kinds and threads are not")
    func connectorEvents() throws {
        #expect(ProcessEvent.listen.count == 40 && ProcessEvent.listen[0] == 40)
        func message(_ what: UInt32, thread: UInt32, process: UInt32) -> NetlinkMessage {
            var words: [UInt32] = [1, 1, 0, 0, 40, what, 0, 0, 0, thread, process, 0, 0]
            let payload = words.withUnsafeMutableBytes { Array($0) }
            return NetlinkMessage(type: 3, flags: 0, sequence: 0, portID: 0, payload: payload[...])
        }
        #expect(try ProcessEvent(parsing: message(2, thread: 7, process: 7)) == .renamed(process: 7))
        #expect(try ProcessEvent(parsing: message(0x200, thread: 7, process: 7)) == .renamed(process: 7))
        #expect(try ProcessEvent(parsing: message(0x8000_0000, thread: 7, process: 7)) == .ended(process: 7))
        #expect(try ProcessEvent(parsing: message(0x8000_0000, thread: 8, process: 7)) == nil)
        #expect(try ProcessEvent(parsing: message(1, thread: 7, process: 7)) == nil)
        let whole = message(2, thread: 7, process: 7)
        for count in 0..<44 {
            var cut = whole
            cut.payload = whole.payload.prefix(count)
            #expect(throws: (any Error).self) { try ProcessEvent(parsing: cut) }
        }
    }

    @Test("where the kernel tells, the end of a process is heard")
    func connector() throws {
        let reactor = try Reactor()
        var heard: [ProcessConnector.Event] = []
        guard geteuid() == 0, let connector = try? ProcessConnector(on: reactor, handler: { heard.append($0) }) else {
            return
        }
        var process: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
        defer { free(arguments[0]) }
        #expect(posix_spawnp(&process, "true", nil, nil, &arguments, environ) == 0)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        let end = Reactor.now() + .seconds(2)
        while !heard.contains(.process(.ended(process: process))), Reactor.now() < end {
            try reactor.runOnce(waitingAtMost: 50)
        }
        // In a container the kernel takes the subscription and says nothing.
        if !heard.isEmpty { #expect(heard.contains(.process(.ended(process: process)))) }
        connector.cancel()
    }
}
