// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// What lets a process keep its times on a busy machine.
public enum RealTime {
    /// Makes the calling thread SCHED_RR with `priority` (1 to 99); children start without it.
    ///
    /// The kernel ends a process that computes for two seconds without waiting once (RLIMIT_RTTIME), so that a fault of
    /// ours does not take a processor for ever.
    public static func schedule(priority: Int32) throws(SystemError) {
        var limit = rlimit(rlim_cur: 2_000_000, rlim_max: 2_000_000)
        let realTimeLimit: UInt32 = 15
        guard setrlimit(__rlimit_resource_t(realTimeLimit), &limit) == 0 else {
            throw .last("RLIMIT_RTTIME")
        }
        var parameters = sched_param()
        parameters.sched_priority = priority
        let resetOnFork: Int32 = 0x4000_0000
        guard sched_setscheduler(0, SCHED_RR | resetOnFork, &parameters) == 0 else {
            throw .last("sched_setscheduler")
        }
    }

    /// Puts the process before ordinary ones without taking the processor from them; -20 (most) to 19.
    ///
    /// Needs CAP_SYS_NICE for negative values; the value outlasts the capability.
    public static func favour(niceness: Int32) throws(SystemError) {
        guard setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness) == 0 else {
            throw .last("setpriority")
        }
    }

    /// Keeps every page in memory from its first touch on.
    public static func lockMemory() throws(SystemError) {
        guard havpn_lock_memory_on_fault() == 0 else { throw .last("mlockall") }
    }
}
