// SPDX-License-Identifier: Apache-2.0

import LinuxIO

/// The unprivileged process that reads configurations and serves the control socket; it may be restarted at any time.
enum FrontProcess {
    /// Runs until the supervisor says `stop` or goes away; returns the exit status.
    ///
    /// - Parameters:
    ///   - supervisor: our end of the socketpair with the supervisor; descriptors and the file's text come over it.
    ///   - fileName: what diagnostics of the configuration begin with.
    static func run(supervisor: consuming Descriptor, fileName: String = "havpnd.conf") -> Int32 {
        do {
            let reactor = try Reactor()
            let channel = try ProcessChannel(supervisor, peer: .supervisor, on: reactor)
            let node = FrontNode(supervisor: channel, fileName: fileName, on: reactor)
            try reactor.run()
            withExtendedLifetime(node) {}
            return 0
        } catch {
            _ = StandardError.write(line: "%HAVPN-3-FRONT: cannot run: \(error)")
            return 1
        }
    }
}
