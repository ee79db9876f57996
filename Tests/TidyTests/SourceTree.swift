// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The rooms in the order of the architecture document: arrows run upward only.
enum Rooms {
    static let pure = [
        "Primitives", "ByteCodec", "FirstHop", "Tracking", "SecurityAssociations", "Replication", "StrongSwan",
        "Netlink", "Configuration", "Control", "Recording",
    ]
    static let order =
        pure + [
            "SecureChannel", "CLinux", "CSCTP", "LinuxIO", "Daemon", "ClusterSimulation", "havpnd", "havpnctl",
            "havpn-simulate",
        ]
    /// Pure as well, though it stands behind the daemon.
    static let alsoPure: Set = ["ClusterSimulation"]
    /// Modules of the TLS library, which one room alone may know.
    static let secured: Set = ["NIOSSL", "NIOCore", "NIOEmbedded", "NIOTLS", "CNIOBoringSSL"]
    static let mayCallTheSystem: Set = ["LinuxIO"]
    static let impureModules: Set = [
        "Glibc", "CLinux", "CSCTP", "LinuxIO", "Foundation", "Dispatch", "Logging", "Synchronization",
    ]
}

/// One Swift file and what the checks want to know of it.
struct SourceFile {
    let path: String
    let room: String
    let text: String

    var lines: [Substring] {
        var all = text.split(separator: "\n", omittingEmptySubsequences: false)
        if all.last?.isEmpty == true { all.removeLast() }
        return all
    }

    /// The modules named by import lines.
    var imports: [String] {
        text.matches(
            of:
                #/(?m)^\s*(?:@\w+(?:\(\w+\))?\s+)?(?:public\s+|package\s+|internal\s+)?import\s+(?:struct\s+|enum\s+)?(\w+)/#
        )
        .map { String($0.1) }
    }

    /// Functions and initialisers with their length from `func` to the closing brace at the same indentation.
    var functions: [(name: String, length: Int)] {
        let lines = lines
        var found: [(String, Int)] = []
        for (start, line) in lines.enumerated() {
            guard line.firstMatch(of: #/^\s*(?:[\w@()]+\s+)*(?:func\s|init[?(<]|deinit)/#) != nil else { continue }
            guard !line.trimmingCharacters(in: .whitespaces).hasPrefix("//") else { continue }
            let indentation = line.prefix { $0 == " " }
            if line.hasSuffix("}") { continue }
            guard let end = lines[(start + 1)...].firstIndex(where: { $0 == indentation + "}" }) else { continue }
            found.append((line.trimmingCharacters(in: .whitespaces), end - start + 1))
        }
        return found
    }
}

/// All Swift files under `Sources`, found from this file's own place.
struct SourceTree {
    let sources: [SourceFile]

    init() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources")
        let walker = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
        var found: [SourceFile] = []
        while let url = walker?.nextObject() as? URL {
            guard url.pathExtension == "swift" else { continue }
            let relative = url.path.dropFirst(root.path.count + 1)
            let room = relative.split(separator: "/").first.map(String.init) ?? ""
            found.append(
                SourceFile(path: String(relative), room: room, text: try String(contentsOf: url, encoding: .utf8)))
        }
        sources = found.sorted { $0.path < $1.path }
    }
}
