// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Control
import LinuxIO

/// Where text goes.
enum Output {
    /// Writes to standard output; a reader that has gone ends the program quietly.
    static func write(_ bytes: [UInt8]) { StandardOutput.write(bytes, toError: false) }

    /// Writes to standard error.
    static func error(_ text: String) { StandardOutput.write([UInt8](text.utf8), toError: true) }

    /// Prints an answer, drawn or as it came.
    static func show<View: Decodable>(
        _ answer: [UInt8], as view: View.Type, json: Bool, draw: (View) -> String
    ) throws {
        if json { return write(answer + [UInt8(ascii: "\n")]) }
        guard let view = try? decodeJSON(View.self, from: answer) else {
            throw fail("the daemon's answer is not one that this release knows", status: 1)
        }
        write([UInt8](draw(view).utf8))
    }

    /// Says what is wrong, and gives the exit status to throw.
    static func fail(_ message: String, status: Int32, json: Bool = false, code: String = "failed") -> ExitCode {
        if json {
            write(encodeJSON(ErrorView(code: code, message: message)) + [UInt8(ascii: "\n")])
        } else {
            error("% \(message)\n")
        }
        return ExitCode(status)
    }
}
