// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives
import Tracking

/// One scheduled `ip sla` operation with its timer, and a socket for each echo.
final class EchoRunner {
    let operation: EchoOperation
    private(set) var machine: EchoMachine
    private let reactor: Reactor
    private let onConclusion: (EchoRunner) -> Void
    private let onStray: () -> Void
    private var socket: EchoSocket?
    private var watch: WatchToken?
    private var timer: TimerToken?
    private let identifier: UInt16

    /// `onConclusion` hears of every echo that has come to its end, `onStray` of every packet that answers nothing.
    init(
        _ operation: EchoOperation, on reactor: Reactor, onConclusion: @escaping (EchoRunner) -> Void,
        onStray: @escaping () -> Void
    ) {
        self.operation = operation
        self.reactor = reactor
        self.onConclusion = onConclusion
        self.onStray = onStray
        machine = EchoMachine(operation)
        // Tells our answers from those to other programs and to the process before this one.
        let time = Reactor.now().nanoseconds >> 10
        identifier = UInt16(truncatingIfNeeded: time) ^ UInt16(truncatingIfNeeded: operation.number)
    }

    func start() { handle(.started) }

    private func handle(_ event: EchoMachine.Event) {
        var actions: [EchoMachine.Action] = []
        machine.handle(event, at: Reactor.now(), actions: &actions)
        var trouble: String?
        for action in actions {
            switch action {
            case .send(let sequence): trouble = send(sequence)
            case .conclude:
                close()
                onConclusion(self)
            }
        }
        if let timer { reactor.cancel(timer) }
        timer = machine.nextDeadline.map { deadline in
            reactor.schedule(at: deadline) { [weak self] in self?.handle(.deadlineReached) }
        }
        if let trouble { handle(.notSent(reason: trouble)) }
    }

    /// Sends an echo; returns what prevented it.
    private func send(_ sequence: UInt16) -> String? {
        close()
        do {
            var source: IPv4Address?
            var interface: String?
            switch operation.source {
            case .route: break
            case .address(let address): source = address
            case .interface(let name): interface = name
            }
            let new = try EchoSocket(to: operation.destination, source: source, interface: interface)
            watch = try reactor.watch(new.rawValue) { [weak self] _ in self?.receive() }
            socket = new
            try new.send(EchoMessage(identifier: identifier, sequence: sequence).request)
            return nil
        } catch {
            close()
            return "\(error)"
        }
    }

    private func receive() {
        do {
            guard let packet = try socket?.receive() else { return }
            guard let answer = try? EchoMessage(parsingReply: packet), answer.identifier == identifier else {
                return onStray()
            }
            handle(.answered(sequence: answer.sequence))
        } catch {
            // An ICMP error for our echo arrives here too.
            close()
            handle(.notSent(reason: error.reason))
        }
    }

    private func close() {
        if let watch { reactor.unwatch(watch) }
        watch = nil
        socket = nil
    }

    func cancel() {
        close()
        if let timer { reactor.cancel(timer) }
        timer = nil
    }
}
