// SPDX-License-Identifier: Apache-2.0

import Configuration
import FirstHop
import LinuxIO
import Primitives

/// Starts, kills and collects the programs of `notify`; `NotificationMachine` decides.
final class NotificationRunner {
    /// Called with each line for the log.
    var onLine: (String) -> Void = { _ in }
    /// Called when counters have changed.
    var onCounted: ([String: UInt64]) -> Void = { _ in }

    private let reactor: Reactor
    private let starter: ProgramStarter
    private var machine = NotificationMachine()
    private var timer: (token: TimerToken, deadline: Instant)?
    private var told: [String: UInt64] = [:]
    /// How long the daemon's end waits for what its own release has set going.
    private static let farewell = Interval.seconds(3)

    init(configurationDirectory: String, on reactor: Reactor) {
        self.reactor = reactor
        starter = ProgramStarter(configurationDirectory: configurationDirectory)
    }

    func configure(_ notifications: [Model.Notification]) { handle(.configured(notifications)) }

    func hear(_ change: GroupChange) { handle(.changed(change)) }

    /// Failover is new, and hears the counters again.
    func listenerStarted() {
        told = [:]
        handle(.deadlineReached)
    }

    /// A process has ended and is about to be collected.
    func isEnding(_ process: Int32) {
        if starter.owns(process) { handle(.ending(process: process)) }
    }

    /// Takes the end of a process, if it is one of the programs.
    func ended(_ process: Int32, _ end: ChildProcess.End) -> Bool {
        guard starter.owns(process) else { return false }
        if let reason = starter.collect(process), let path = machine.path(of: process) {
            handle(.notStarted(path: path, reason: reason))
        } else {
            handle(.ended(process: process, how: end.description, isSuccess: end == .exited(0)))
        }
        return true
    }

    /// Lets the programs hear of the daemon's own release, for a bounded time.
    func finish() {
        let end = Reactor.now() + Self.farewell
        while !machine.isIdle, Reactor.now() < end { try? reactor.runOnce(waitingAtMost: 20) }
        handle(.configured([]))
    }

    private func handle(_ event: NotificationMachine.Event) {
        var actions: [NotificationMachine.Action] = []
        machine.handle(event, at: Reactor.now(), actions: &actions)
        for action in actions {
            switch action {
            case .start(let settings, let change, let dropped): start(settings, change, dropped: dropped)
            case .killGroup(let process): ChildProcess.killGroup(process)
            case .log(let line): onLine(line)
            }
        }
        if machine.counters != told {
            told = machine.counters
            onCounted(told)
        }
        arm()
    }

    private func start(_ settings: Model.Notification, _ change: GroupChange, dropped: Int) {
        do {
            let process = try starter.start(
                ForeignProgram(
                    path: settings.path, user: settings.user, variables: change.variables(dropped: dropped),
                    mayBeRoot: true))
            handle(.started(path: settings.path, process: process))
        } catch {
            handle(.notStarted(path: settings.path, reason: "\(error)"))
        }
    }

    private func arm() {
        guard timer?.deadline != machine.nextDeadline else { return }
        if let timer { reactor.cancel(timer.token) }
        timer = machine.nextDeadline.map { deadline in
            let token = reactor.schedule(at: deadline) { [unowned self] in
                timer = nil
                handle(.deadlineReached)
            }
            return (token, deadline)
        }
    }
}

extension GroupChange {
    /// What a program finds in its environment.
    func variables(dropped: Int) -> [String] {
        [
            "HAVPN_INTERFACE=\(interface)", "HAVPN_GROUP=\(group)", "HAVPN_NAME=\(name)", "HAVPN_FROM=\(from.name)",
            "HAVPN_TO=\(to.name)", "HAVPN_REASON=\(reason)", "HAVPN_TERM=\(term)", "HAVPN_DROPPED=\(dropped)",
        ]
    }
}
