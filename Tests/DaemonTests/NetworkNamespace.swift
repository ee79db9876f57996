// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Testing

@testable import LinuxIO

/// A network of its own for one test, so that nothing on the machine is touched.
enum NetworkNamespace {
    /// Namespaces need root.
    static var isAvailable: Bool { geteuid() == 0 }

    /// Runs `body` in a fresh namespace; the calling thread is back in its own afterwards.
    static func run(_ body: () throws -> Void) throws {
        let home = try Descriptor(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), from: "open namespace")
        guard havpn_enter_network(-1) == 0 else { throw SystemError.last("unshare") }
        defer {
            guard havpn_enter_network(home.rawValue) == 0 else { fatalError("cannot leave the namespace") }
        }
        try body()
    }

    /// Runs `ip` with these words in the calling thread's namespace; tells whether it succeeded.
    static func ip(_ words: String) -> Bool {
        var process: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = (["ip"] + words.split(separator: " ").map(String.init)).map {
            strdup($0)
        }
        defer { for argument in arguments { free(argument) } }
        arguments.append(nil)
        guard posix_spawnp(&process, "ip", nil, nil, arguments, environ) == 0 else { return false }
        var status: Int32 = 0
        waitpid(process, &status, 0)
        return status == 0
    }
}
