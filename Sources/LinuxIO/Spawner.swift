// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// Starts this very program again in another role.
public enum Spawner {
    /// The descriptor number at which a child finds its channel to the supervisor.
    public static let channelDescriptor: Int32 = 3

    /// Starts `/proc/self/exe` with `arguments`, standard streams kept, and one more descriptor at number 3.
    ///
    /// - Parameters:
    ///   - name: what the command line shows, `havpnd: failover`.
    ///   - arguments: what follows it.
    ///   - channel: the descriptor that the child finds as number 3; all others of ours are closed in it.
    /// - Returns: the child's process id.
    public static func start(name: String, arguments: [String], channel: Int32) throws(SystemError) -> Int32 {
        // The duplicate has a higher number: one "duplicated" onto its own number would stay close-on-exec.
        let source = try Descriptor.duplicate(channel)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, source.rawValue, channelDescriptor)
        // What somebody left open in us without close-on-exec is nothing for a child either.
        _ = havpn_close_from(&actions, channelDescriptor + 1)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        // A group of its own: what a terminal sends to the parent's group is the parent's to pass on, in order.
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var process: pid_t = 0
        let code = withCStrings([name] + arguments) { words in
            withCStrings(environment()) { variables in
                posix_spawn(&process, "/proc/self/exe", &actions, &attributes, words, variables)
            }
        }
        guard code == 0 else { throw SystemError("posix_spawn \(name)", code: code) }
        return process
    }

    /// What a child may know of our environment, and that it must die at once when it crashes.
    private static func environment() -> [String] {
        let names: [String] = ["PATH", "LANG", "TZ", "HAVPN_LOG_LEVEL"]
        let kept = names.compactMap { key in
            getenv(key).map { "\(key)=\(String(cString: $0))" }
        }
        return kept + ["SWIFT_BACKTRACE=enable=no"]
    }

}

/// Calls `body` with the strings as C has them, a null pointer behind the last one.
func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("an array with a terminator has a base") }
        return body(base)
    }
}

/// A child process and how it ended.
public enum ChildProcess {
    /// How a process ended.
    public enum End: Hashable, Sendable, CustomStringConvertible {
        /// It returned this status.
        case exited(Int32)
        /// This signal killed it.
        case killed(Int32)

        /// A text for logs.
        public var description: String {
            switch self {
            case .exited(let status): "exited with status \(status)"
            case .killed(let signal): "killed by signal \(signal)"
            }
        }
    }

    /// Collects one child that has ended, nil when none has.
    ///
    /// `isEnding` hears of it before it is collected: until then neither its number nor its group's means anybody else.
    public static func reap(isEnding: (Int32) -> Void = { _ in }) -> (process: Int32, end: End)? {
        let ended = havpn_peek_ended()
        guard ended > 0 else { return nil }
        isEnding(ended)
        var status: Int32 = 0
        let process = waitpid(ended, &status, WNOHANG)
        guard process > 0 else { return nil }
        let signal = status & 0x7f
        return (process, signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal))
    }

    /// Sends a signal to a child that has not been reaped yet.
    public static func signal(_ process: Int32, _ number: Int32) { _ = kill(process, number) }

    /// Kills a child's process group whole, the child included; the child has not been collected yet.
    public static func killGroup(_ process: Int32) { _ = killpg(process, SIGKILL) }

    /// Has writes to a closed pipe fail instead of ending this process; a child has to ask anew.
    public static func ignoreBrokenPipes() { Glibc.signal(SIGPIPE, SIG_IGN) }

    /// Shows `name` as this process's name in process lists that do not print the command line (at most 15 bytes).
    public static func setName(_ name: String) {
        name.withCString { _ = havpn_set_name($0) }
    }
}

/// Numbers of signals, so that callers need not import the C library.
public enum SignalNumber {
    /// SIGTERM.
    public static var terminate: Int32 { SIGTERM }
    /// SIGINT.
    public static var interrupt: Int32 { SIGINT }
    /// SIGHUP.
    public static var hangUp: Int32 { SIGHUP }
    /// SIGCHLD.
    public static var child: Int32 { SIGCHLD }
    /// SIGKILL.
    public static var kill: Int32 { SIGKILL }
}
