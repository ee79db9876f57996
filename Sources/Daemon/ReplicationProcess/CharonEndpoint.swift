// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives
import SecurityAssociations
import StrongSwan

/// The neighbour that charon's ha plugin talks to: datagrams in and out of the socket that the supervisor opened.
final class CharonEndpoint {
    /// Bounds of the endpoint.
    enum Limits {
        /// Datagrams read in one wake; the rest waits for the next.
        static let datagramsPerWake = 64
        /// The receive buffer asked for: charon never repeats what is lost here.
        static let receiveByteCount: Int32 = 64 << 20
        /// The ha plugin's port.
        static let port: UInt16 = 4_510
    }

    /// Called with each message of charon, commands included.
    var onMessage: (HAMessage) -> Void = { _ in }
    /// Called when the kernel dropped datagrams of charon: its records are incomplete from here on.
    var onLoss: () -> Void = {}
    /// Called with the name of a counter.
    var onCount: (String) -> Void = { _ in }

    private let socket: ConnectedDatagramSocket
    private let reactor: Reactor
    private let charon: IPv4Address
    private let own: IPv4Address
    private var token: WatchToken?
    private var dropCount: UInt32 = 0

    /// Takes over the socket, bound to `own` and connected to `charon`, and starts to listen.
    ///
    /// Set the handlers before control returns to the reactor.
    init(
        _ descriptor: consuming Descriptor, charon: IPv4Address, own: IPv4Address, on reactor: Reactor
    ) throws(SystemError) {
        self.reactor = reactor
        self.charon = charon
        self.own = own
        socket = ConnectedDatagramSocket(
            descriptor, maximumByteCount: StrongSwan.Limits.datagramByteCount,
            receiveByteCount: Limits.receiveByteCount)
        token = try reactor.watch(socket.rawValue) { [weak self] _ in self?.readWaiting() }
    }

    deinit { close() }

    /// Stops listening.
    func close() {
        if let token { reactor.unwatch(token) }
        token = nil
    }

    /// Sends one message; false if charon is not there, or the datagram could not be sent.
    func send(_ message: HAMessage) -> Bool {
        let sent: ConnectedDatagramSocket.Sent
        do {
            sent = try message.bytes.withBytes { bytes throws(SystemError) in try socket.send(bytes) }
        } catch {
            onCount("charon.send-failed")
            return false
        }
        switch sent {
        case .sent: return true
        case .refused: onCount("charon.refused")
        case .wouldBlock: onCount("charon.send-blocked")
        }
        return false
    }

    /// What waits for charon to read; nil if its socket does not exist.
    func observeQueue() -> ReceiveQueue? {
        guard let table = try? readSmallFile("/proc/net/udp") else { return nil }
        return ReceiveQueue(table: table, local: charon, remote: own, port: Limits.port)
    }

    private func readWaiting() {
        for _ in 0..<Limits.datagramsPerWake {
            do {
                guard try socket.receive({ take($0, isTruncated: $1, droppedCount: $2) }) else { return }
            } catch {
                onCount("charon.receive-failed")
                return
            }
        }
    }

    private func take(_ bytes: ArraySlice<UInt8>, isTruncated: Bool, droppedCount: UInt32) {
        if droppedCount != dropCount {
            dropCount = droppedCount
            onCount("charon.dropped")
            onLoss()
        }
        guard !isTruncated, let message = try? HAMessage(decoding: bytes) else {
            onCount("charon.malformed")
            return
        }
        if message.unknownAttribute != nil { onCount("charon.unknown-attribute") }
        onMessage(message)
    }
}
