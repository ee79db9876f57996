// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// A program that is not ours, and as whom it runs.
public struct ForeignProgram: Hashable, Sendable {
    /// The absolute path.
    public var path: String
    /// The user's name.
    public var user: String
    /// `NAME=value` each, beside `PATH`.
    public var variables: [String]
    /// Whether `user` may be root; it then has the capabilities that the daemon has.
    public var mayBeRoot: Bool

    /// Names a program.
    public init(path: String, user: String, variables: [String], mayBeRoot: Bool = false) {
        self.path = path
        self.user = user
        self.variables = variables
        self.mayBeRoot = mayBeRoot
    }
}

/// The last steps of a process that was started to become somebody else's program.
public enum ScriptExecution {
    /// Why a program was not executed.
    public enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// The user does not exist.
        case unknownUser(String)
        /// The user is root, or the daemon's own.
        case forbiddenUser(String)
        /// A system call failed.
        case system(SystemError)

        /// A text for screens.
        public var description: String {
            switch self {
            case .unknownUser(let name): "user \(name) does not exist"
            case .forbiddenUser(let name): "may not run as \(name)"
            case .system(let error): error.description
            }
        }
    }

    /// Becomes the program's user without any capability, and then the program, without arguments; never returns well.
    ///
    /// Standard streams lead nowhere, the directory is `/`, the environment holds a path and the program's variables. The
    /// kernel kills the program when this process's parent ends. The descriptor `channel` closes with success. A process
    /// that is not root (as in tests) stays what it is.
    public static func execute(_ program: ForeignProgram, channel: Int32) throws(Refusal) -> Never {
        guard havpn_set_close_on_exec(channel, 1) == 0 else { throw .system(.last("close on exec")) }
        if geteuid() == 0 { try become(program.user, mayBeRoot: program.mayBeRoot) }
        guard havpn_die_with_parent() == 0 else { throw .system(.last("PR_SET_PDEATHSIG")) }
        guard chdir("/") == 0 else { throw .system(.last("chdir")) }
        let nowhere = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard nowhere >= 0 else { throw .system(.last("open /dev/null")) }
        for stream in Int32(0)...2 {
            guard dup2(nowhere, stream) == stream else { throw .system(.last("dup2")) }
        }
        let environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] + program.variables
        withCStrings([program.path]) { words in
            withCStrings(environment) { variables in
                _ = execve(program.path, words, variables)
            }
        }
        throw .system(.last(program.path))
    }

    private static func become(_ user: String, mayBeRoot: Bool) throws(Refusal) {
        guard let account = Privileges.Account(name: user) else { throw .unknownUser(user) }
        guard account.user != 0 || mayBeRoot, user != "havpn" else { throw .forbiddenUser(user) }
        guard account.user != 0 else { return }
        guard havpn_become(account.user, account.group, 0) == 0 else { throw .system(.last("become \(user)")) }
    }
}
