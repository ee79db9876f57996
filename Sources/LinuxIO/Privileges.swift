// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// A capability that a process may keep after it stopped being root (`linux/capability.h`).
public enum Capability: UInt64, Sendable, CaseIterable {
    /// CAP_NET_ADMIN: addresses, links, rules, XFRM.
    case networkAdministration = 12
    /// CAP_NET_RAW: packet sockets, binding to a device.
    case rawNetwork = 13
    /// CAP_IPC_LOCK: locking memory.
    case memoryLock = 14
    /// CAP_SYS_NICE: real-time scheduling.
    case realTimeScheduling = 23
}

/// What a process gives up and what it keeps.
public enum Privileges {
    /// A warning that does not stop the process.
    public typealias Warning = String

    /// An account of the system.
    public struct Account: Hashable, Sendable {
        /// The user's number.
        public var user: UInt32
        /// The user's own group.
        public var group: UInt32
        /// The user's name.
        public var name: String

        /// Finds an account by name.
        public init?(name: String) {
            guard let entry = getpwnam(name) else { return nil }
            user = entry.pointee.pw_uid
            group = entry.pointee.pw_gid
            self.name = name
        }
    }

    /// Finds a group by name.
    public static func group(named name: String) -> UInt32? { getgrnam(name).map { $0.pointee.gr_gid } }

    /// Becomes the user `havpn`, or `nobody` where it does not exist, keeping only `capabilities`.
    ///
    /// Call it before anything else that could start a thread: the kernel keeps these per thread. A process that is
    /// not root (as in tests) stays what it is. The limits on new privileges, core dumps and tracing apply to all.
    public static func drop(keeping capabilities: [Capability]) throws(SystemError) {
        if geteuid() == 0, let account = Account(name: "havpn") ?? Account(name: "nobody") {
            try become(account, keeping: capabilities)
        }
        try harden()
    }

    /// Hardens the process that starts the others, and warns about what they will miss.
    public static func prepareParent() -> [Warning] {
        var warnings: [Warning] = []
        do {
            try harden()
        } catch {
            warnings.append("\(error)")
        }
        if geteuid() != 0 {
            warnings.append("not started as root: addresses, fences and SAs cannot be changed")
        } else if Account(name: "havpn") == nil {
            let other = Account(name: "nobody") == nil ? "root" : "nobody"
            warnings.append("user havpn does not exist: the child processes run as \(other)")
        }
        return warnings
    }

    /// Forbids core dumps, tracing by others and new privileges, for this process and what it starts.
    public static func harden() throws(SystemError) {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        guard setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none) == 0 else { throw .last("setrlimit core") }
        guard havpn_forbid_dumps() == 0 else { throw .last("PR_SET_DUMPABLE") }
        guard havpn_forbid_new_privileges() == 0 else { throw .last("PR_SET_NO_NEW_PRIVS") }
    }

    /// The capabilities that are in effect now, of those known here.
    public static var effective: Set<Capability> {
        let mask = havpn_effective_capabilities()
        return Set(Capability.allCases.filter { mask & (1 << $0.rawValue) != 0 })
    }

    private static func become(_ account: Account, keeping capabilities: [Capability]) throws(SystemError) {
        let mask = capabilities.reduce(UInt64(0)) { $0 | 1 << $1.rawValue }
        guard havpn_become(account.user, account.group, mask) == 0 else { throw .last("become \(account.name)") }
    }
}
