// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@testable import Daemon

@Suite("The path that the association prefers")
struct PathPreferenceTests {
    let outside = IPv4Address(0x0A01_0004)
    let sync = IPv4Address(0xC0A8_0904)

    /// The outside address behind link 2, the sync address behind link 3.
    private func first(_ paths: PathPreference) -> IPv4Address? {
        paths.first(of: [outside, sync]) { $0 == outside ? 2 : 3 }
    }

    @Test("A link that loses its carrier gives way, and has its place again when it is back")
    func carrier() {
        var paths = PathPreference()
        #expect(first(paths) == outside)
        let changes = [paths.note(2, isUp: false), paths.note(2, isUp: false)]
        #expect(changes == [true, false])
        #expect(first(paths) == sync)
        let isBack = paths.note(2, isUp: true)
        #expect(isBack)
        #expect(first(paths) == outside)
    }

    @Test("Without any link the first address stays")
    func nothingLeft() {
        var paths = PathPreference()
        _ = paths.note(2, isUp: false)
        _ = paths.note(3, isUp: false)
        #expect(first(paths) == outside)
        #expect(paths.first(of: []) { _ in 2 } == nil)
    }

    @Test("An address without a route is not preferred to one with")
    func noRoute() {
        #expect(PathPreference().first(of: [outside, sync]) { $0 == outside ? nil : 3 } == sync)
    }

    @Test("Links beyond the limit are left to SCTP")
    func limit() {
        var paths = PathPreference()
        for index in 10..<UInt32(10 + PathPreference.maximumLinks) { _ = paths.note(index, isUp: false) }
        let isTaken = paths.note(2, isUp: false)
        #expect(!isTaken)
        #expect(first(paths) == outside)
    }
}
