// SPDX-License-Identifier: Apache-2.0

import LinuxIO

/// The file of `--record`, which the supervisor has opened: lines of the other processes, up to a limit.
struct RecordingFile {
    /// The size behind which nothing is written any more: what came first is what a replay needs.
    static let maximumByteCount = 64 << 20

    private let file: AppendedFile
    private var isFull = false

    /// Takes over the open file.
    init(_ file: consuming AppendedFile) { self.file = file }

    /// Appends a line; returns the counter to raise where it cannot be.
    mutating func append(_ text: [UInt8]) -> String? {
        guard !isFull, file.byteCount + text.count < Self.maximumByteCount else {
            isFull = true
            return "recording.overLimit"
        }
        guard file.append(text + [UInt8(ascii: "\n")]) else {
            // Half a line is the last one.
            isFull = true
            return "recording.failed"
        }
        return nil
    }
}
