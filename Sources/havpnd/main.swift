// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
import Daemon

/// The daemon's command line.
struct HAVPNDaemon: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "havpnd", abstract: "Makes two VPN gateways one: HSRP failover and replicated SAs.")

    @Option(name: .customLong("config"), help: "The configuration file.")
    var configurationPath = "/etc/havpn/havpnd.conf"

    @Option(help: "Where control.sock goes.")
    var runtimeDirectory = "/run/havpnd"

    @Option(help: "error, warning, notice, info or debug.")
    var logLevel = "notice"

    @Option(help: "Record what the machines do to a new file.")
    var record: String?

    @Flag(help: "Parse and validate the configuration only; exit 1 if it would be refused.")
    var check = false

    @Flag(help: "Remove addresses and virtual MACs that a dead daemon has left.")
    var sweep = false

    @Option(help: .hidden)
    var role: String?

    @Flag(help: .hidden)
    var recording = false

    @Option(help: .hidden)
    var script: String?

    @Option(help: .hidden)
    var user = ""

    @Option(name: .customLong("variable"), help: .hidden)
    var variables: [String] = []

    @Flag(help: .hidden)
    var mayBeRoot = false

    mutating func run() throws {
        if let script {
            throw ExitCode(
                Program.runScript(path: script, user: user, variables: variables, mayBeRoot: mayBeRoot))
        }
        if let role {
            let status = Program.runChild(
                role: role, configurationPath: configurationPath, isRecording: recording)
            guard let status else {
                throw ValidationError("unknown role \(role)")
            }
            throw ExitCode(status)
        }
        if check { throw ExitCode(Program.check(configurationPath: configurationPath)) }
        if sweep { throw ExitCode(Program.sweep()) }
        let status = Program.runDaemon(
            configurationPath: configurationPath, runtimeDirectory: runtimeDirectory, logLevel: logLevel,
            recordingPath: record)
        guard let status else { throw ValidationError("unknown log level \(logLevel)") }
        throw ExitCode(status)
    }
}

HAVPNDaemon.main()
