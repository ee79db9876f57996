// SPDX-License-Identifier: Apache-2.0

import Configuration
import LinuxIO

/// What `havpnd` does, as its command line says: the daemon, one of its processes, or a tool.
public enum Program {
    /// Runs the daemon until SIGTERM; returns the exit status.
    ///
    /// - Parameters:
    ///   - configurationPath: the configuration file.
    ///   - runtimeDirectory: where `control.sock` goes.
    ///   - logLevel: error, warning, notice, info or debug; nil if the name is none of them.
    ///   - recordingPath: where the machines' steps are recorded, if they are.
    public static func runDaemon(
        configurationPath: String, runtimeDirectory: String, logLevel: String, recordingPath: String?
    ) -> Int32? {
        guard let level = LogLevel(name: logLevel) else { return nil }
        return Supervisor.run(
            Supervisor.Options(
                configurationPath: configurationPath, runtimeDirectory: runtimeDirectory, logLevel: level,
                recordingPath: recordingPath))
    }

    /// Runs one of the daemon's processes, whose channel to the supervisor is descriptor 3; nil for an unknown role.
    public static func runChild(role name: String, configurationPath: String, isRecording: Bool) -> Int32? {
        guard let role = ProcessRole.allCases.first(where: { "\($0)" == name }), role != .supervisor else { return nil }
        ChildProcess.setName("havpnd")
        ChildProcess.ignoreBrokenPipes()
        // Words about the role pass through replication: they may not wait behind a routing daemon's table.
        if role == .replication {
            try? RealTime.favour(niceness: -15)
            try? RealTime.permit(priority: UInt(ReplicationProcess.urgentPriority))
        }
        if role != .front { RealTime.mapProgram() }
        do {
            try Privileges.drop(keeping: role.capabilities)
        } catch {
            StandardError.print("%HAVPN-2-PRIVILEGES: \(role): \(error)")
            return 1
        }
        let supervisor = Descriptor(owning: Spawner.channelDescriptor)
        switch role {
        case .front: return FrontProcess.run(supervisor: supervisor, fileName: configurationPath)
        case .failover: return FailoverProcess.run(supervisor: supervisor, isRecording: isRecording)
        default: return ReplicationProcess.run(supervisor: supervisor, isRecording: isRecording)
        }
    }

    /// Becomes a program that is not ours, as a process that the supervisor has started; returns only with a failure.
    public static func runScript(path: String, user: String, variables: [String], mayBeRoot: Bool) -> Int32 {
        ProgramStarter.become(
            ForeignProgram(path: path, user: user, variables: variables, mayBeRoot: mayBeRoot),
            channel: Descriptor(owning: Spawner.channelDescriptor))
    }

    /// Parses and validates a file; prints every fault and warning; returns 1 if it would be refused.
    public static func check(configurationPath path: String) -> Int32 {
        let text: [UInt8]
        do {
            text = try readSmallFile(path, maximumByteCount: Configuration.Limits.textByteCount + 1)
        } catch {
            StandardError.print("\(path):1:1: error: cannot read: \(error)")
            return 1
        }
        let result = load(text, fileName: path)
        for diagnostic in result.diagnostics { StandardError.print(diagnostic.description) }
        return result.model == nil ? 1 : 0
    }

    /// Removes addresses and virtual MACs that a dead daemon has left; fences stay.
    ///
    /// The unit's `ExecStopPost` calls it.
    public static func sweep() -> Int32 {
        do {
            // While a daemon lives, what stands is not left behind.
            let lock = try InstanceLock(name: Supervisor.lockName)
            var status: Int32 = 0
            let cleaner = try DeathCleaner { line in
                StandardError.print(line)
                status = 1
            }
            cleaner.sweep()
            withExtendedLifetime(lock) {}
            return status
        } catch {
            StandardError.print("sweep: \(error)")
            return 1
        }
    }
}

extension ProcessRole {
    /// What the process keeps when it stops being root.
    fileprivate var capabilities: [Capability] {
        switch self {
        case .failover: [.networkAdministration, .rawNetwork, .realTimeScheduling, .memoryLock]
        case .replication: [.networkAdministration]
        case .front, .supervisor: []
        }
    }
}
