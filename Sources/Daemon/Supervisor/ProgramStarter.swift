// SPDX-License-Identifier: Apache-2.0

import LinuxIO

/// Starts other people's programs, and hears from what was started why it could not become one.
final class ProgramStarter {
    private let configurationDirectory: String
    /// Where a process says why it could not become its program, by process.
    private var channels: [Int32: MessageSocket] = [:]
    private static let wordsByteCount = 256

    /// The configuration's own directory is an allowed place for programs.
    init(configurationDirectory: String) { self.configurationDirectory = configurationDirectory }

    /// Starts this very program again, to become the one at `path`; returns its process.
    func start(_ program: ForeignProgram) throws -> Int32 {
        var resolved = program
        resolved.path = try TrustedPath.resolve(program.path, besides: configurationDirectory)
        let (ours, theirs) = try MessageSocket.pair()
        let descriptor = theirs.take()
        let process = try Spawner.start(
            name: "havpnd: script", arguments: resolved.arguments, channel: descriptor.rawValue)
        channels[process] = MessageSocket(ours.take(), maximumByteCount: Self.wordsByteCount)
        return process
    }

    /// Whether a process was started here and has not been collected.
    func owns(_ process: Int32) -> Bool { channels[process] != nil }

    /// Forgets a process that has ended; returns why it never became its program, nil if it did.
    func collect(_ process: Int32) -> String? {
        guard let channel = channels.removeValue(forKey: process), case .message(let words, _)? = try? channel.receive()
        else { return nil }
        return String(decoding: words, as: UTF8.self)
    }

    /// What the started process does: it becomes the program, or says why not and ends.
    static func become(_ program: ForeignProgram, channel: consuming Descriptor) -> Int32 {
        let number = channel.rawValue
        let socket = MessageSocket(channel, maximumByteCount: wordsByteCount)
        do {
            try ScriptExecution.execute(program, channel: number)
        } catch {
            _ = try? socket.send(Array(error.description.utf8.prefix(wordsByteCount)))
        }
        return 1
    }
}

extension ForeignProgram {
    /// The command line by which `havpnd` becomes it.
    fileprivate var arguments: [String] {
        var words = ["--script", path, "--user", user]
        if mayBeRoot { words.append("--may-be-root") }
        for variable in variables { words += ["--variable=\(variable)"] }
        return words
    }
}
