// SPDX-License-Identifier: Apache-2.0

import Configuration
public import LinuxIO
import Primitives

/// The root process: it starts the others, holds the descriptors that must outlive them, and cleans up after them.
///
/// It interprets `SupervisorMachine`'s actions. Of all bytes from outside it parses only frames and front's canonical
/// text of a configuration that front has accepted.
public final class Supervisor {
    /// What the command line says.
    public struct Options: Sendable {
        /// The configuration file.
        public var configurationPath: String
        /// Where `control.sock` goes.
        public var runtimeDirectory: String
        /// How much is logged.
        public var logLevel: LogLevel
        /// Where the machines' steps are recorded, if they are.
        public var recordingPath: String?

        /// Makes options.
        public init(
            configurationPath: String, runtimeDirectory: String, logLevel: LogLevel, recordingPath: String? = nil
        ) {
            self.configurationPath = configurationPath
            self.runtimeDirectory = runtimeDirectory
            self.logLevel = logLevel
            self.recordingPath = recordingPath
        }
    }

    /// The abstract socket that one daemon holds in a network namespace.
    static let lockName = "havpnd"

    private let options: Options
    private let reactor: Reactor
    private let log: Log
    private let notifier = SystemdNotifier()
    private let lock: InstanceLock
    private let control: UnixListener
    private var machine = SupervisorMachine()
    private var actions: [SupervisorMachine.Action] = []
    private var isInterpreting = false
    private var timer: TimerToken?
    private var timerDeadline: Instant?
    private var children: [ProcessRole: Child] = [:]
    private var kernel: DeathCleaner?
    private var haPlugin: HAPluginHolder
    private var vici: VICIOpener
    private let identity: PrivateFileOpener
    private let configurationDirectory: String
    private var keyFiles: [String: PrivateFileOpener] = [:]
    private let scripts: ScriptRunner
    private let presence: PresenceRunner
    private var recording: Descriptor?
    private let notifications: NotificationRunner
    private var exitStatus: Int32 = 0

    private struct Child {
        let process: Int32
        let channel: ProcessChannel
    }

    /// Runs the daemon until SIGTERM; returns the exit status.
    public static func run(_ options: Options) -> Int32 {
        ChildProcess.ignoreBrokenPipes()
        let log = Log(threshold: options.logLevel)
        do {
            return try Supervisor(options, log).run()
        } catch {
            log.write("%HAVPN-2-START: \(error)", level: .error)
            return 1
        }
    }

    private init(_ options: Options, _ log: Log) throws {
        self.options = options
        self.log = log
        do {
            lock = try InstanceLock(name: Self.lockName)
        } catch {
            guard error.code == SystemCode.addressInUse else { throw error }
            throw StartError.alreadyRunning
        }
        reactor = try Reactor()
        log.attach(to: reactor)
        control = try Self.openControl(options.runtimeDirectory)
        haPlugin = HAPluginHolder(adopting: SystemdNotifier.takeListenDescriptors())
        let directory = TrustedPath.parent(of: options.configurationPath)
        vici = VICIOpener(configurationDirectory: directory)
        configurationDirectory = directory
        identity = PrivateFileOpener(
            configurationDirectory: directory, whatMakesIt: "it is made by `havpnctl keygen --out` and")
        scripts = ScriptRunner(configurationDirectory: directory, on: reactor)
        presence = PresenceRunner(on: reactor)
        notifications = NotificationRunner(configurationDirectory: directory, on: reactor)
    }

    private enum StartError: Error, CustomStringConvertible {
        case alreadyRunning

        var description: String { "another havpnd runs in this network namespace" }
    }

    private static func openControl(_ directory: String) throws(SystemError) -> UnixListener {
        try TrustedPath.makeDirectory(directory, mode: 0o755)
        return try UnixListener(
            path: directory + "/control.sock", mode: 0o660, group: Privileges.group(named: "havpn"))
    }

    private func run() throws -> Int32 {
        for warning in Privileges.prepareParent() { log.write("%HAVPN-4-PRIVILEGES: \(warning)", level: .warning) }
        kernel = try DeathCleaner { [unowned self] in log.write($0, level: .error) }
        let signals = [SignalNumber.terminate, SignalNumber.interrupt, SignalNumber.hangUp, SignalNumber.child]
        _ = try reactor.watchSignals(signals) { [unowned self] in receiveSignal($0) }
        haPlugin.onStanding = { [unowned self] in
            passHAPlugin()
            handle(.haPluginStood)
        }
        haPlugin.onTrouble = { [unowned self] in log.write($0, level: .warning) }
        vici.onTrouble = { [unowned self] in log.write($0, level: .warning) }
        scripts.onReport = { [unowned self] in send(.observed($0), to: .failover) }
        notifications.onLine = { [unowned self] in log.write($0, level: .warning) }
        notifications.onCounted = { [unowned self] in send(.counted($0), to: .failover) }
        presence.onReport = { [unowned self] in send(.observed($0), to: .failover) }
        openRecording()
        if let interval = SystemdNotifier.watchdogInterval { feedWatchdog(every: interval) }
        // On the loop, so that a file that cannot be read can stop it.
        reactor.schedule(at: Reactor.now()) { [unowned self] in interpret(.readConfiguration) }
        try reactor.run()
        scripts.stop()
        notifications.finish()
        log.drain()
        return exitStatus
    }

    // MARK: Events

    private func receiveSignal(_ number: Int32) {
        switch number {
        case SignalNumber.child: reap()
        case SignalNumber.hangUp: handle(.reloadRequested)
        default: handle(.stopRequested)
        }
    }

    private func reap() {
        while let (process, end) = ChildProcess.reap(isEnding: { [unowned self] in isEnding($0) }) {
            if scripts.ended(process, end) || notifications.ended(process, end) { continue }
            guard let (role, child) = children.first(where: { $0.value.process == process }) else { continue }
            // Its last words first: they say what it held.
            child.channel.receiveWaiting()
            child.channel.close()
            children[role] = nil
            handle(.childEnded(role, how: end.description))
        }
    }

    private func isEnding(_ process: Int32) {
        scripts.isEnding(process)
        notifications.isEnding(process)
    }

    private func feedWatchdog(every interval: Interval) {
        notifier.notify("WATCHDOG=1")
        reactor.schedule(at: Reactor.now() + interval) { [unowned self] in feedWatchdog(every: interval) }
    }

    private func handle(_ event: SupervisorMachine.Event) {
        machine.handle(event, at: Reactor.now(), actions: &actions)
        // An action may bring the next event about at once; its actions then queue behind the present ones.
        guard !isInterpreting else { return }
        isInterpreting = true
        while !actions.isEmpty { interpret(actions.removeFirst()) }
        isInterpreting = false
        armTimer()
    }

    private func armTimer() {
        guard machine.nextDeadline != timerDeadline else { return }
        timerDeadline = machine.nextDeadline
        if let timer { reactor.cancel(timer) }
        timer = timerDeadline.map { deadline in
            reactor.schedule(at: deadline) { [unowned self] in
                timerDeadline = nil
                handle(.timerDue)
            }
        }
    }

    // MARK: Actions

    private func interpret(_ action: SupervisorMachine.Action) {
        switch action {
        case .spawn(let role): spawn(role)
        case .connect(let left, let right): connect(left, right)
        case .passControl:
            send(.descriptor(.control, peer: .supervisor), to: .front, descriptor: control.rawValue)
            if let number = recording?.rawValue {
                send(.descriptor(.recording, peer: .supervisor), to: .front, descriptor: number)
            }
        case .passHAPlugin: passHAPlugin()
        case .openVICI: openVICI()
        case .openIdentity: openIdentity()
        case .openKeyFile(let path): openKeyFile(path)
        case .adopt(let text): adopt(text)
        case .tellProbes:
            scripts.listenerStarted()
            presence.listenerStarted()
            notifications.listenerStarted()
        case .tellPrograms(let change): notifications.hear(change)
        case .readConfiguration: readConfiguration()
        case .send(let message, let role): send(message, to: role)
        case .raiseFences(let addresses): kernel?.raiseFences(addresses)
        case .removeAddresses(let held): kernel?.removeAddresses(held)
        case .lowerVirtualMACs(let held): kernel?.lowerVirtualMACs(held)
        case .restoreSettings(let before): kernel?.restoreSettings(before)
        case .kill(let role):
            if let child = children[role] { ChildProcess.signal(child.process, SignalNumber.kill) }
        case .notify(let state): notify(state)
        case .log(let line): log.write(line)
        case .printRefusal(let text): printRefusal(text)
        case .exit(let status):
            exitStatus = status
            reactor.stop()
        }
    }

    private func spawn(_ role: ProcessRole) {
        do {
            let (ours, theirs) = try MessageSocket.pair()
            let descriptor = theirs.take()
            let process = try Spawner.start(
                name: "havpnd: \(role)",
                arguments: ["--role", "\(role)", "--config", options.configurationPath]
                    + (recording == nil ? [] : ["--recording"]),
                channel: descriptor.rawValue)
            let channel = try ProcessChannel(ours.take(), peer: role, on: reactor)
            channel.onMessage = { [unowned self] message, _ in handle(.received(message, from: role)) }
            // A child that cannot be reached any more is as good as dead; its end then comes by SIGCHLD.
            channel.onClosed = { ChildProcess.signal(process, SignalNumber.kill) }
            children[role] = Child(process: process, channel: channel)
        } catch {
            handle(.childEnded(role, how: "cannot be started: \(error)"))
        }
    }

    private func connect(_ left: ProcessRole, _ right: ProcessRole) {
        do {
            let (first, second) = try MessageSocket.pair()
            let leftEnd = first.take()
            let rightEnd = second.take()
            send(.descriptor(.processChannel, peer: right), to: left, descriptor: leftEnd.rawValue)
            send(.descriptor(.processChannel, peer: left), to: right, descriptor: rightEnd.rawValue)
            if [left, right].contains(.failover), let replication = children[.replication] {
                send(.replicationStarted(process: replication.process), to: .failover)
            }
        } catch {
            log.write("%HAVPN-3-PROCESS: no channel between \(left) and \(right): \(error)", level: .error)
        }
    }

    private func send(_ message: ProcessMessage, to role: ProcessRole, descriptor: Int32? = nil) {
        children[role]?.channel.send(message, descriptor: descriptor)
    }

    /// A recording that cannot be made is no reason not to start.
    private func openRecording() {
        guard let path = options.recordingPath else { return }
        do {
            let resolved = try TrustedPath.resolveNew(path, besides: configurationDirectory)
            recording = try AppendedFile.create(resolved)
            log.write("%HAVPN-6-RECORDING: the machines' steps go to \(resolved)")
        } catch {
            log.write("%HAVPN-4-RECORDING: \(path): \(error): nothing is recorded", level: .warning)
        }
    }

    private func passHAPlugin() {
        guard let descriptor = haPlugin.rawValue else { return }
        send(.descriptor(.haPlugin, peer: .supervisor), to: .replication, descriptor: descriptor)
    }

    private func openVICI() {
        vici.open(on: reactor) { [unowned self] descriptor in
            send(.descriptor(.vici, peer: .supervisor), to: .replication, descriptor: descriptor)
        }
    }

    private func openIdentity() {
        identity.open(on: reactor) { [unowned self] descriptor in
            send(.descriptor(.identity, peer: .supervisor), to: .replication, descriptor: descriptor)
        } refuse: { [unowned self] reason in
            send(.identityMissing(reason: reason), to: .replication)
        }
    }

    /// Failover may have the files that the configuration names, and no other.
    private func openKeyFile(_ path: String) {
        guard let opener = keyFiles[path] else {
            return log.write("%HAVPN-4-KEYFILE: \(path): refused, no group names it", level: .warning)
        }
        opener.open(on: reactor) { [unowned self] descriptor in
            send(.keyFile(path: path), to: .failover, descriptor: descriptor)
        } refuse: { [unowned self] reason in
            send(.keyFileMissing(path: path, reason: reason), to: .failover)
        }
    }

    private func adoptKeyFiles(of model: Model) {
        let paths = model.keyFilePaths
        for (path, opener) in keyFiles where !paths.contains(path) {
            opener.cancel(on: reactor)
            keyFiles[path] = nil
        }
        for path in paths where keyFiles[path] == nil {
            keyFiles[path] = PrivateFileOpener(
                path: path, configurationDirectory: configurationDirectory, whatMakesIt: "write the key alone into")
        }
    }

    private func adopt(_ text: [UInt8]) {
        guard let model = load(text, fileName: options.configurationPath).model else { return }
        adoptKeyFiles(of: model)
        if case .pinned(let path, _) = model.security { identity.path = path } else { identity.path = nil }
        scripts.configure(model.scripts)
        notifications.configure(model.notifications)
        presence.configure(processes: model.processes, files: model.files)
        // Loads the kernel's module while somebody may.
        if model.association != nil, !SCTPEndpoint.isSupported {
            log.write("%HAVPN-3-SCTP: this kernel has no SCTP (modprobe sctp): no replication", level: .error)
        }
        switch model.ikeDaemon {
        case .strongSwan(let settings):
            vici.path = settings.viciPath
            haPlugin.stand(local: settings.haRemote, charon: settings.haLocal, on: reactor)
        case .none:
            vici.path = nil
            haPlugin.standNowhere()
        }
    }

    private func readConfiguration() {
        do {
            let text = try readSmallFile(
                options.configurationPath, maximumByteCount: Configuration.Limits.textByteCount + 1)
            handle(.configurationRead(text))
        } catch {
            handle(.configurationUnreadable(reason: error.description))
        }
    }

    private func notify(_ state: String) {
        guard state == "RELOADING=1" else { return notifier.notify(state) }
        notifier.notify("\(state)\nMONOTONIC_USEC=\(Reactor.now().nanoseconds / 1000)")
    }

    /// Every line as front wrote it: `FILE:LINE:COLUMN: error: MESSAGE`.
    private func printRefusal(_ text: String) {
        for line in text.split(separator: "\n") { log.write(String(line), level: .error) }
    }
}
