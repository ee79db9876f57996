// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives
import Tracking

/// Starts, kills and hears the scripts of `track N script`; `ScriptMachine` decides.
final class ScriptRunner {
    /// Gets what is to be told to failover.
    var onReport: (ProbeReport) -> Void = { _ in }

    private let reactor: Reactor
    private let configurationDirectory: String
    private var machine = ScriptMachine()
    private var timer: (token: TimerToken, deadline: Instant)?
    /// Where a process says why it could not become its script, by process.
    private var channels: [Int32: MessageSocket] = [:]
    private static let wordsByteCount = 256

    /// Makes a runner; the configuration's own directory is an allowed place for scripts.
    init(configurationDirectory: String, on reactor: Reactor) {
        self.configurationDirectory = configurationDirectory
        self.reactor = reactor
    }

    func configure(_ scripts: [Int: ScriptSettings]) { handle(.configured(scripts)) }

    /// Failover is new, and hears everything again.
    func listenerStarted() { handle(.listenerStarted) }

    /// Kills whatever runs.
    func stop() { handle(.stopped) }

    /// A process has ended and is about to be collected.
    func isEnding(_ process: Int32) {
        if channels[process] != nil { handle(.ending(process: process)) }
    }

    /// Takes the end of a process, if it is a script's.
    func ended(_ process: Int32, _ end: ChildProcess.End) -> Bool {
        guard let channel = channels.removeValue(forKey: process) else { return false }
        if case .message(let words, _)? = try? channel.receive() {
            // It never became its script, and says why.
            if let object = machine.object(of: process) {
                handle(.notStarted(object: object, reason: String(decoding: words, as: UTF8.self)))
            }
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
            let path = try TrustedPath.resolve(settings.path, besides: configurationDirectory)
            let (ours, theirs) = try MessageSocket.pair()
            let descriptor = theirs.take()
            let process = try Spawner.start(
                name: "havpnd: script",
                arguments: [
                    "--script", path, "--user", settings.user ?? ScriptSettings.defaultUser, "--object", "\(object)",
                ],
                channel: descriptor.rawValue)
            channels[process] = MessageSocket(ours.take(), maximumByteCount: Self.wordsByteCount)
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

    /// What the started process does: it becomes the script, or says why not and ends.
    static func become(path: String, user: String, object: Int, channel: consuming Descriptor) -> Int32 {
        let number = channel.rawValue
        let socket = MessageSocket(channel, maximumByteCount: wordsByteCount)
        do {
            try ScriptExecution.execute(path, user: user, object: object, channel: number)
        } catch {
            _ = try? socket.send(Array(error.description.utf8.prefix(wordsByteCount)))
        }
        return 1
    }
}
