// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import LinuxIO

@Suite("Log")
struct LogTests {
    private func makePipe() throws -> (DescriptorHolder, DescriptorHolder) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw SystemError("pipe", code: errno) }
        return (DescriptorHolder(Descriptor(owning: ends[0])), DescriptorHolder(Descriptor(owning: ends[1])))
    }

    @Test("lines are written whole, one each, without control characters, and filtered by level")
    func lines() throws {
        let (readHolder, writeHolder) = try makePipe()
        let reading = readHolder.take()
        let writing = writeHolder.take()
        let log = Log(threshold: .notice, descriptor: writing.rawValue)
        log.write("%HSRP-5-STATECHANGE: eth1 Grp 10 state Standby -> Active")
        log.write("detail", level: .debug)
        log.write("two\nlines\u{1b}[0m", level: .error)
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(reading.rawValue, &buffer, buffer.count)
        #expect(
            String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
                == "%HSRP-5-STATECHANGE: eth1 Grp 10 state Standby -> Active\ntwo lines [0m\n")
    }

    @Test("a reader that sleeps never stops the writer: lines wait, then drop, and the drops are told")
    func sleepingReader() throws {
        let (readHolder, writeHolder) = try makePipe()
        let reading = readHolder.take()
        let writing = writeHolder.take()
        let log = Log(descriptor: writing.rawValue)
        let line = String(repeating: "x", count: 1000)
        for _ in 0..<1000 { log.write(line) }
        #expect(log.droppedLines > 0)
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !String(decoding: text.suffix(60), as: UTF8.self).contains("lines dropped") {
            log.drain()
            var question = pollfd(fd: reading.rawValue, events: Int16(POLLIN), revents: 0)
            guard poll(&question, 1, 1000) == 1 else { break }
            text += buffer[..<read(reading.rawValue, &buffer, buffer.count)]
        }
        let lines = text.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 1000 - Int(log.droppedLines) + 1)
        #expect(lines.last.map { String(decoding: $0, as: UTF8.self) } == "log: \(log.droppedLines) lines dropped")
        #expect(lines.dropLast().allSatisfy { $0.count == 1000 })
    }

    @Test("the calendar's text has the form of RFC 3339")
    func calendar() {
        #expect(WallClock(seconds: 1_772_366_400, nanoseconds: 7_000_000).text == "2026-03-01T12:00:00.007Z")
    }
}
