// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives
import Recording

/// Takes down what the machines of this process do, for front to write.
///
/// A step costs its process a place in a queue; lines are made of it later, a few at a time, and never waited for. A step
/// for which there is no place is counted, and whoever replays the recording sees that it is missing.
final class RecordingTap {
    /// Bounds of the queue.
    enum Limits {
        /// Steps that wait to be written down.
        static let waitingSteps = 4096
        /// Lines made at a time.
        static let linesPerTurn = 16
        /// For how long steps gather.
        static let pause = Interval.milliseconds(10)
    }

    private let reactor: Reactor
    private let count: (String) -> Void
    private var recorders: [String: MachineRecorder] = [:]
    private var waiting: [() -> [UInt8]] = []
    private var isScheduled = false
    /// Gives a line to front; false while front cannot be reached.
    var send: (ProcessMessage) -> Bool = { _ in false }

    /// Counts what is lost by `count`.
    init(on reactor: Reactor, count: @escaping (String) -> Void) {
        self.reactor = reactor
        self.count = count
    }

    /// A machine was made.
    func start(_ machine: String, _ start: MachineStart) {
        var recorder = MachineRecorder(machine: machine)
        let line = recorder.start(start, at: Reactor.now())
        recorders[machine] = recorder
        append { line }
    }

    /// A machine was stepped; `make` is called later and makes the line by the recorder and the step's number.
    func step(_ machine: String, _ make: @escaping (MachineRecorder, UInt64) -> [UInt8]) {
        guard let number = recorders[machine]?.count(), let recorder = recorders[machine] else { return }
        append { make(recorder, number) }
    }

    /// Gives away all that waits, before the process ends.
    func finish() {
        while !waiting.isEmpty, turn() {}
    }

    private func append(_ line: @escaping () -> [UInt8]) {
        guard waiting.count < Limits.waitingSteps else { return count("recording.dropped") }
        waiting.append(line)
        schedule(after: Limits.pause)
    }

    private func schedule(after pause: Interval) {
        guard !isScheduled else { return }
        isScheduled = true
        reactor.schedule(at: Reactor.now() + pause) { [weak self] in
            guard let self else { return }
            isScheduled = false
            let isReached = turn()
            if !waiting.isEmpty { schedule(after: isReached ? .zero : Limits.pause) }
        }
    }

    /// Makes and sends a few lines; false if nobody takes them.
    private func turn() -> Bool {
        var sent = 0
        defer { waiting.removeFirst(sent) }
        for line in waiting.prefix(Limits.linesPerTurn) {
            let text = line()
            guard text.count < ProcessMessage.maximumByteCount else {
                count("recording.lineOverLimit")
                sent += 1
                continue
            }
            guard send(.recorded(text: text)) else { return false }
            sent += 1
        }
        return true
    }
}
