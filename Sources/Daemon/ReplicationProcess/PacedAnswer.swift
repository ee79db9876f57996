// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives

/// The answer to a query that may be long: made and sent a piece at a time, so that neither heartbeats nor words about the
/// role wait for a screen.
final class PacedAnswer {
    /// Bounds of one answer.
    enum Limits {
        /// Bytes gathered into one frame, and about as much is made in one turn.
        static let frameByteCount = 16_384
        /// Bytes waiting for front above which nothing more is made.
        static let waitingByteCount = 262_144
        /// The pause before it is tried again then.
        static let pause = Interval.milliseconds(5)
        /// How often front hears that the answer is being made, while what it tells is read.
        static let signOfLife = Interval.milliseconds(500)
    }

    private let number: UInt32
    private let channel: ProcessChannel
    private let reactor: Reactor
    private var pieces: AnyIterator<[UInt8]>?

    /// Begins the answer to a query; `write` follows when what it tells is known.
    init(to number: UInt32, over channel: ProcessChannel, on reactor: Reactor) {
        self.number = number
        self.channel = channel
        self.reactor = reactor
        schedule(after: Limits.signOfLife) { $0.tellLife() }
    }

    /// Sends the pieces, one JSON text together.
    func write(_ pieces: AnyIterator<[UInt8]>) {
        self.pieces = pieces
        step()
    }

    // The timers keep the answer alive until it is sent.
    private func schedule(after pause: Interval, _ body: @escaping (PacedAnswer) -> Void) {
        reactor.schedule(at: reactor.now + pause) { body(self) }
    }

    private func tellLife() {
        guard pieces == nil, channel.isOpen else { return }
        channel.send(.answer(number: number, isLast: false, text: []))
        schedule(after: Limits.signOfLife) { $0.tellLife() }
    }

    private func step() {
        guard let pieces, channel.isOpen else { return }
        guard channel.waitingByteCount <= Limits.waitingByteCount else {
            return schedule(after: Limits.pause) { $0.step() }
        }
        var text: [UInt8] = []
        while text.count < Limits.frameByteCount {
            guard let piece = pieces.next() else { return send(text, isLast: true) }
            text += piece
        }
        send(text, isLast: false)
        schedule(after: .zero) { $0.step() }
    }

    /// One element may be longer than a frame.
    private func send(_ text: [UInt8], isLast: Bool) {
        var rest = text[...]
        while rest.count > ProcessMessage.maximumAnswerByteCount {
            let part = rest.prefix(ProcessMessage.maximumAnswerByteCount)
            channel.send(.answer(number: number, isLast: false, text: Array(part)))
            rest = rest.dropFirst(part.count)
        }
        channel.send(.answer(number: number, isLast: isLast, text: Array(rest)))
    }
}
