// SPDX-License-Identifier: Apache-2.0

import Configuration
import Primitives
import Testing
import Tracking

@Suite("track and what stands under it")
struct TrackTests {
    private func kinds(_ text: String) throws -> [Int: ObjectKind] {
        try model(text).trackedObjects.reduce(into: [:]) { $0[$1.number] = $1.kind }
    }

    @Test("every kind reaches the model, in the forms that IOS takes")
    func kinds() throws {
        let kinds = try kinds(
            """
            track 1 interface eth0 line-protocol
            track 2 interface eth0 ip routing
            track 3 int eth0 ipv6 r
            track 4 ip route 10.2.0.0/24 reachability
            track 5 ip route 10.2.0.0 255.255.0.0 reach
            track 6 ipv6 route 2001:DB8::/32 reachability
            track 7 ip route 0.0.0.0 0.0.0.0 reachability
            track 8 list boolean and
             object 1
             object 2 not
            track 9 list threshold weight
             object 1 weight 10
             object 2
             threshold weight up 11 down 5
            track 10 list threshold percentage
             object 1
             threshold percentage down 20 up 60
            track 11 list threshold percentage
             object 8
             threshold percentage up 50
            """)
        let wide = try #require(IPv6Address(text: "2001:db8::"))
        #expect(kinds[1] == .interface("eth0", .lineProtocol))
        #expect(kinds[2] == .interface("eth0", .ipRouting))
        #expect(kinds[3] == .interface("eth0", .ipv6Routing))
        #expect(kinds[4] == .route(.ipv4(IPv4Prefix(address: IPv4Address(10, 2, 0, 0), length: 24))))
        #expect(kinds[5] == .route(.ipv4(IPv4Prefix(address: IPv4Address(10, 2, 0, 0), length: 16))))
        #expect(kinds[6] == .route(.ipv6(IPv6Prefix(address: wide, length: 32))))
        #expect(kinds[7] == .route(.ipv4(IPv4Prefix(address: .any, length: 0))))
        #expect(
            kinds[8] == .list(.init(rule: .and, members: [.init(object: 1), .init(object: 2, isNegated: true)])))
        #expect(
            kinds[9]
                == .list(
                    .init(
                        rule: .weight(.init(up: 11, down: 5)),
                        members: [.init(object: 1, weight: 10), .init(object: 2)])))
        #expect(
            kinds[10] == .list(.init(rule: .percentage(.init(up: 60, down: 20)), members: [.init(object: 1)])))
        #expect(
            kinds[11] == .list(.init(rule: .percentage(.init(up: 50, down: 49)), members: [.init(object: 8)])))
    }

    @Test("members are taken back and changed, and a list may be opened again")
    func members() throws {
        let kinds = try kinds(
            """
            track 9 list boolean or
             object 3
             object 2
             object 1 not
             no object 2
            track 9 list boolean or
             object 1
            track 9
             object 4
            no track 8
            track 1 list boolean and
             object 9
            no track 1 list boolean and
            """)
        #expect(kinds.keys.sorted() == [9])
        #expect(
            kinds[9]
                == .list(.init(rule: .or, members: [.init(object: 1), .init(object: 3), .init(object: 4)])))
    }

    @Test(
        "faults name what was expected",
        arguments: [
            ("track 1 ip route 10.2.0.1/24 reachability", "did you mean `10.2.0.0/24`?"),
            ("track 1 ip route 10.2.0.0/33 reachability", "expected the network whose route is tracked"),
            ("track 1 ip route 10.2.0.0 255.0.255.0 reachability", "255.0.255.0 is no network mask"),
            ("track 1 ip route 10.2.0.0/24/1 reachability", "expected the network whose route is tracked"),
            ("track 1 ip route 10.2.0.0/24 metric threshold", "write `reachability`"),
            ("track 1 ipv6 route 2001:db8::1/32 reachability", "did you mean `2001:db8::/32`?"),
            ("track 1 ipv6 route 10.2.0.0/24 reachability", "such as 2001:db8::/32"),
            ("track 1 stub-object", "not available"),
            ("track 1 interface eth0 ip", "expected `routing`"),
            ("track 1 list boolean xor", "expected `and` or `or`"),
            ("track 1 interface eth0 line-protocol\n object 2", "`object` belongs under `track NUMBER list"),
            ("track 1 interface eth0 line-protocol\ntrack 1 interface eth1 line-protocol", "use another number"),
            ("track 1 list boolean and\ntrack 1 list boolean or", "is `list boolean and` already (line 1)"),
            ("track 1 list boolean and\n object 2 weight 5", "expected `not`"),
            ("track 1 list threshold weight\n object 2 not", "expected `weight`"),
            ("track 1 list threshold percentage\n object 2 weight 5", "expected the end of the line"),
            ("track 1 list threshold weight\n object 2\n threshold percentage up 5", "does not fit"),
            ("track 1 list threshold weight\n object 2\n threshold weight up 5 down 5", "expected a `down` below `up`"),
            ("track 1 list threshold weight\n object 2\n threshold weight down 5", "up NUMBER"),
            ("track 1 list threshold weight\n object 2", "the list has no threshold"),
            ("track 1 list boolean and", "the list has no member"),
            ("object 1", "it belongs under `track NUMBER …`"),
        ])
    func faults(text: String, message: String) {
        let said = errors(text)
        #expect(said.count == 1 && said.first?.contains(message) == true, "\(said)")
    }

    @Test("a list that contains itself is refused where the circle closes")
    func cycles() {
        let text = """
            track 1 list boolean and
             object 2
            track 2 list boolean or
             object 5
             object 3 not
            track 3 list boolean and
             object 1
            track 5 interface eth0 line-protocol
            """
        let said = read(text).errors
        #expect(said.map(\.position.line) == [7])
        #expect(said.first?.message.contains("(1 -> 2 -> 3 -> 1)") == true)
        #expect(errors("track 1 list boolean and\n object 1").first?.contains("(1 -> 1)") == true)
    }

    @Test("lists inside lists end at a named depth, members at a named number")
    func limits() throws {
        func nest(_ depth: Int) -> String {
            (1...depth).map { "track \($0) list boolean and\n object \($0 + 1)" }.joined(separator: "\n")
                + "\ntrack \(depth + 1) interface eth0 line-protocol"
        }
        _ = try model(nest(Tracking.Limits.listDepth))
        #expect(errors(nest(Tracking.Limits.listDepth + 1)).first?.contains("9 levels; expected at most 8") == true)
        func members(_ count: Int) -> String {
            "track 1 list boolean and\n" + (1...count).map { " object \($0 + 1)" }.joined(separator: "\n")
        }
        _ = try model(members(Tracking.Limits.membersPerListCount))
        func routes(_ count: Int) -> String {
            (1...count).map { "track \($0) ip route 10.\($0).0.0/16 reachability" }.joined(separator: "\n")
        }
        _ = try model(routes(Tracking.Limits.routingCount))
        #expect(errors(routes(Tracking.Limits.routingCount + 1)).first?.contains("expected at most 64") == true)
        #expect(errors(members(Tracking.Limits.membersPerListCount + 1)).first?.contains("at most 64") == true)
    }

    @Test(
        "decrements after which a peer with the default priority stays where it is are pointed out, with what suffices",
        arguments: [
            ([(1, 5)], 105, 6), ([(1, 5), (2, 20)], 125, 26), ([(1, 10)], 255, 156), ([(1, 5), (2, 1)], 105, nil),
            ([(1, 1)], 100, nil), ([(1, 1)], 90, nil), ([(1, 5), (2, 0)], 125, nil), ([], 200, nil),
        ] as [([(Int, Int)], Int, Int?)])
    func decrements(tracks: [(Int, Int)], priority: Int, needed: Int?) {
        // 0 stands for `shutdown`.
        let lines = tracks.map { " standby 1 track \($0.0) \($0.1 == 0 ? "shutdown" : "decrement \($0.1)")" }
        let text = """
            track 1 interface eth0 line-protocol
            track 2 interface eth2 line-protocol
            interface eth1
             standby 1 ip 10.1.0.100
             standby 1 priority \(priority)
            \(lines.joined(separator: "\n"))
            """
        let said = read(text).warnings.filter { $0.message.contains("with all objects down") }
        #expect(said.map(\.position.line) == (needed == nil ? [] : [6]))
        if let needed { #expect(said.first?.message.contains("that come to \(needed) or more") == true) }
    }

    @Test("a member that is not defined counts as Up, and weights that do not suffice are pointed out")
    func remarks() {
        let text = "track 1 list threshold weight\n object 7 weight 5\n threshold weight up 9"
        let said = read(text).warnings
        #expect(
            said.contains { $0.message.contains("object 7 is not defined and counts as Up") && $0.position.line == 2 })
        #expect(said.contains { $0.message.contains("can never be Up") })
    }
}
