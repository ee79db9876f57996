// SPDX-License-Identifier: Apache-2.0

import Control
import Testing

@Suite("show track")
struct TrackScreenTests {
    static func object(_ id: Int, _ kind: String, _ target: String, _ state: String) -> TrackView.Object {
        var object = TrackView.Object()
        object.id = id
        object.kind = kind
        object.target = target
        object.state = state
        object.changes = 2
        object.lastChangeMilliseconds = 124_000
        return object
    }

    static func view(_ objects: TrackView.Object...) -> TrackView {
        var view = TrackView()
        view.objects = objects
        return view
    }

    @Test("a route with its first hop, an interface without an address, and why")
    func routes() {
        var route = Self.object(3, "ip route reachability", "10.2.0.0/24", "Up")
        route.firstHop = "eth0"
        route.trackedBy = [.init(interface: "eth1", group: 10)]
        route.lists = [9]
        var routing = Self.object(4, "interface ipv6 routing", "eth0", "Down")
        routing.detail = "no IPv6 addr"
        #expect(
            Self.view(route, routing).text == """
                Track 3
                  IP route 10.2.0.0/24 reachability
                  Reachability is Up
                    2 changes, last change 00:02:04
                  First-hop interface is eth0
                  Tracked by:
                    HSRP eth1 10
                    Track-list 9
                Track 4
                  Interface eth0 ipv6 routing
                  IPv6 routing is Down (no IPv6 addr)
                    2 changes, last change 00:02:04

                """)
        #expect(
            Self.view(route, routing).briefText == """
                Track   Object                           Parameter        Value Last Change
                3       ip route 10.2.0.0/24             reachability     Up    00:02:04
                4       interface eth0                   ipv6 routing     Down  00:02:04

                """)
    }

    @Test("lists with their members, weights and thresholds")
    func lists() {
        var boolean = Self.object(9, "list boolean and", "", "Down")
        boolean.detail = "object 2 not Up"
        var negated = TrackView.Member(id: 2, state: "Up")
        negated.negated = true
        boolean.members = [.init(id: 1, state: "Up"), negated]
        var weights = Self.object(10, "list threshold weight", "", "Up")
        var heavy = TrackView.Member(id: 7, state: "Undefined")
        heavy.weight = 20
        weights.members = [heavy]
        weights.thresholdUp = 15
        weights.thresholdDown = 5
        #expect(
            Self.view(boolean, weights).text == """
                Track 9
                  List boolean and
                  Boolean AND is Down (object 2 not Up)
                    2 changes, last change 00:02:04
                    object 1 Up
                    object 2 not Up
                Track 10
                  List threshold weight
                  Threshold weight is Up
                    2 changes, last change 00:02:04
                    object 7 weight 20 Undefined
                    threshold up 15 down 5

                """)
        #expect(
            Self.view(boolean).briefText.hasSuffix(
                "9       list                             boolean and      Down  00:02:04\n"))
    }

    @Test("a script with its runs, an operation with its round trip")
    func probes() {
        var script = Self.object(5, "script", "/etc/havpn/probe", "Down")
        script.detail = "timed out"
        script.runs = TrackView.Runs()
        #expect(Self.view(script).text.contains("  No run has ended yet\n"))
        script.runs?.successes = 9
        script.runs?.timeouts = 2
        script.runs?.last = "timed out"
        script.runs?.lastMilliseconds = 2001
        var echo = Self.object(6, "ip sla reachability", "7", "Up")
        echo.echo = TrackView.Echo()
        echo.echo?.returnCode = "OK"
        echo.echo?.roundTripMicroseconds = 1234
        echo.echo?.sent = 1
        echo.echo?.answered = 1
        #expect(
            Self.view(script, echo, Self.object(7, "process", "charon", "Up")).text == """
                Track 5
                  Script /etc/havpn/probe
                  Script is Down (timed out)
                    2 changes, last change 00:02:04
                  11 runs: 9 succeeded, 2 timed out
                  Latest run: timed out after 2001 ms
                Track 6
                  IP SLA 7 reachability
                  Reachability is Up
                    2 changes, last change 00:02:04
                  Latest operation return code: OK
                  Latest RTT (millisecs) 1.234
                  1 echo sent, 1 answered, 0 lost
                Track 7
                  Process charon
                  Process is Up
                    2 changes, last change 00:02:04

                """)
    }
}
