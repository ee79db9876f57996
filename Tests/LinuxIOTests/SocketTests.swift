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

    @Test("connected datagram sockets hear only each other and tell what they lost")
    func datagrams() throws {
        let port = UInt16(20_000 + getpid() % 20_000)
        let ours = IPv4Address(127, 0, 0, 2)
        let theirs = IPv4Address(127, 0, 0, 1)
        let left = try DatagramSocket(local: ours, remote: theirs, port: port)
        _ = left.send([1])
        #expect(try left.receive() == nil)
        let right = try DatagramSocket(local: theirs, remote: ours, port: port)
        let stranger = try DatagramSocket(local: IPv4Address(127, 0, 0, 3), remote: ours, port: port)
        _ = stranger.send([9])
        #expect(right.send([7, 7]))
        #expect(try left.receive() == [7, 7])
        #expect(try left.receive() == nil)
        #expect(left.droppedDatagrams == 0)
        for _ in 0..<10 { #expect(left.send([UInt8](repeating: 0, count: 1000))) }
        let queue = try #require(DatagramSocket.queue(of: theirs, port: port))
        #expect(queue.queuedBytes > 10_000)
        #expect(queue.dropped == 0)
        #expect(DatagramSocket.queue(of: IPv4Address(127, 0, 0, 99), port: port) == nil)
    }

    @Test("the row of charon's socket is found in the table as the kernel prints it")
    func udpTable() {
        let text = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
             1161: 0100007F:119E 0200007F:119E 01 00000000:0001F400 00:00000000 00000000     0        0 15733 2 0000000000000000 522
            """
        let state = DatagramSocket.queue(of: IPv4Address(127, 0, 0, 1), port: 4510, in: Array(text.utf8))
        #expect(state == DatagramSocket.QueueState(queuedBytes: 128_000, dropped: 522))
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
