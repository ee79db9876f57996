// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives
import Tracking

/// Starts, kills and hears the scripts of `track N script`; `ScriptMachine` decides.
final class ScriptRunner {
    /// Gets what is to be told to failover.
    var onReport: (ProbeReport) -> Void = { _ in }

    private let reactor: Reactor
    private let starter: ProgramStarter
    private var machine = ScriptMachine()
    private var timer: (token: TimerToken, deadline: Instant)?

    /// Makes a runner; the configuration's own directory is an allowed place for scripts.
    init(configurationDirectory: String, on reactor: Reactor) {
        starter = ProgramStarter(configurationDirectory: configurationDirectory)
        self.reactor = reactor
    }

    func configure(_ scripts: [Int: ScriptSettings]) { handle(.configured(scripts)) }

    /// Failover is new, and hears everything again.
    func listenerStarted() { handle(.listenerStarted) }

    /// Kills whatever runs.
    func stop() { handle(.stopped) }

    /// A process has ended and is about to be collected.
    func isEnding(_ process: Int32) {
        if starter.owns(process) { handle(.ending(process: process)) }
    }

    /// Takes the end of a process, if it is a script's.
    func ended(_ process: Int32, _ end: ChildProcess.End) -> Bool {
        guard starter.owns(process) else { return false }
        if let reason = starter.collect(process) {
            if let object = machine.object(of: process) { handle(.notStarted(object: object, reason: reason)) }
            return true
        }
        switch end {
        case .exited(let status): handle(.ended(process: process, .exited(status)))
        case .killed(let signal): handle(.ended(process: process, .killed(signal)))
        }
        return true
    }

    private func handle(_ event: ScriptMachine.Event) {
        var actions: [ScriptMachine.Action] = []
        machine.handle(event, at: Reactor.now(), actions: &actions)
        for action in actions {
            switch action {
            case .start(let object, let settings): start(object, settings)
            case .killGroup(let process): ChildProcess.killGroup(process)
            case .report(let report): onReport(report)
            }
        }
        arm()
    }

    private func start(_ object: Int, _ settings: ScriptSettings) {
        do {
            let process = try starter.start(
                ForeignProgram(
                    path: settings.path, user: settings.user ?? ScriptSettings.defaultUser,
                    variables: ["HAVPN_TRACK=\(object)"]))
            handle(.started(object: object, process: process))
        } catch {
            handle(.notStarted(object: object, reason: "\(error)"))
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
