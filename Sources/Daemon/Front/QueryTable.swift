// SPDX-License-Identifier: Apache-2.0

import Control
import LinuxIO
import Primitives

/// Questions to the other processes that wait for their answers.
final class QueryTable {
    /// What came of a question.
    enum Outcome {
        /// The whole answer, one JSON object.
        case answered([UInt8])
        /// The process is not there, died meanwhile, or took too long.
        case unavailable
    }

    private struct Query {
        let role: ProcessRole
        var gathered: [UInt8] = []
        let milliseconds: Int
        var timer: TimerToken
        let completion: (Outcome) -> Void
    }

    /// Called with the name of a counter.
    var onCount: (String) -> Void = { _ in }

    private let reactor: Reactor
    private var channels: [ProcessRole: ProcessChannel] = [:]
    private var queries: [UInt32: Query] = [:]
    private var lastNumber: UInt32 = 0

    init(on reactor: Reactor) { self.reactor = reactor }

    /// Uses `channel` for questions to its peer from now on.
    func attach(_ channel: ProcessChannel) {
        detach(channel.peer)
        channels[channel.peer] = channel
    }

    /// The process is gone: its questions are not answered any more.
    func detach(_ role: ProcessRole) {
        channels[role]?.close()
        channels[role] = nil
        for (number, query) in queries where query.role == role { end(number, .unavailable) }
    }

    /// Asks a process; `completion` is called exactly once, perhaps before this returns.
    func ask(
        _ role: ProcessRole, _ request: ControlRequest, milliseconds: Int = Limits.queryMilliseconds,
        completion: @escaping (Outcome) -> Void
    ) {
        guard let channel = channels[role] else { return completion(.unavailable) }
        lastNumber &+= 1
        let number = lastNumber
        let timer = startTimer(number, milliseconds)
        queries[number] = Query(role: role, milliseconds: milliseconds, timer: timer, completion: completion)
        channel.send(.query(number: number, text: encodeJSON(request)))
    }

    private func startTimer(_ number: UInt32, _ milliseconds: Int) -> TimerToken {
        reactor.schedule(at: Reactor.now() + .milliseconds(milliseconds)) { [weak self] in
            self?.onCount("query.late")
            self?.end(number, .unavailable)
        }
    }

    /// Asks several processes at once; `completion` gets the answers of those that gave one.
    func askAll(_ questions: [(ProcessRole, ControlRequest)], completion: @escaping ([[UInt8]?]) -> Void) {
        var answers = [[UInt8]?](repeating: nil, count: questions.count)
        var left = questions.count
        for (index, question) in questions.enumerated() {
            ask(question.0, question.1) { outcome in
                if case .answered(let text) = outcome { answers[index] = text }
                left -= 1
                if left == 0 { completion(answers) }
            }
        }
    }

    /// Takes a piece of an answer; one that nobody waits for is counted.
    func answered(by role: ProcessRole, number: UInt32, isLast: Bool, text: [UInt8]) {
        guard var query = queries[number], query.role == role else { return onCount("query.unexpected") }
        guard query.gathered.count + text.count <= Limits.answerByteCount else {
            onCount("query.oversized")
            return end(number, .unavailable)
        }
        queries[number] = nil
        query.gathered += text
        // A long answer comes in pieces, each in time.
        reactor.cancel(query.timer)
        query.timer = startTimer(number, query.milliseconds)
        queries[number] = query
        if isLast { end(number, .answered(query.gathered)) }
    }

    private func end(_ number: UInt32, _ outcome: Outcome) {
        guard let query = queries.removeValue(forKey: number) else { return }
        reactor.cancel(query.timer)
        query.completion(outcome)
    }
}
