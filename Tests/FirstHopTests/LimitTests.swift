// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

/// Every field of every message at its limits and beyond, as bytes: what is accepted, what is refused, and that a running
/// group neither traps nor believes nonsense.
@Suite("Every field of every message at its limits") struct LimitTests {
    private static let version1 = Router.message(.hello, .active, priority: 120).bytes
    private static let version2 = Router.message(.hello, .active, priority: 120, version: .two).bytes

    private static func read(_ bytes: [UInt8], _ version: HSRPVersion) -> HSRPMessage? {
        guard case .message(let message)? = try? HSRPDatagram(parsing: bytes[...], version: version) else { return nil }
        return message
    }

    @Test("version 1: each byte in each of its 256 values decodes to itself or is refused")
    func everyByteOfVersion1() {
        for position in Self.version1.indices {
            for value in UInt8.min...UInt8.max {
                var bytes = Self.version1
                bytes[position] = value
                let message = Self.read(bytes, .one)
                switch position {
                case 0: #expect((message != nil) == (value == 0))
                case 1: #expect((message != nil) == (value < 3))
                case 2: #expect((message != nil) == [0, 1, 2, 4, 8, 16].contains(value))
                case 3: #expect(message?.helloMilliseconds == UInt32(value) * 1000)
                case 4: #expect(message?.holdMilliseconds == UInt32(value) * 1000)
                case 5: #expect(message?.priority == value)
                case 6: #expect(message?.group == UInt16(value))
                default: #expect(message != nil)
                }
                // The reserved byte is not kept.
                if let message, position != 7 { #expect(message.bytes == bytes) }
            }
        }
    }

    @Test(
        "version 2: each byte in each of its 256 values decodes to itself, is refused, or is a piece that nobody knows")
    func everyByteOfVersion2() {
        for position in Self.version2.indices {
            for value in UInt8.min...UInt8.max {
                var bytes = Self.version2
                bytes[position] = value
                guard let message = Self.read(bytes, .two) else { continue }
                switch position {
                case 2: #expect(value == 2)
                case 3: #expect(value < 3)
                case 4: #expect(value <= 6)
                case 6, 7: #expect(message.group == UInt16(bytes[6]) << 8 | UInt16(bytes[7]) && message.group <= 4095)
                case 14...17:
                    #expect(bytes[14] == 0 && bytes[15] == 0 && bytes[16] == 0 && message.priority == bytes[17])
                default: break
                }
            }
        }
    }

    @Test("every length from nothing to twice the message, cut or filled up", arguments: HSRPVersion.allCases)
    func everyLength(version: HSRPVersion) {
        let whole = version == .one ? Self.version1 : Self.version2
        for count in 0...(2 * whole.count) {
            let bytes = Array((whole + [UInt8](repeating: 0, count: whole.count)).prefix(count))
            let message = Self.read(bytes, version)
            if count < (version == .one ? whole.count : 42) { #expect(message == nil, "\(count) bytes") }
            if version == .one { #expect((message != nil) == (count == whole.count), "\(count) bytes") }
        }
    }

    @Test("pieces at their limits: too many, too long, of no length, twice the same")
    func pieces() {
        let group = Array(Self.version2.prefix(42))
        func isRead(_ more: [UInt8]) -> Bool { Self.read(group + more, .two) != nil }
        #expect(isRead([]))
        #expect(isRead([99, 0]))
        #expect(isRead([99, 255] + [UInt8](repeating: 1, count: 255)))
        #expect(!isRead([99, 255] + [UInt8](repeating: 1, count: 254)))
        #expect(!isRead([99]))
        #expect(isRead([UInt8](repeating: 0, count: 2 * 15)))
        #expect(!isRead([UInt8](repeating: 0, count: 2 * 16)))
        #expect(!isRead(group))
        #expect(!isRead([3, 7] + [UInt8](repeating: 1, count: 7)))
        #expect(!isRead(([3, 8] + [UInt8](repeating: 1, count: 8)) + [3, 8] + [UInt8](repeating: 1, count: 8)))
        #expect(!isRead([4, 27] + [UInt8](repeating: 1, count: 27)))
    }

    /// Timers that a hello may tell, in milliseconds; only some of them make sense.
    private static let timers: [UInt32] = [0, 1, 14, 15, 49, 50, 999, 1000, 254_000, 255_000, 255_001, 1 << 31, .max]

    @Test("no timers of an Active stall, hurry or trap a group that learns them", arguments: timers)
    func tellsTimers(hello: UInt32) {
        for hold in Self.timers {
            var router = Router {
                $0.version = .two
                $0.learnsTimers = true
            }
            _ = router.at(0, .interfaceChanged(isUp: true))
            var message = Router.message(.hello, .active, priority: 120, version: .two)
            message.helloMilliseconds = hello
            message.holdMilliseconds = hold
            _ = router.at(100, .messageReceived(message, from: Router.stranger))
            let isSound = (15...254_000).contains(hello) && (50...255_000).contains(hold) && hold > hello
            #expect(router.machine.hello == (isSound ? .milliseconds(Int(hello)) : .seconds(3)), "\(hello) \(hold)")
            #expect(router.machine.hold == (isSound ? .milliseconds(Int(hold)) : .seconds(10)), "\(hello) \(hold)")
            // The Active falls silent: the group follows in the end, whatever it was told.
            _ = router.run(until: 600_000)
            #expect(router.machine.state == .active, "\(hello) \(hold)")
        }
    }

    @Test("every operation in every state at every priority from every kind of source leaves a group that goes on")
    func everyCombination() {
        let sources = [
            Router.peer, Router.stranger, IPAddress(10, 1, 0, 3), IPAddress(10, 2, 0, 1), IPAddress.any(.ipv4),
            IPAddress(255, 255, 255, 255), Router.virtual,
        ]
        for start in 0..<4 {
            for operation in [HSRPMessage.Operation.hello, .coup, .resign] {
                for state in HSRPState.allCases {
                    for priority in [UInt8(0), 100, 255] {
                        for source in sources {
                            var router = [Router.listening(), Router.speaking(), Router.standby(), Router.active()][
                                start]
                            let at = Int(router.now.nanoseconds / 1_000_000) + 10
                            _ = router.at(
                                at,
                                .messageReceived(Router.message(operation, state, priority: priority), from: source))
                            _ = router.run(until: at + 40_000)
                            #expect(
                                router.machine.state == .active, "\(start) \(operation) \(state) \(priority) \(source)")
                        }
                    }
                }
            }
        }
    }
}
