// SPDX-License-Identifier: Apache-2.0

import Configuration
import FirstHop
import Primitives
import Testing

@Suite("Grammar")
struct GrammarTests {
    static let whole = """
        hostname R3
        track 1 interface eth0 line-protocol
         delay down 0 up 5
        track 2 interface eth1 line-protocol
        key chain HELLO
         key 1
          key-string 0 first
          accept-lifetime 00:00:00 Jan 1 2026 00:00:00 Mar 1 2026
          send-lifetime 00:00:00 1 January 2026 duration 2678400
         key 2
          key-string second
        key chain OTHER
        interface eth1
         standby version 1                              ! the default
         standby 10 ip 10.1.0.100
         standby 10 priority 105                        ! default 100
         standby 10 preempt
         standby 10 timers msec 250 msec 800
         standby 10 authentication text secret
         standby 10 name VPN
         standby 10 track 1 decrement 10
         standby 10 track 2 shutdown
         crypto map MAPA redundancy VPN stateful
        interface eth0
         standby 1 ip 10.2.0.100
         standby 1 follow VPN
         standby use-bia
         standby version 2
        ipc zone default
         association 1
          no shutdown
          protocol sctp
           retransmit-timeout 300 10000
           local-port 5001
            local-ip 10.1.0.3 192.168.9.3
            path-retransmit 4
            assoc-retransmit 5
           remote-port 5002
            remote-ip 10.1.0.4 192.168.9.4
        redundancy inter-device
         scheme standby VPN
         security none
        crypto map MAPA 10 ipsec-isakmp
         set peer 10.1.0.5
         set peer 10.1.0.6
         reverse-route
        crypto map MAPA 20 ipsec-isakmp
         set peer any
        crypto map MAPA redundancy replay-interval inbound 500 outbound 200000
        ike-daemon strongswan
         vici /run/other.vici
         ha-plugin local 127.0.0.1 remote 127.0.0.2
        """

    @Test("every statement reaches the model")
    func everything() throws {
        let model = try model(Self.whole)
        #expect(model.hostname == "R3")
        #expect(model.trackedObjects.map(\.number) == [1, 2])
        #expect(model.trackedObjects[0].delayUpSeconds == 5 && model.trackedObjects[0].delayDownSeconds == 0)
        #expect(model.keyChains.map(\.name) == ["HELLO", "OTHER"])
        #expect(model.keyChains[0].keys.map(\.number) == [1, 2])
        let key = model.keyChains[0].keys[0]
        #expect(key.acceptLifetime == .init(start: 1_767_225_600, end: 1_772_323_200))
        #expect(key.sendLifetime == .init(start: 1_767_225_600, end: 1_769_904_000))
        let group = model.interfaces[0].groups[0]
        #expect(group.helloMilliseconds == 250 && group.holdMilliseconds == 800 && group.timersInMilliseconds)
        #expect(group.authentication == .text("secret"))
        #expect(group.tracks.map(\.effect) == [.decrement(10), .shutdown])
        #expect(model.interfaces[1].version == .two && model.interfaces[0].version == .one)
        #expect(model.interfaces[1].usesBurnedInAddress && model.interfaces[1].groups[0].follows == "VPN")
        let association = try #require(model.association)
        #expect(association.localPort == 5001 && association.remotePort == 5002)
        #expect(association.localAddresses.count == 2 && association.remoteAddresses.count == 2)
        #expect(association.tuning.minimumTimeoutMilliseconds == 300)
        #expect(association.tuning.maximumTimeoutMilliseconds == 10000)
        #expect(association.tuning.pathRetransmissions == 4 && association.tuning.associationRetransmissions == 5)
        let map = model.cryptoMaps[0]
        #expect(map.entries[0].peers == [IPAddress(10, 1, 0, 5), IPAddress(10, 1, 0, 6)])
        #expect(map.entries[0].reverseRoute && map.entries[1].acceptsAnyPeer)
        #expect(map.inboundReplayInterval == 500 && map.outboundReplayInterval == 200_000)
        guard case .strongSwan(let settings) = model.ikeDaemon else { return }
        #expect(settings.viciPath == "/run/other.vici")
    }

    @Test("indentation is free")
    func flat() throws {
        let flat = Self.whole.split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: "\n")
        #expect(try model(flat) == model(Self.whole))
        let deep = Self.whole.split(separator: "\n").map { "\t  \($0)" }.joined(separator: "\r\n")
        #expect(try model(deep) == model(Self.whole))
    }

    @Test("keywords may be abbreviated")
    func abbreviations() throws {
        let short = """
            host R3
            tr 1 int eth0 line
             del do 0 u 5
            int eth1
             st 10 ip 10.1.0.100
             st 10 prio 105
             st 10 pree
             st 10 ti m 250 m 800
             st 10 au t secret
             st 10 n VPN
             st 10 tr 1 d 10
             cry m MAPA red VPN s
            """
        let model = try model(short)
        #expect(model.interfaces[0].groups[0].priority == 105)
        #expect(model.interfaces[0].groups[0].name == "VPN")
        #expect(model.cryptoMaps[0].isStateful)
    }

    @Test("an ambiguous abbreviation is refused with the candidates")
    func ambiguous() {
        #expect(errors("i eth1") == ["`i` may mean `ip`, `interface`, `ipc` or `ike-daemon`; write more of it"])
        #expect(errors("interface eth1\n standby 10 p 5").first?.contains("`priority`, `preempt` or `probe`") == true)
    }

    @Test("no takes back what was said")
    func negation() throws {
        let model = try model(
            """
            interface eth1
             standby 10 ip 10.1.0.100
             standby 10 priority 105
             standby 10 preempt
             standby 10 name VPN
             standby 10 timers 1 4
             standby 10 track 1 decrement 10
             standby 10 track 2 decrement 10
             no standby 10 priority
             no standby 10 preempt
             no standby 10 track 1
             no standby 10 timers
             standby 11 ip 10.1.0.101
             no standby 11
             crypto map MAPA
             no crypto map MAPA
            """)
        var group = Model.Group(number: 10)
        group.virtualAddress = IPAddress(10, 1, 0, 100)
        group.name = "VPN"
        group.tracks = [.init(object: 2, effect: .decrement(10))]
        #expect(model.interfaces[0].groups == [group])
        #expect(model.cryptoMaps.isEmpty)
    }

    @Test("a shut association does not exist, and needs no security")
    func shutAssociation() throws {
        let text = """
            interface eth1
             standby 10 ip 10.1.0.100
            ipc zone default
             association 1
              shutdown
              protocol sctp
               local-port 5000
                local-ip 192.168.9.3
               remote-port 5000
                remote-ip 192.168.9.4
            """
        #expect(try model(text).association == nil)
        #expect(read(text.replacing("shutdown", with: "no shutdown")).model == nil)
    }

    @Test("values may be quoted and then hold anything; comments start after white space only")
    func quoting() throws {
        let model = try model(
            """
            ! a comment
            interface eth1 ! another
             standby 10 ip 10.1.0.100!
             standby 10 name "my ! group"
             standby 10 authentication text a!b\"c
            """.replacing("100!", with: "100"))
        #expect(model.interfaces[0].groups[0].name == "my ! group")
        #expect(model.interfaces[0].groups[0].authentication == .text("a!b\"c"))
    }

    @Test("crypto map redundancy means the same in interface, crypto-map and global mode")
    func mapModes() throws {
        let base = "interface eth1\n standby 10 ip 10.1.0.100\n standby 10 name VPN\n"
        let texts = [
            base + " crypto map MAPA redundancy VPN\n",
            base + "crypto map MAPA 10 ipsec-isakmp\n crypto map MAPA redundancy VPN\nno crypto map MAPA 10\n",
            base + "exit\ncrypto map MAPA redundancy VPN\n",
        ]
        let maps = try texts.map { try model($0).cryptoMaps }
        #expect(maps[0].count == 1 && maps[0] == maps[1] && maps[0] == maps[2])
        #expect(maps[0][0].interfaces == ["eth1"])
    }

    @Test("lines under a mode of other software are skipped, indented or not")
    func foreignModes() throws {
        let text = """
            version 15.2
            no service pad
            service timestamps debug datetime msec
            crypto isakmp policy 10
             encr aes
             group 2
            crypto isakmp key SECRET address 10.1.0.5
            crypto ipsec transform-set TS esp-aes
             mode tunnel
            interface Loopback0
             ip address 1.1.1.1 255.255.255.255
            interface eth1
             ip address 10.1.0.3 255.255.255.0
             standby 10 ip 10.1.0.100
             ip ospf 1 area 0
            router ospf 1
            redistribute static subnets
            network 10.2.0.0 0.0.0.255 area 0
            access-list 101 permit ip host 10.2.0.2 host 10.0.0.6
            ip route 0.0.0.0 0.0.0.0 10.1.0.1
            line con 0
             exec-timeout 0 0
            end
            """
        let model = try model(text)
        #expect(model.interfaces.map(\.name) == ["eth1"])
    }
}
