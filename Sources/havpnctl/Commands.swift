// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Configuration
import Control
import LinuxIO

/// Draws one of the daemon's screens.
struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows a screen of the daemon.",
        discussion: Screen.all.map { "show \($0.words.joined(separator: " "))  (\($0.help))" }.joined(separator: "\n"))

    @OptionGroup var options: Options
    @Argument(help: "What to show.")
    var words: [String] = []

    func run() throws {
        let screen: Screen
        do {
            screen = try Screen.find(words)
        } catch {
            throw ValidationError(error.message)
        }
        let answer = try Connection(options).ask(screen.request)
        if options.json { return Output.write(answer + [UInt8(ascii: "\n")]) }
        do {
            Output.write([UInt8](try screen.text(for: answer).utf8))
        } catch {
            throw Output.fail("the daemon's answer is not one that this release knows", status: 1)
        }
    }
}

/// Follows events.
struct Monitor: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Follows events, one a line, until it is interrupted.")

    @OptionGroup var options: Options

    func run() throws {
        try Connection(options).follow(ControlRequest(.monitor)) { frame in
            if options.json { return Output.write(frame + [UInt8(ascii: "\n")]) }
            guard let event = try? decodeJSON(EventView.self, from: frame) else { return }
            Output.write([UInt8]((event.text + "\n").utf8))
        }
    }
}

/// Hands the role over.
struct Switchover: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Hands the role over to the standby, if it is STANDBY HOT.")

    @OptionGroup var options: Options
    @Option(help: "The name of the group; by default the one of the scheme.")
    var group: String?
    @Flag(name: .customLong("no-wait"), help: "Return at once, not when the peer is Active.")
    var noWait = false
    @Flag(help: "Even if the standby is not HOT: tunnels are lost.")
    var force = false

    func run() throws {
        var request = ControlRequest(.switchover)
        request.group = group
        request.wait = !noWait
        request.force = force
        let answer = try Connection(options).ask(request)
        try Output.show(answer, as: SwitchoverView.self, json: options.json) { $0.text }
    }
}

/// Reads the configuration again.
struct ReloadConfiguration: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Has the daemon read its configuration again.")

    @OptionGroup var options: Options

    func run() throws {
        let answer = try Connection(options).ask(ControlRequest(.reload))
        try Output.show(answer, as: ReloadView.self, json: options.json) { $0.text }
    }
}

/// Prints metrics.
struct PrintMetrics: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "metrics", abstract: "Prints Prometheus text.")

    @OptionGroup var options: Options

    func run() throws {
        let answer = try Connection(options).ask(ControlRequest(.metrics))
        try Output.show(answer, as: MetricsView.self, json: options.json) { $0.text }
    }
}

/// Checks a file without a daemon.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reads a configuration without a daemon and prints its faults.")

    @OptionGroup var options: Options
    @Argument(help: "The configuration file.")
    var file: String

    func run() throws {
        let text: [UInt8]
        do {
            text = try readSmallFile(file, maximumByteCount: Configuration.Limits.textByteCount + 1)
        } catch {
            if options.json { throw Output.fail("cannot \(error)", status: 1, json: true, code: "unreadable") }
            Output.error("\(file):1:1: error: cannot \(error)\n")
            throw ExitCode(1)
        }
        let result = load(text, fileName: file)
        if options.json {
            Output.write(encodeJSON(CheckView(result)) + [UInt8(ascii: "\n")])
        } else {
            for diagnostic in result.diagnostics { Output.error("\(diagnostic)\n") }
        }
        if result.model == nil { throw ExitCode(1) }
    }
}

/// What `check --json` prints.
struct CheckView: Codable {
    /// Whether the file would be accepted.
    let valid: Bool
    /// Its faults.
    let diagnostics: [Fault]

    init(_ result: LoadResult) {
        valid = result.model != nil
        diagnostics = result.diagnostics.map {
            Fault(
                file: $0.fileName, line: $0.position.line, column: $0.position.column, severity: $0.severity.rawValue,
                message: $0.message)
        }
    }

    /// One diagnostic.
    struct Fault: Codable {
        let file: String
        let line: Int
        let column: Int
        let severity: String
        let message: String
    }
}
