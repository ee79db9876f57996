// SPDX-License-Identifier: Apache-2.0

import LinuxIO

/// The process that owns the virtual addresses: HSRP, tracking, fence, MAC and lease, in one real-time loop.
enum FailoverProcess {
    /// Low among the real-time priorities: above everything ordinary, below the kernel's own threads.
    static let realTimePriority: Int32 = 10

    /// Runs until the supervisor says `stop` and everything is released; returns the exit status.
    ///
    /// - Parameters:
    ///   - supervisor: our end of the socketpair with the supervisor.
    ///   - isRecording: what the groups' machines do is recorded.
    static func run(supervisor: consuming Descriptor, isRecording: Bool) -> Int32 {
        do {
            let reactor = try Reactor()
            let channel = try ProcessChannel(supervisor, peer: .supervisor, on: reactor)
            let node = try FailoverNode(supervisor: channel, isRecording: isRecording, on: reactor)
            becomeRealTime(node)
            try reactor.run()
            node.finish()
            return 0
        } catch {
            _ = StandardError.write(line: "%HAVPN-3-FAILOVER: cannot run: \(error)")
            return 1
        }
    }

    private static func becomeRealTime(_ node: FailoverNode) {
        do {
            try RealTime.schedule(priority: realTimePriority)
            try RealTime.lockMemory()
        } catch {
            node.log("%HAVPN-4-REALTIME: \(error): hellos may be late on a busy machine")
        }
    }
}
