// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The processes of this machine, as `/proc` shows them to everybody.
public enum ProcessList {
    /// Bounds of a listing.
    public enum Limits {
        /// Processes that are looked at.
        public static let processes = 65_536
    }

    /// The kernel's name of a process (at most 15 bytes), nil where there is none or it is a zombie's.
    public static func name(of process: Int32) -> String? {
        // 1 (name with anything in it) S …
        guard let text = try? readSmallFile("/proc/\(process)/stat", maximumByteCount: 1024),
            let open = text.firstIndex(of: UInt8(ascii: "(")), let close = text.lastIndex(of: UInt8(ascii: ")")),
            open < close, close + 2 < text.count
        else { return nil }
        let zombie = UInt8(ascii: "Z")
        let dead = UInt8(ascii: "X")
        guard text[close + 2] != zombie, text[close + 2] != dead else { return nil }
        return String(decoding: text[(open + 1)..<close], as: UTF8.self)
    }

    /// All processes with their names.
    public static func all() -> [Int32: String] {
        guard let directory = opendir("/proc") else { return [:] }
        defer { closedir(directory) }
        var found: [Int32: String] = [:]
        while found.count < Limits.processes, let entry = readdir(directory) {
            let word = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let process = Int32(word), let name = name(of: process) else { continue }
            found[process] = name
        }
        return found
    }
}

/// Whether anything stands at a path, links followed.
public func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }
