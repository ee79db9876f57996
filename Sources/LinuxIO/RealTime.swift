// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
public import Primitives

/// What lets a process keep its times on a busy machine.
public enum RealTime {
    /// Makes the calling thread SCHED_RR with `priority` (1 to 99); children start without it.
    ///
    /// The kernel ends a process that computes for two seconds without waiting once (RLIMIT_RTTIME), so that a fault of
    /// ours does not take a processor for ever.
    public static func schedule(priority: Int32) throws(SystemError) {
        try limitTime()
        try raise(0, priority: priority)
    }

    /// Makes another process of ours (0: the calling thread) SCHED_RR, until it calls `relax`.
    ///
    /// It must have been permitted to, or the caller has CAP_SYS_NICE.
    public static func raise(_ process: Int32, priority: Int32) throws(SystemError) {
        var parameters = sched_param()
        parameters.sched_priority = priority
        let resetOnFork: Int32 = 0x4000_0000
        guard sched_setscheduler(process, SCHED_RR | resetOnFork, &parameters) == 0 else {
            throw .last("sched_setscheduler")
        }
    }

    private static func limitTime() throws(SystemError) {
        var limit = rlimit(rlim_cur: 2_000_000, rlim_max: 2_000_000)
        let realTimeLimit: UInt32 = 15
        guard setrlimit(__rlimit_resource_t(realTimeLimit), &limit) == 0 else {
            throw .last("RLIMIT_RTTIME")
        }
    }

    /// Lets the process be made SCHED_RR up to `priority` later, when it has given up the capability for it.
    public static func permit(priority: UInt) throws(SystemError) {
        try limitTime()
        var limit = rlimit(rlim_cur: rlim_t(priority), rlim_max: rlim_t(priority))
        let priorityLimit: UInt32 = 14
        guard setrlimit(__rlimit_resource_t(priorityLimit), &limit) == 0 else { throw .last("RLIMIT_RTPRIO") }
    }

    /// Ends what `schedule` began; the niceness is as before.
    public static func relax() throws(SystemError) {
        var parameters = sched_param()
        let resetOnFork: Int32 = 0x4000_0000
        guard sched_setscheduler(0, SCHED_OTHER | resetOnFork, &parameters) == 0 else {
            throw .last("sched_setscheduler")
        }
    }

    /// The processor time that the calling thread has used.
    public static var processorTime: Interval {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Interval(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
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

    /// Maps every page of the program's code and constants now, so that no step taken for the first time waits for one.
    ///
    /// The pages stay shared with the page cache and cost no private memory. A kernel before 5.14 refuses, harmlessly.
    public static func mapProgram() {
        guard let text = try? readSmallFile("/proc/self/maps", maximumByteCount: 1 << 20) else { return }
        let populateForReading: Int32 = 22  // MADV_POPULATE_READ, linux/mman.h
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let fields = String(decoding: line, as: UTF8.self).split(separator: " ")
            guard fields.count >= 6, fields[1].hasPrefix("r"), !fields[1].contains("w"), fields[5].hasPrefix("/")
            else { continue }
            let ends = fields[0].split(separator: "-").compactMap { UInt(String($0), radix: 16) }
            guard ends.count == 2, let start = UnsafeMutableRawPointer(bitPattern: ends[0]) else { continue }
            _ = madvise(start, Int(ends[1] - ends[0]), populateForReading)
        }
    }
}
