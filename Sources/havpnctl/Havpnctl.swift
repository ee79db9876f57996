// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Control
import LinuxIO

/// Asks the daemon, and draws what it answers.
@main
struct Havpnctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "havpnctl",
        abstract: "Shows and commands the havpnd that runs on this node.",
        discussion: """
            Exit status: 0 done, 1 the daemon says no, 2 usage, 3 no daemon.
            Words may be abbreviated where they stay unambiguous: havpnctl sh st br
            """,
        version: "havpnctl \(Release.version)",
        subcommands: [
            Show.self, Monitor.self, Switchover.self, ReloadConfiguration.self, Check.self, MakeIdentity.self,
            PrintFingerprint.self, PrintMetrics.self,
        ])

    @OptionGroup var options: Options

    static func main() {
        do {
            let arguments = Options.arrange(Array(CommandLine.arguments.dropFirst()), commands: commandNames)
            if let first = arguments.first, !first.hasPrefix("-"), !commandNames.contains(first) {
                throw ValidationError(
                    "expected \(commandNames.joined(separator: ", ")), found `\(first)`")
            }
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch let status as ExitCode {
            Self.exit(withError: status)
        } catch {
            let code = exitCode(for: error)
            guard code != .success else { Self.exit(withError: error) }
            Output.error(fullMessage(for: error) + "\n")
            Self.exit(withError: ExitCode(2))
        }
    }

    /// The words that may stand first.
    private static var commandNames: [String] { configuration.subcommands.map { $0._commandName } + ["help"] }
}

/// The options that every command takes, wherever they stand on the line.
struct Options: ParsableArguments {
    @Option(help: "The daemon's control socket.")
    var socket: String = Release.socketPath

    @Flag(help: "Print one JSON object.")
    var json = false

    /// Moves the common options behind the command and completes an abbreviated command.
    static func arrange(_ arguments: [String], commands: [String]) -> [String] {
        var words: [String] = []
        var options: [String] = []
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            index += 1
            if argument == "--" {
                words += arguments[(index - 1)...]
                break
            }
            if argument == "--json" || argument.hasPrefix("--socket=") {
                options.append(argument)
            } else if argument == "--socket", index < arguments.count {
                options += [argument, arguments[index]]
                index += 1
            } else {
                words.append(argument)
            }
        }
        if let first = words.first, !first.hasPrefix("-"), !commands.contains(first) {
            let matches = commands.filter { $0.hasPrefix(first.lowercased()) }
            if matches.count == 1 { words[0] = matches[0] }
        }
        return words.isEmpty || words[0].hasPrefix("-") ? options + words : [words[0]] + options + words.dropFirst()
    }
}
