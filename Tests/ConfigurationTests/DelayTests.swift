// SPDX-License-Identifier: Apache-2.0

import Configuration
import Testing

@Suite("standby delay and preempt delay")
struct DelayTests {
    private static let base = "interface eth1\n standby 10 ip 10.1.0.100\n"

    private func interface(_ lines: String) throws -> Model.Interface {
        let result = read(Self.base + lines)
        #expect(result.diagnostics.isEmpty, "\(result.diagnostics)")
        return try #require(result.model).interfaces[0]
    }

    @Test("every part of both, in any order, in one line or several")
    func parts() throws {
        let one = try interface(" standby delay minimum 30 reload 60\n standby 10 preempt delay min 5 rel 10 sy 20\n")
        #expect(one.startMinimumDelaySeconds == 30 && one.startReloadDelaySeconds == 60)
        let group = one.groups[0]
        #expect(group.preempt && group.preemptMinimumDelaySeconds == 5)
        #expect(group.preemptReloadDelaySeconds == 10 && group.preemptSyncDelaySeconds == 20)
        let other = try interface(
            " standby delay reload 60 minimum 30\n standby 10 preempt delay sync 20\n"
                + " standby 10 preempt delay reload 10 minimum 5\n standby 10 preempt\n")
        #expect(other == one)
        #expect(try interface(" standby delay reload 7\n").startMinimumDelaySeconds == 0)
        #expect(try interface(" standby delay minimum 7\n").startReloadDelaySeconds == nil)
    }

    @Test("no takes back all delays, and preemption only where it is meant")
    func negated() throws {
        let plain = try interface(" standby 10 preempt\n")
        let lines = " standby delay minimum 30 reload 60\n standby 10 preempt delay minimum 5 reload 10 sync 20\n"
        #expect(try interface(lines + " no standby delay\n no standby 10 preempt delay\n") == plain)
        #expect(try interface(lines + " no standby delay minimum 30\n no standby 10 preempt\n") == interface(""))
    }

    @Test(
        "what is wrong is said with its place",
        arguments: [
            ("standby delay", "3:15", "expected `minimum` or `reload` at the end of the line"),
            ("standby delay 30", "3:16", "expected `minimum` or `reload`, found `30`"),
            ("standby delay minimum", "3:23", "a number from 0 to 10000, at the end of the line"),
            ("standby delay minimum 10001", "3:24", "a number from 0 to 10000, found `10001`"),
            ("standby delay minimum 5 relod 6", "3:26", "did you mean `reload`?"),
            ("standby 10 preempt delay", "3:26", "expected `minimum`, `reload` or `sync`"),
            ("standby 10 preempt delay minimum", "3:34", "a number from 0 to 3600, at the end of the line"),
            ("standby 10 preempt delay reload 3601", "3:34", "a number from 0 to 3600, found `3601`"),
            ("standby 10 preempt minimum 5", "3:21", "expected `delay`, found `minimum`"),
        ])
    func faults(line: String, place: String, message: String) throws {
        let result = read(Self.base + " " + line)
        let error = try #require(result.errors.first)
        #expect(error.description.hasPrefix("test.conf:\(place): error: "), "\(error)")
        #expect(error.message.contains(message), "\(error)")
        #expect(result.errors.count == 1, "\(result.errors)")
    }
}
