// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing
import Tracking

@Suite("ip sla icmp-echo")
struct EchoTests {
    private struct Bench {
        var machine: EchoMachine

        init(frequency: Int = 1, timeout: Int? = 500, threshold: Int? = 100) {
            var operation = EchoOperation(number: 1, destination: IPv4Address(10, 1, 0, 5))
            operation.frequencySeconds = frequency
            operation.timeoutMilliseconds = timeout
            operation.thresholdMilliseconds = threshold
            machine = EchoMachine(operation)
        }

        mutating func at(_ milliseconds: Int, _ event: EchoMachine.Event) -> [EchoMachine.Action] {
            var actions: [EchoMachine.Action] = []
            machine.handle(event, at: Instant(nanoseconds: 0) + .milliseconds(milliseconds), actions: &actions)
            return actions
        }

        var due: Int? { machine.nextDeadline.map { Int($0.nanoseconds / 1_000_000) } }
    }

    @Test("an answer in time is OK, a late one over threshold, none a timeout")
    func codes() {
        var bench = Bench()
        #expect(bench.machine.observe(.reachability) == nil && bench.due == nil)
        #expect(bench.at(0, .started) == [.send(sequence: 1)])
        #expect(bench.due == 500)
        #expect(bench.at(20, .answered(sequence: 1)) == [.conclude])
        #expect(bench.machine.code == .ok && bench.machine.roundTrip == .milliseconds(20))
        #expect(bench.machine.observe(.state) == Observation(isUp: true))
        #expect(bench.due == 1000)
        #expect(bench.at(1000, .deadlineReached) == [.send(sequence: 2)])
        #expect(bench.at(1101, .answered(sequence: 2)) == [.conclude])
        #expect(bench.machine.observe(.reachability) == Observation(isUp: true, reason: "over threshold"))
        #expect(bench.machine.observe(.state) == Observation(isUp: false, reason: "over threshold"))
        #expect(bench.at(2000, .deadlineReached) == [.send(sequence: 3)])
        #expect(bench.at(2499, .deadlineReached) == [])
        #expect(bench.at(2500, .deadlineReached) == [.conclude])
        #expect(bench.machine.observe(.reachability) == Observation(isUp: false, reason: "Timeout"))
        #expect(bench.at(2600, .answered(sequence: 3)) == [])
        #expect(bench.machine.sentCount == 3 && bench.machine.answeredCount == 2 && bench.machine.lostCount == 1)
    }

    @Test("an answer to another question, or to one that was answered, is none")
    func strays() {
        var bench = Bench()
        _ = bench.at(0, .started)
        #expect(bench.at(1, .answered(sequence: 9)) == [])
        #expect(bench.at(2, .answered(sequence: 1)) == [.conclude])
        #expect(bench.at(3, .answered(sequence: 1)) == [])
        #expect(bench.at(3, .started) == [])
        #expect(bench.machine.answeredCount == 1)
    }

    @Test("what cannot be sent is lost, with the reason, and tried again at its time")
    func notSent() {
        var bench = Bench()
        _ = bench.at(0, .started)
        #expect(bench.at(0, .notSent(reason: "eth7: No such device")) == [.conclude])
        #expect(
            bench.machine.observe(.reachability)
                == Observation(isUp: false, reason: "not sent: eth7: No such device"))
        #expect(bench.due == 1000)
    }

    @Test("a stall is not made up for by a burst")
    func stall() {
        var bench = Bench()
        _ = bench.at(0, .started)
        #expect(bench.at(9300, .deadlineReached) == [.conclude, .send(sequence: 2)])
        #expect(bench.at(9310, .answered(sequence: 2)) == [.conclude])
        #expect(bench.due == 10_300)
    }

    @Test("where the timeout equals the frequency one echo ends as the next begins")
    func tight() {
        var bench = Bench(timeout: 1000, threshold: nil)
        _ = bench.at(0, .started)
        #expect(bench.at(1000, .deadlineReached) == [.conclude, .send(sequence: 2)])
    }

    @Test("defaults give way to a short frequency")
    func defaults() {
        var operation = EchoOperation(number: 1, destination: .any)
        #expect(operation.timeout == .seconds(5) && operation.threshold == .seconds(5))
        operation.frequencySeconds = 2
        #expect(operation.timeout == .seconds(2) && operation.threshold == .seconds(2))
        operation.timeoutMilliseconds = 300
        #expect(operation.threshold == .milliseconds(300))
    }

    @Test("a request is answered by a packet with the same names, whole and unharmed")
    func messages() throws {
        let message = EchoMessage(identifier: 0x1234, sequence: 0xabcd)
        let request = message.request
        #expect(request.count == 36 && request[..<2] == [8, 0] && request[4..<8] == [0x12, 0x34, 0xab, 0xcd])
        // A reply differs in its type, and its checksum by as much.
        var reply = request
        reply[0] = 0
        let sum = (UInt16(request[2]) << 8 | UInt16(request[3])) &+ 0x0800
        (reply[2], reply[3]) = (UInt8(sum >> 8), UInt8(sum & 255))
        let header: [UInt8] = [0x46] + [UInt8](repeating: 0, count: 23)
        #expect(try EchoMessage(parsingReply: header + reply) == message)
        #expect(try EchoMessage(parsingReply: header + request) == nil)
        reply[20] ^= 1
        #expect(try EchoMessage(parsingReply: header + reply) == nil)
        for count in 0..<32 {
            #expect(throws: (any Error).self) { try EchoMessage(parsingReply: Array((header + reply).prefix(count))) }
        }
        #expect(throws: (any Error).self) { try EchoMessage(parsingReply: [0x60] + header + reply) }
        #expect(throws: (any Error).self) { try EchoMessage(parsingReply: [0x41] + header + reply) }
    }
}
