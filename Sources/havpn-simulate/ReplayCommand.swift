// SPDX-License-Identifier: Apache-2.0

import Recording

/// Replays the recording on standard input and says what differs.
enum ReplayCommand {
    /// Differences that are printed.
    static let printedLimit = 5

    /// Returns the exit status: 0 only where there are lines and all of them are the same.
    static func run() -> Int32 {
        var replay = Replay()
        var (lines, same, printed) = (0, 0, 0)
        while let line = readLine() {
            lines += 1
            let outcome = replay.take(Array(line.utf8))
            if outcome == .same {
                same += 1
                continue
            }
            guard outcome != .skipped, printed < printedLimit else { continue }
            printed += 1
            print("line \(lines): \(Self.text(of: outcome))")
        }
        print("\(lines) lines, \(same) the same")
        return lines > 0 && same == lines ? 0 : 1
    }

    private static func text(of outcome: Replay.Outcome) -> String {
        switch outcome {
        case .same: "the same"
        case .different(let recorded, let replayed): "recorded \(recorded), replayed \(replayed)"
        case .unreadable(let reason): "cannot be read: \(reason)"
        case .missing: "lines of this machine are missing before it"
        case .skipped: "its machine is not followed"
        }
    }
}
