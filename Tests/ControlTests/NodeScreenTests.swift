// SPDX-License-Identifier: Apache-2.0

import Control
import Testing

@Suite("show redundancy, show ipc association and the node's own screens")
struct NodeScreenTests {
    @Test("redundancy states with a router's numbers")
    func states() {
        var view = RedundancyView()
        view.state = "ACTIVE"
        view.peerState = "STANDBY HOT"
        view.communications = "Up"
        view.scheme = "VPN"
        view.groupState = "Active"
        view.term = 3
        view.stateful = true
        #expect(
            view.statesText == """
                       my state = 13 -ACTIVE
                     peer state = 8  -STANDBY HOT
                           Mode = Duplex
                 Communications = Up
                           Term = 3
                    Switchovers = 0
                 Unacknowledged = 0 records
                        IKE SAs = 0
                 IPsec SA pairs = 0

                """)
        #expect(
            view.interDeviceText == """
                Redundancy inter-device state: RF_INTERDEV_STATE_ACT
                  Scheme: Standby
                      Groupname: VPN Group State: Active
                  Peer present: RF_INTERDEV_PEER_COMM
                  Security: none (keys travel in clear)
                  State replication: stateful

                """)
        #expect(view.text == view.statesText + "\n" + view.interDeviceText)
    }

    @Test("what is missing for HOT and what differs is listed")
    func remarks() {
        var view = RedundancyView()
        view.missingForHot = ["charon does not answer on /run/charon.vici"]
        view.warnings = ["timers differ: 3 10 here, 1 4 there"]
        view.foreignActives = [.init(interface: "eth1", group: 10, address: "10.1.0.9")]
        #expect(
            view.text.hasSuffix(
                """

                Missing for STANDBY HOT:
                  - charon does not answer on /run/charon.vici

                Warnings:
                  - 10.1.0.9 is Active in group 10 on eth1 as well
                  - timers differ: 3 10 here, 1 4 there

                """))
        #expect(view.historyText == "No state change yet.\n")
    }

    @Test("the association and its paths")
    func association() {
        #expect(AssociationView().text == "No association is configured.\n")
        var association = AssociationView.Association()
        association.state = "ESTABLISHED"
        association.uptimeMilliseconds = 61_000
        association.established = 1
        var path = AssociationView.Path(local: "10.1.0.3", remote: "10.1.0.4", state: "ACTIVE")
        path.primary = true
        path.roundTripMicroseconds = 412
        association.paths = [path]
        association.messagesSent = 1
        var view = AssociationView()
        view.association = association
        #expect(
            view.text == """
                Association 1
                  State is ESTABLISHED
                    established 1 time, up 00:01:01
                  Transport is sctp, local port 5000, remote port 5000
                  Session is not encrypted
                  Paths
                    local           remote          state        RTT
                    10.1.0.3        10.1.0.4        ACTIVE       0.412 ms (primary)
                  Sent 1 message, 0 bytes
                  Received 0 messages, 0 bytes
                  Retransmissions 0
                  Backlog 0 records, 0 bytes

                """)
    }

    @Test("a secured association shows both keys, one that waits shows its own")
    func securedAssociation() {
        var association = AssociationView.Association()
        association.identity = "sha256:aa"
        var view = AssociationView()
        view.association = association
        #expect(view.text.contains("  Session is not encrypted\n    this node is sha256:aa\n  Paths\n"))
        association.secured = true
        association.peerIdentity = "sha256:bb"
        view.association = association
        #expect(
            view.text.contains(
                "  Session is encrypted\n    this node is sha256:aa\n    the peer is  sha256:bb\n  Paths\n"))
    }

    @Test("counters in columns, events in lines")
    func small() {
        #expect(CountersView(["a.b": 1, "longer.name": 20]).text == "a.b          1\nlonger.name  20\n")
        var event = EventView("hsrp-state", line: "%HSRP-5-STATECHANGE: eth1 Grp 10 state Standby -> Active")
        event.time = "2026-11-10T20:16:05Z"
        #expect(event.text == "2026-11-10T20:16:05Z: %HSRP-5-STATECHANGE: eth1 Grp 10 state Standby -> Active")
        event.line = nil
        event.from = "Standby"
        event.to = "Active"
        #expect(event.text == "2026-11-10T20:16:05Z: hsrp-state Standby -> Active")
        var log = LoggingView()
        log.dropped = 2
        #expect(log.text == "2 older events are gone\n")
        #expect(ErrorView(code: "x", message: "No.").text == "% No.\n")
    }

    @Test("frames are cut from a stream in any pieces, and an oversized one is refused at once")
    func frames() throws {
        let stream = FrameReader.frame([1, 2, 3]) + FrameReader.frame([]) + FrameReader.frame([4])
        for size in 1...stream.count {
            var reader = FrameReader(maximumByteCount: 3)
            var found: [[UInt8]] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                reader.append(stream[start..<min(start + size, stream.count)])
                while let frame = try reader.next() { found.append(frame) }
            }
            #expect(found == [[1, 2, 3], [], [4]])
            #expect(reader.bufferedByteCount == 0)
        }
        var reader = FrameReader(maximumByteCount: 3)
        reader.append([0, 0, 0, 4])
        #expect(throws: ControlError.oversized(4)) { try reader.next() }
        var hostile = FrameReader(maximumByteCount: 65_536)
        hostile.append([255, 255, 255, 255, 0])
        #expect(throws: ControlError.oversized(4_294_967_295)) { try hostile.next() }
    }
}
