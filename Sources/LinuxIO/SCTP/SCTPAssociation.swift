// SPDX-License-Identifier: Apache-2.0

internal import CSCTP
internal import Glibc
internal import Primitives

/// The peeled-off association: whole messages in and out, and what the kernel notifies about it.
final class SCTPAssociation {
    /// Bounds of one association.
    enum Limits {
        /// The longest message accepted; a longer one ends the association.
        static let messageByteCount = 65_536
        /// Pieces and notifications read in one wake.
        static let receivesPerWake = 64
        /// From this size on a message is part of more, and the next one is looked for at once.
        static let bulkByteCount = 4096
    }

    /// What reading found.
    enum Finding {
        case message([UInt8])
        case path(IPv4Address, isUsable: Bool)
        case restarted
        case ended(SCTPEvent.DownReason)
    }

    var rawValue: Int32 { descriptor.rawValue }

    private let descriptor: Descriptor
    private let remotePort: UInt16
    private var partial: [UInt8] = []
    private var isShuttingDown = false

    init(_ descriptor: consuming Descriptor, remotePort: UInt16) {
        self.descriptor = descriptor
        self.remotePort = remotePort
    }

    /// Sends one message.
    func send(_ bytes: [UInt8]) -> MessageSocket.Sent {
        while true {
            if havpn_sctp_send(rawValue, bytes, bytes.count) == bytes.count { return .sent }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS, ENOMEM: return .wouldBlock
            default: return .closed
            }
        }
    }

    /// Sends by the path to this address while it is usable; false where the kernel refuses.
    func prefer(_ address: IPv4Address) -> Bool { havpn_sctp_prefer(rawValue, address.value, remotePort) == 0 }

    /// Reads until nothing more is expected, the bound is reached or the association has ended.
    func receive(into buffer: inout [UInt8], _ body: (Finding) -> Bool) {
        for _ in 0..<Limits.receivesPerWake {
            var received = havpn_sctp_received()
            let length = havpn_sctp_receive(rawValue, &buffer, buffer.count, &received)
            if length < 0 {
                if errno == EAGAIN || errno == EINTR { return }
                _ = body(.ended(Self.reason(errno)))
                return
            }
            if length == 0 {
                _ = body(.ended(isShuttingDown ? .shutDown : .aborted))
                return
            }
            guard let finding = digest(received, buffer[..<length]) else { continue }
            guard body(finding) else { return }
            // More is seldom behind a short message, and the loop looks again anyway.
            if length < Limits.bulkByteCount { return }
        }
    }

    private func digest(_ received: havpn_sctp_received, _ bytes: ArraySlice<UInt8>) -> Finding? {
        switch received.kind {
        case HAVPN_SCTP_DATA:
            guard partial.count + bytes.count <= Limits.messageByteCount else { return .ended(.closedHere) }
            partial += bytes
            guard received.is_complete != 0 else { return nil }
            defer { partial = [] }
            return .message(partial)
        case HAVPN_SCTP_PATH:
            return .path(IPv4Address(received.address), isUsable: received.is_usable != 0)
        case HAVPN_SCTP_RESTARTED:
            partial = []
            return .restarted
        case HAVPN_SCTP_LOST:
            return .ended(Self.reason(havpn_sctp_take_error(rawValue)))
        case HAVPN_SCTP_SHUTTING_DOWN:
            isShuttingDown = true
            return nil
        case HAVPN_SCTP_CLOSED:
            return .ended(.shutDown)
        default:
            return nil
        }
    }

    /// The kernel sets ETIMEDOUT when it gave up by itself; everything else came from the peer.
    private static func reason(_ code: Int32) -> SCTPEvent.DownReason {
        code == ETIMEDOUT ? .communicationLost : .aborted
    }

    /// Reads the state for screens; nil when the association has just gone.
    func status(localAddresses: [IPv4Address]) -> SCTPStatus? {
        var raw = havpn_sctp_status()
        guard havpn_sctp_read_status(rawValue, 0, &raw) == 0 else { return nil }
        return SCTPStatus(
            state: Self.stateName(raw.state), unacknowledgedChunks: Int(raw.unacknowledged_chunks),
            pendingChunks: Int(raw.pending_chunks), retransmittedChunks: raw.retransmitted_chunks,
            sentPackets: raw.sent_packets, receivedPackets: raw.received_packets,
            primary: IPv4Address(raw.primary), paths: paths(localAddresses: localAddresses))
    }

    private func paths(localAddresses: [IPv4Address]) -> [SCTPStatus.Path] {
        SCTPEndpoint.peerAddresses(rawValue, association: 0).addresses.compactMap { remote in
            var path = havpn_sctp_path()
            guard havpn_sctp_read_path(rawValue, 0, remote.value, remotePort, &path) == 0 else { return nil }
            return SCTPStatus.Path(
                local: Self.nearest(localAddresses, to: remote), remote: remote, state: Self.pathName(path.state),
                roundTripMilliseconds: Int(path.smoothed_round_trip), timeoutMilliseconds: Int(path.timeout))
        }
    }

    /// The address that shares the longest prefix.
    private static func nearest(_ addresses: [IPv4Address], to remote: IPv4Address) -> IPv4Address {
        addresses.min { ($0.value ^ remote.value) < ($1.value ^ remote.value) } ?? .any
    }

    private static func stateName(_ state: Int32) -> String {
        let names = [
            "EMPTY", "CLOSED", "COOKIE-WAIT", "COOKIE-ECHOED", "ESTABLISHED", "SHUTDOWN-PENDING", "SHUTDOWN-SENT",
            "SHUTDOWN-RECEIVED", "SHUTDOWN-ACK-SENT",
        ]
        return names.indices.contains(Int(state)) ? names[Int(state)] : "UNKNOWN"
    }

    private static func pathName(_ state: Int32) -> String {
        switch state {
        case 0: "INACTIVE"
        case 1: "PF"
        case 2: "ACTIVE"
        case 3: "UNCONFIRMED"
        default: "UNKNOWN"
        }
    }
}
