// SPDX-License-Identifier: Apache-2.0

import Control
import Testing

/// Screens beside those that two routers printed, with the routers' values.
@Suite("show standby and show track")
struct StandbyScreenTests {
    static func active() -> StandbyView {
        var group = StandbyView.Group()
        group.interface = "FastEthernet1/0"
        group.group = 10
        group.name = "VPN"
        group.state = "Active"
        group.virtualAddress = "10.1.0.100"
        group.virtualMAC = "00:00:0c:07:ac:0a"
        group.priority = 105
        group.configuredPriority = 105
        group.preempt = true
        group.stateChanges = 5
        group.lastStateChangeMilliseconds = 158_000
        group.helloDueMilliseconds = 2064
        group.activeRouter = .init(address: "10.1.0.3", local: true, priority: 105)
        group.standbyRouter = .init(address: "10.1.0.4", local: false, priority: 100, expiresMilliseconds: 11_072)
        group.trackedObjects = [.init(id: 1, state: "Up", decrement: 10), .init(id: 2, state: "Up", decrement: 10)]
        var view = StandbyView()
        view.groups = [group]
        return view
    }

    @Test("the Active's screen")
    func activeScreen() {
        #expect(
            Self.active().text == """
                FastEthernet1/0 - Group 10
                  State is Active
                    5 state changes, last state change 00:02:38
                  Virtual IP address is 10.1.0.100
                  Active virtual MAC address is 0000.0c07.ac0a
                    Local virtual MAC address is 0000.0c07.ac0a (v1 default)
                  Hello time 3 sec, hold time 10 sec
                    Next hello sent in 2.064 secs
                  Preemption enabled
                  Active router is local
                  Standby router is 10.1.0.4, priority 100 (expires in 11.072 sec)
                  Priority 105 (configured 105)
                    Track object 1 state Up decrement 10
                    Track object 2 state Up decrement 10
                  Group name is "VPN" (cfgd)

                """)
    }

    @Test("secondary addresses behind the primary one")
    func secondary() {
        var view = Self.active()
        view.groups[0].secondaryVirtualAddresses = ["10.1.0.101", "10.1.0.102"]
        let expected = """
              Virtual IP address is 10.1.0.100
                Secondary virtual IP address 10.1.0.101
                Secondary virtual IP address 10.1.0.102
            """
        #expect(view.text.contains(expected + "\n"))
    }

    @Test("an IPv6 group's addresses")
    func ipv6() {
        var view = Self.active()
        view.groups[0].version = 2
        view.groups[0].virtualAddress = "fe80::5:73ff:fea0:a"
        view.groups[0].globalVirtualAddresses = ["2001:db8:1::100/64"]
        let expected = """
              Link-Local Virtual IPv6 address is fe80::5:73ff:fea0:a
                Virtual IPv6 address 2001:db8:1::100/64
            """
        #expect(view.text.contains(expected + "\n"))
        #expect(!view.text.contains("Virtual IP address"))
    }

    @Test("the Standby's screen")
    func standbyScreen() {
        var view = Self.active()
        view.groups[0].interface = "FastEthernet0/1"
        view.groups[0].state = "Standby"
        view.groups[0].stateChanges = 4
        view.groups[0].lastStateChangeMilliseconds = 165_999
        view.groups[0].helloDueMilliseconds = 880
        view.groups[0].priority = 100
        view.groups[0].configuredPriority = 100
        view.groups[0].activeRouter = .init(
            address: "10.1.0.3", local: false, priority: 105, expiresMilliseconds: 8256)
        view.groups[0].standbyRouter = .init(address: "10.1.0.4", local: true, priority: 100)
        view.groups[0].trackedObjects = [.init(id: 3, state: "Up", decrement: 10)]
        #expect(
            view.text == """
                FastEthernet0/1 - Group 10
                  State is Standby
                    4 state changes, last state change 00:02:45
                  Virtual IP address is 10.1.0.100
                  Active virtual MAC address is 0000.0c07.ac0a
                    Local virtual MAC address is 0000.0c07.ac0a (v1 default)
                  Hello time 3 sec, hold time 10 sec
                    Next hello sent in 0.880 secs
                  Preemption enabled
                  Active router is 10.1.0.3, priority 105 (expires in 8.256 sec)
                  Standby router is local
                  Priority 100 (default 100)
                    Track object 3 state Up decrement 10
                  Group name is "VPN" (cfgd)

                """)
    }

    @Test("what this daemon knows beyond a router is said in lines of its own")
    func more() {
        var view = Self.active()
        view.groups[0].state = "Listen"
        view.groups[0].activeRouter = nil
        view.groups[0].standbyRouter = nil
        view.groups[0].declines = "not STANDBY HOT"
        view.groups[0].helloMilliseconds = 250
        view.groups[0].holdMilliseconds = 800
        view.groups[0].helloDueMilliseconds = nil
        view.groups[0].preemptMinimumDelayMilliseconds = 5_000
        view.groups[0].preemptReloadDelayMilliseconds = 10_000
        view.groups[0].preemptSyncDelayMilliseconds = 30_000
        view.groups[0].preemptDelayRemainingMilliseconds = 3_250
        view.groups[0].name = nil
        view.groups[0].fence = "raised"
        view.groups[0].term = 3
        view.groups[0].stateChanges = 1
        view.groups[0].trackedObjects = [.init(id: 1, state: "Down", decrement: nil)]
        let text = view.text
        for line in [
            "    Declines the role: not STANDBY HOT", "  Hello time 250 msec, hold time 800 msec",
            "  Preemption enabled, delay min 5 secs, reload 10 secs, sync 30 secs",
            "    Preemption delay ends in 3.250 secs", "  Active router is unknown",
            "  Active virtual MAC address is unknown", "    Track object 1 state Down shutdown",
            "  Group name is \"hsrp-FastEthernet1/0-10\" (default)", "  Fence of the virtual address is raised, term 3",
            "    1 state change, last state change 00:02:38",
        ] {
            #expect(text.contains(line + "\n"), "\(text)")
        }
        #expect(!text.contains("Next hello"))
        view.groups[0].preemptMinimumDelayMilliseconds = 0
        view.groups[0].preemptReloadDelayMilliseconds = nil
        #expect(view.text.contains("  Preemption enabled, delay sync 30 secs\n"))
        view.groups[0].preempt = false
        #expect(view.text.contains("  Preemption disabled\n"))
        view.groups[0].state = "Initial"
        view.groups[0].startDelayRemainingMilliseconds = 28_000
        #expect(view.text.contains("  State is Initial\n    Start delay ends in 28.000 secs\n"))
    }

    @Test("coupled groups name each other")
    func coupled() {
        var view = Self.active()
        view.groups[0].followers = [
            .init(
                interface: "eth0", group: 1, state: "Active", virtualAddress: "10.2.0.100",
                virtualMAC: "00:00:0c:07:ac:01"),
            .init(interface: "eth2", group: 2, state: "Initial", virtualAddress: nil, virtualMAC: nil),
        ]
        #expect(
            view.text.hasSuffix(
                """
                  Group name is "VPN" (cfgd)
                  Followed by groups:
                    eth0 Grp 1 Active 10.2.0.100 0000.0c07.ac01
                    eth2 Grp 2 Initial unknown unknown

                """))
        view.groups[0].follows = "OTHER"
        #expect(view.text.contains("  Following \"OTHER\"\n"))
    }

    @Test("brief")
    func brief() {
        var view = Self.active()
        view.groups[0].interface = "eth1"
        #expect(
            view.briefText == """
                                     P indicates configured to preempt.
                                     |
                Interface   Grp  Pri P State   Active          Standby         Virtual IP
                eth1        10   105 P Active  local           10.1.0.4        10.1.0.100

                """)
    }

    @Test("tracked objects")
    func tracks() {
        var object = TrackView.Object()
        object.id = 1
        object.target = "eth0"
        object.state = "Up"
        object.changes = 1
        object.lastChangeMilliseconds = 20_000
        object.delayUpMilliseconds = 20_000
        object.trackedBy = [.init(interface: "eth1", group: 10)]
        var view = TrackView()
        view.objects = [object]
        #expect(
            view.text == """
                Track 1
                  Interface eth0 line-protocol
                  Line protocol is Up
                    1 change, last change 00:00:20
                  Delay up 20 secs
                  Tracked by:
                    HSRP eth1 10

                """)
        #expect(
            view.briefText == """
                Track   Object                           Parameter        Value Last Change
                1       interface eth0                   line-protocol    Up    00:00:20

                """)
    }

    @Test("ages are written as a router does")
    func ages() {
        var view = Self.active()
        for (milliseconds, text) in [(0, "00:00:00"), (86_400_000, "1d00h"), (1_000_000_000, "1w4d")] {
            view.groups[0].lastStateChangeMilliseconds = milliseconds
            #expect(view.text.contains("last state change \(text)\n"))
        }
    }
}
