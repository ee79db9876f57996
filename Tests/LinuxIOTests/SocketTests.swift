// SPDX-License-Identifier: Apache-2.0

import Glibc
import Primitives
import Testing

@testable import LinuxIO

@Suite("Sockets on one machine")
struct SocketTests {
    private func temporaryPath() -> String { "/tmp/havpn-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock" }

    @Test("a UNIX stream carries bytes both ways, tells who connected, and its end")
    func unixStream() throws {
        let path = temporaryPath()
        defer { unlink(path) }
        let listener = try UnixListener(path: path, mode: 0o660)
        #expect(try listener.accept() == nil)
        var details = stat()
        #expect(stat(path, &details) == 0 && details.st_mode & 0o777 == 0o660)
        let client = try UnixStream.connect(path: path)
        let server = try #require(try listener.accept())
        #expect(server.peer?.process == UInt32(getpid()))
        #expect(server.peer?.user == geteuid())
        #expect(server.peer?.groups.contains(getegid()) == true)
        #expect(server.receive() == .nothing)
        #expect(client.send([1, 2, 3][...]) == 3)
        #expect(server.receive() == .bytes([1, 2, 3]))
        client.finishSending()
        #expect(server.receive() == .end)
        #expect(server.send([4][...]) == 1)
        #expect(client.receive() == .bytes([4]))
    }

    @Test("a full stream takes a part, a broken one nothing")
    func unixStreamLimits() throws {
        let path = temporaryPath()
        defer { unlink(path) }
        let listener = try UnixListener(path: path, mode: 0o600)
        let client = try UnixStream.connect(path: path)
        var server = try listener.accept()
        let big = [UInt8](repeating: 1, count: 4 << 20)
        let sent = try #require(client.send(big[...]))
        #expect(sent > 0 && sent < big.count)
        #expect(client.send(big[...]) == 0)
        server = nil
        #expect(client.send(big[...]) == nil)
        #expect(server == nil)
    }

    @Test("a dead socket file is replaced, a missing one refuses")
    func unixPaths() throws {
        let path = temporaryPath()
        defer { unlink(path) }
        _ = try UnixListener(path: path, mode: 0o600)
        #expect(throws: SystemError.self) { try UnixStream.connect(path: path) }
        _ = try UnixListener(path: path, mode: 0o600)
        #expect(throws: SystemError.self) { try UnixStream.connect(path: "/tmp/havpn-nothing-here") }
        #expect(throws: SystemError.self) { try UnixStream.connect(path: "/" + String(repeating: "x", count: 200)) }
    }

    @Test("an instance lock is held by one and freed with it")
    func instanceLock() throws {
        let name = "havpn-test-\(getpid())"
        var lock: InstanceLock? = try InstanceLock(name: name)
        #expect(throws: SystemError(operation: "lock \(name)", number: EADDRINUSE)) { try InstanceLock(name: name) }
        #expect(lock != nil)
        lock = nil
        _ = try InstanceLock(name: name)
    }

    @Test("a connected datagram socket hears its neighbour alone")
    func datagrams() throws {
        let port = UInt16(20_000 + getpid() % 20_000)
        let ours = IPv4Address(127, 0, 0, 2)
        let theirs = IPv4Address(127, 0, 0, 1)
        let descriptor = try DatagramOpening.open(local: ours, remote: theirs, port: port)
        #expect(DatagramOpening.isBound(descriptor.rawValue, to: ours, port: port))
        #expect(!DatagramOpening.isBound(descriptor.rawValue, to: theirs, port: port))
        #expect(!DatagramOpening.isBound(0, to: ours, port: port))
        #expect(throws: SystemError("bind \(ours):\(port)", code: EADDRINUSE)) {
            _ = try DatagramOpening.open(local: ours, remote: theirs, port: port).rawValue
        }
        let left = ConnectedDatagramSocket(descriptor, maximumByteCount: 100, receiveByteCount: 1 << 20)
        let right = ConnectedDatagramSocket(
            try DatagramOpening.open(local: theirs, remote: ours, port: port), maximumByteCount: 100,
            receiveByteCount: 1 << 20)
        let third = IPv4Address(127, 0, 0, 3)
        let stranger = ConnectedDatagramSocket(
            try DatagramOpening.open(local: third, remote: ours, port: port), maximumByteCount: 100,
            receiveByteCount: 1 << 20)
        _ = try stranger.send([9])
        #expect(try right.send([7, 7]) == .sent)
        var heard: [[UInt8]] = []
        while try left.receive({ bytes, _, _ in heard.append(Array(bytes)) }) {}
        #expect(heard == [[7, 7]])
    }

    @Test("messages carry descriptors; what nobody takes is closed")
    func descriptors() throws {
        let (first, second) = try MessageSocket.pair()
        let left = MessageSocket(first.take(), maximumByteCount: 100)
        let right = MessageSocket(second.take(), maximumByteCount: 100)
        #expect(try left.send([1], descriptors: [0, 1, 2]) == .sent)
        guard case .message([1], let holders) = try right.receive() else {
            Issue.record("no message")
            return
        }
        #expect(holders.count == 3)
        #expect(try left.send([UInt8](repeating: 1, count: 101)) == .sent)
        guard case .oversized = try right.receive() else {
            Issue.record("not recognised as too long")
            return
        }
        guard case .nothing = try right.receive() else {
            Issue.record("something left")
            return
        }
    }
}

extension SystemError {
    fileprivate init(operation: String, number: Int32) { self.init(operation, code: number) }
}
