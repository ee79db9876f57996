// SPDX-License-Identifier: Apache-2.0

import Configuration
import Primitives
import Testing

/// What two routers print loads with other interface names and one `security` statement added.
@Suite("Configurations pasted from routers")
struct SeedTests {
    static let firstNode = """
        R3#sh run int fa1/0
        Building configuration...

        Current configuration : 284 bytes
        !
        interface eth1
         ip address 10.1.0.3 255.255.255.0
         standby 10 ip 10.1.0.100
         standby 10 priority 105
         standby 10 preempt
         standby 10 name VPN
         standby 10 track 1 decrement 10
         standby 10 track 2 decrement 10
         speed auto
         duplex auto
         crypto map MAPA redundancy VPN
        end

        R3#sh run | s crypto map
        crypto map MAPA 10 ipsec-isakmp
         set peer 10.1.0.5
         set transform-set TS
         match address 101
         reverse-route
         crypto map MAPA redundancy VPN
        R3#
        R3#sh run | s router ospf
        router ospf 1
         redistribute static subnets
         network 10.2.0.0 0.0.0.255 area 0
        R3#
        !
        ipc zone default
         association 1
          no shutdown
          protocol sctp
           local-port 5000
            local-ip 10.1.0.3
           remote-port 5000
            remote-ip 10.1.0.4
        !
        redundancy inter-device
         scheme standby VPN
         security none
        !
        interface eth1
         crypto map MAPA redundancy VPN stateful
        !
        """

    static let secondNode = """
        interface eth0
         ip address 10.1.0.4 255.255.255.0
         standby 10 ip 10.1.0.100
         standby 10 preempt
         standby 10 name VPN
         standby 10 track 3 decrement 10
         standby 10 track 4 decrement 10
         speed auto
         duplex auto
         crypto map MAPA redundancy VPN
        end
        ipc zone default
         association 1
          no shutdown
          protocol sctp
           local-port 5000
            local-ip 10.1.0.4
           remote-port 5000
            remote-ip 10.1.0.3
        !
        redundancy inter-device
         scheme standby VPN
         security none
        !
        crypto map MAPA 10 ipsec-isakmp
         set peer 10.1.0.5
         set transform-set TS
         match address 101
         reverse-route
         crypto map MAPA redundancy VPN
        """

    @Test("the first node's configuration loads")
    func first() throws {
        let model = try model(Self.firstNode)
        let group = try #require(model.interfaces.first?.groups.first)
        #expect(model.interfaces.map(\.name) == ["eth1"])
        #expect(group.number == 10 && group.priority == 105 && group.preempt && group.name == "VPN")
        #expect(group.virtualAddress == IPAddress(10, 1, 0, 100))
        #expect(group.tracks.map(\.object) == [1, 2])
        #expect(group.tracks.allSatisfy { $0.effect == .decrement(10) })
        #expect(model.association?.localAddresses == [IPv4Address(10, 1, 0, 3)])
        #expect(model.association?.remoteAddresses == [IPv4Address(10, 1, 0, 4)])
        #expect(model.scheme == "VPN" && model.security == .none)
        let map = try #require(model.cryptoMaps.first)
        #expect(map.name == "MAPA" && map.redundancyGroup == "VPN" && map.isStateful && map.interfaces == ["eth1"])
        #expect(map.entries.first?.peers == [IPAddress(10, 1, 0, 5)])
        #expect(map.entries.first?.reverseRoute == true)
    }

    @Test("the second node's configuration loads, without state replication as long as nobody says stateful")
    func second() throws {
        let model = try model(Self.secondNode)
        let group = try #require(model.interfaces.first?.groups.first)
        #expect(group.priority == 100 && group.preempt && group.tracks.map(\.object) == [3, 4])
        #expect(model.cryptoMaps.first?.isStateful == false)
        #expect(model.cryptoMaps.first?.interfaces == ["eth0"])
    }

    @Test("what other software owns is skipped with one warning for each owner")
    func owners() {
        let said = warnings(Self.firstNode)
        #expect(said.contains { $0.contains("`ip address`, `speed` and `duplex`") && $0.contains("network") })
        #expect(said.contains { $0.contains("`set transform-set` and `match address`") && $0.contains("strongSwan") })
        #expect(said.contains { $0.contains("`router ospf`") && $0.contains("FRR") })
        #expect(said.filter { $0.hasPrefix("skipped") }.count == 3)
    }

    @Test("undefined objects, a missing stateful and clear-text hellos are pointed out")
    func remarks() {
        let said = warnings(Self.firstNode)
        #expect(said.contains { $0.contains("object 1 is not defined and counts as Up") })
        #expect(said.contains { $0.contains("`stateful` is missing here") })
        #expect(said.contains { $0.contains("clear text") })
        #expect(said.contains { $0.contains("both witnesses") })
    }

    @Test("without a word about security the association is refused, and the message says what to write")
    func security() {
        let text = Self.firstNode.replacing(" security none\n", with: "")
        let said = errors(text)
        #expect(said.contains { $0.contains("write `security identity FILE`") && $0.contains("`security none`") })
    }

    @Test("the router's interface names are refused with a hint")
    func interfaceNames() {
        let result = read(Self.firstNode.replacing("interface eth1", with: "interface FastEthernet1/0"))
        #expect(result.model == nil)
        #expect(result.errors.count == 2)
        #expect(result.errors.first?.description.hasPrefix("test.conf:6:11: error: ") == true)
        #expect(result.errors.first?.message.contains("such as eth1") == true)
    }

    @Test("both nodes' configurations survive being printed")
    func printed() throws {
        for text in [Self.firstNode, Self.secondNode] {
            let model = try model(text)
            #expect(try ConfigurationTests.model(print(model, secrets: true)) == model)
        }
    }
}
