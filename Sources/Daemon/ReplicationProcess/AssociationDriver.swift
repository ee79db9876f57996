// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Configuration
import LinuxIO
import Primitives
import Replication

/// The association to the peer as a stream of frames; it opens and connects by itself, whatever is missing.
final class AssociationDriver {
    /// What the process hears.
    enum Event {
        case up
        case down(reason: String)
        case frame(Frame)
        case writable
        /// Something for a screen changed: a fault, a path, whether the peer's kernel answers.
        case changed
    }

    /// Bounds of one association.
    enum Limits {
        /// Small frames are gathered into messages of about this size.
        static let gatheredByteCount = 8_192
        /// The pause before the endpoint is opened again where that failed.
        static let retry = Interval.seconds(2)
    }

    /// Called with each event.
    var onEvent: (Event) -> Void = { _ in }
    /// Increments a named counter.
    var count: (String) -> Void = { _ in }
    /// Writes a log line.
    var log: (String) -> Void = { _ in }

    /// What hinders the association, in a clause for the screens; nil where nothing is known.
    private(set) var fault: String?
    /// The peer's kernel may run although the association is gone.
    private(set) var mayPeerKernelLive = false
    /// When the association came up; nil while it is down.
    private(set) var upSince: Instant?
    private(set) var establishedCount = 0
    private(set) var sentMessages = 0
    private(set) var receivedMessages = 0
    private(set) var sentBytes = 0
    private(set) var receivedBytes = 0

    let settings: SCTPSettings
    private let reactor: Reactor
    private var endpoint: SCTPEndpoint?
    private var assembler = FrameAssembler()
    private var retry: TimerToken?
    private var unsent: [UInt8]?

    init(_ association: Model.Association, on reactor: Reactor) {
        settings = Self.settings(association)
        self.reactor = reactor
    }

    private static func settings(_ association: Model.Association) -> SCTPSettings {
        var settings = SCTPSettings(
            localAddresses: association.localAddresses, localPort: UInt16(association.localPort),
            remoteAddresses: association.remoteAddresses, remotePort: UInt16(association.remotePort))
        let tuning = association.tuning
        if let value = tuning.minimumTimeoutMilliseconds { settings.minimumTimeoutMilliseconds = UInt32(value) }
        if let value = tuning.maximumTimeoutMilliseconds { settings.maximumTimeoutMilliseconds = UInt32(value) }
        if let value = tuning.pathRetransmissions { settings.pathRetransmissions = UInt16(value) }
        if let value = tuning.associationRetransmissions { settings.associationRetransmissions = UInt16(value) }
        return settings
    }

    /// Opens the endpoint, now or as soon as it can be.
    func open() {
        retry = nil
        guard endpoint == nil else { return }
        do {
            endpoint = try SCTPEndpoint(settings, on: reactor) { [weak self] event in self?.take(event) }
            note(fault: "no answer from the peer yet")
        } catch {
            note(fault: "\(error)", level: 3)
            retry = reactor.schedule(at: Reactor.now() + Limits.retry) { [weak self] in self?.open() }
        }
    }

    /// Ends the association for good.
    func close() {
        if let retry { reactor.cancel(retry) }
        retry = nil
        endpoint?.close()
        endpoint = nil
        upSince = nil
    }

    /// Aborts the association; the endpoint tries again after its pause.
    func abort(reason: String) {
        note(fault: reason)
        endpoint?.abort()
    }

    /// Whether the association is established.
    var isUp: Bool { endpoint?.isUp ?? false }

    /// The kernel's view of the association.
    func status() -> SCTPStatus? { endpoint?.status() }

    /// Sends what `next` yields until it yields nothing or the kernel takes no more.
    func pump(_ next: () -> Frame?) {
        guard let endpoint, endpoint.isUp else { return }
        while true {
            var bytes = unsent ?? []
            unsent = nil
            while bytes.count < Limits.gatheredByteCount, let frame = next() { bytes += frame.encoded() }
            guard !bytes.isEmpty else { return }
            switch endpoint.send(bytes) {
            case .sent:
                sentMessages += 1
                sentBytes += bytes.count
            case .wouldBlock:
                unsent = bytes
                return
            case .closed: return
            }
        }
    }

    private func take(_ event: SCTPEvent) {
        switch event {
        case .up:
            assembler = FrameAssembler()
            unsent = nil
            upSince = Reactor.now()
            establishedCount += 1
            mayPeerKernelLive = true
            note(fault: nil)
            onEvent(.up)
        case .down(let reason):
            upSince = nil
            unsent = nil
            mayPeerKernelLive = reason != .communicationLost
            let text = Self.text(reason)
            if reason != .closedHere { note(fault: text) }
            onEvent(.down(reason: text))
        case .message(let bytes): receive(bytes)
        case .writable: onEvent(.writable)
        case .pathChanged(let address, let isUsable):
            log("%SCTP-5-PATH: path to \(address) is \(isUsable ? "up" : "down")")
            onEvent(.changed)
        case .unreachable(let isAnswered):
            mayPeerKernelLive = isAnswered
            note(fault: isAnswered ? "the peer's machine refuses the association" : "the peer does not answer")
            onEvent(.changed)
        case .strangerRefused(let address):
            count("association.stranger")
            log("%SCTP-4-STRANGER: an association from \(address) was refused")
        }
    }

    private func receive(_ bytes: [UInt8]) {
        receivedMessages += 1
        receivedBytes += bytes.count
        assembler.append(bytes)
        let skipped = assembler.skippedAttributes
        do {
            while let piece = try assembler.next() {
                switch piece {
                case .frame(let frame): onEvent(.frame(frame))
                case .unknown: count("session.unknownFrame")
                }
                guard upSince != nil else { return }
            }
        } catch {
            count("session.malformed")
            log("%RF_INTERDEV-4-MALFORMED: the peer sent a frame that does not decode (\(error))")
            abort(reason: "the peer sent a frame that does not decode")
        }
        for _ in skipped..<assembler.skippedAttributes { count("session.unknownAttribute") }
    }

    /// Remembers what hinders the association and logs it where it is new.
    private func note(fault text: String?, level: Int = 5) {
        guard text != fault else { return }
        fault = text
        if let text { log("%SCTP-\(level)-ASSOCIATION: \(text)") } else { log("%SCTP-5-ASSOCIATION: established") }
    }

    private static func text(_ reason: SCTPEvent.DownReason) -> String {
        switch reason {
        case .shutDown: "the peer closed the association"
        case .aborted: "the peer's kernel aborted the association"
        case .communicationLost: "nothing is heard from the peer on any path"
        case .restarted: "the peer started anew"
        case .closedHere: "the association was closed here"
        }
    }
}
