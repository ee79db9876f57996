// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxIO
import Primitives
import Recording
import Testing

@testable import Daemon

@Suite("The way of a recorded step to front")
struct RecordingTapTests {
    @Test("a process never waits for front: beyond the queue's limit steps are counted and lost")
    func overLimit() throws {
        let reactor = try Reactor()
        var counts: [String: Int] = [:]
        let tap = RecordingTap(on: reactor) { counts[$0, default: 0] += 1 }
        tap.start("redundancy", .redundancy)
        var made: [UInt64] = []
        for _ in 0..<RecordingTap.Limits.waitingSteps {
            tap.step("redundancy") { _, number in
                made.append(number)
                return [1]
            }
        }
        #expect(made.isEmpty, "lines are made later")
        #expect(counts == ["recording.dropped": 1])
        tap.finish()
        #expect(counts == ["recording.dropped": 1], "front cannot be reached: they wait")
        var lines = 0
        tap.send = { _ in
            lines += 1
            return true
        }
        tap.finish()
        #expect(lines == RecordingTap.Limits.waitingSteps)
        #expect(made == Array(1..<UInt64(RecordingTap.Limits.waitingSteps)), "the last one is missing by its number")
        tap.step("redundancy") { _, _ in [UInt8](repeating: 0, count: ProcessMessage.maximumByteCount) }
        tap.finish()
        #expect(counts["recording.lineOverLimit"] == 1)
        tap.step("never started") { _, _ in [] }
        tap.finish()
        #expect(lines == RecordingTap.Limits.waitingSteps)
    }

    @Test("the file ends at its limit, and says so by a counter")
    func fileLimit() throws {
        let path = "/tmp/havpn-recording-\(UInt32.random(in: 0 ... .max))"
        let descriptor = try AppendedFile.create(path)
        let again = try descriptor.duplicate()
        var file = RecordingFile(AppendedFile(adopting: descriptor))
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        for _ in 1..<RecordingFile.maximumByteCount >> 20 { #expect(file.append(line) == nil) }
        #expect(file.append(line) == "recording.overLimit")
        #expect(file.append([1]) == "recording.overLimit", "nothing follows a gap")
        // Whoever takes over the same file goes on where it ended.
        var successor = RecordingFile(AppendedFile(adopting: again))
        #expect(successor.append(line) == "recording.overLimit")
        unlink(path)
    }
}
