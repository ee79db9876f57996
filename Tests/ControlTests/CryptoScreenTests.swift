// SPDX-License-Identifier: Apache-2.0

import Control
import Testing

@Suite("show crypto")
struct CryptoScreenTests {
    static func session() -> SessionView {
        var session = SessionView.Session()
        session.interface = "FastEthernet1/0"
        session.map = "MAPA"
        session.status = "UP-ACTIVE"
        session.localAddress = "10.1.0.100"
        session.peerAddress = "10.1.0.5"
        session.peerIdentity = "10.1.0.5"
        session.uptimeMilliseconds = 13_000
        var ike = SessionView.IKE()
        ike.version = 1
        ike.connectionID = 1002
        ike.lifeMilliseconds = 86_385_000
        session.ike = ike
        var flow = SessionView.Flow()
        flow.local = "10.2.0.2/32"
        flow.remote = "10.0.0.6/32"
        flow.inbound = esp("0xc01b75e7", 139)
        flow.outbound = esp("0xc43ca810", 138)
        session.flows = [flow]
        var view = SessionView()
        view.sessions = [session]
        return view
    }

    static func esp(_ spi: String, _ packets: Int) -> ESP {
        var esp = ESP()
        esp.spi = spi
        esp.packets = packets
        esp.sequence = packets
        esp.lifeKilobytes = 4_187_230
        esp.lifeMilliseconds = 3_586_000
        return esp
    }

    @Test("sessions in detail on the Active")
    func detail() {
        #expect(
            Self.session().detailText == """
                Crypto session current status

                Code: C - IKE Configuration mode, D - Dead Peer Detection
                K - Keepalives, N - NAT-traversal, T - cTCP encapsulation
                X - IKE Extended Authentication, F - IKE Fragmentation

                Interface: FastEthernet1/0
                Uptime: 00:00:13
                Session status: UP-ACTIVE
                Peer: 10.1.0.5 port 500 fvrf: (none) ivrf: (none)
                      Phase1_id: 10.1.0.5
                      Desc: (none)
                  IKEv1 SA: local 10.1.0.100/500 remote 10.1.0.5/500 Active
                          Capabilities:(none) connid:1002 lifetime:23:59:45
                  IPSEC FLOW: permit ip host 10.2.0.2 host 10.0.0.6
                        Active SAs: 2, origin: crypto map
                        Inbound:  #pkts dec'ed 139 drop 0 life (KB/Sec) 4187230/3586
                        Outbound: #pkts enc'ed 138 drop 0 life (KB/Sec) 4187230/3586


                """)
    }

    @Test("sessions in detail on the Standby")
    func standbyDetail() {
        var view = Self.session()
        view.sessions[0].status = "UP-STANDBY"
        view.sessions[0].uptimeMilliseconds = nil
        view.sessions[0].peerIdentity = nil
        view.sessions[0].ike?.status = "STDBY"
        let text = view.detailText
        #expect(
            text.contains(
                """
                Interface: FastEthernet1/0
                Session status: UP-STANDBY
                Peer: 10.1.0.5 port 500 fvrf: (none) ivrf: (none)
                      Desc: (none)
                      Phase1_id: (none)
                  IKEv1 SA: local 10.1.0.100/500 remote 10.1.0.5/500 Active
                """))
    }

    @Test("a session that is down")
    func down() {
        var session = SessionView.Session()
        session.interface = "FastEthernet0/1"
        session.peerAddress = "10.1.0.5"
        var flow = SessionView.Flow()
        flow.local = "10.2.0.2/32"
        flow.remote = "10.0.0.6/32"
        session.flows = [flow]
        var view = SessionView()
        view.sessions = [session]
        #expect(
            view.detailText.hasSuffix(
                """
                Interface: FastEthernet0/1
                Session status: DOWN
                Peer: 10.1.0.5 port 500 fvrf: (none) ivrf: (none)
                      Desc: (none)
                      Phase1_id: (none)
                  IPSEC FLOW: permit ip host 10.2.0.2 host 10.0.0.6
                        Active SAs: 0, origin: crypto map
                        Inbound:  #pkts dec'ed 0 drop 0 life (KB/Sec) 0/0
                        Outbound: #pkts enc'ed 0 drop 0 life (KB/Sec) 0/0


                """))
    }

    @Test("sessions without detail")
    func plain() {
        #expect(
            Self.session().text == """
                Crypto session current status

                Interface: FastEthernet1/0
                Session status: UP-ACTIVE
                Peer: 10.1.0.5 port 500
                  IKEv1 SA: local 10.1.0.100/500 remote 10.1.0.5/500 Active
                  IPSEC FLOW: permit ip host 10.2.0.2 host 10.0.0.6
                        Active SAs: 2, origin: crypto map


                """)
    }

    @Test("IKE SAs on both nodes")
    func isakmp() {
        var sa = ISAKMPView.SA()
        sa.destination = "10.1.0.100"
        sa.source = "10.1.0.5"
        sa.state = "QM_IDLE"
        sa.connectionID = 1002
        sa.status = "STDBY"
        var view = ISAKMPView()
        view.isakmpSAs = [sa]
        #expect(
            view.text == """
                IPv4 Crypto ISAKMP SA
                dst             src             state          conn-id status
                10.1.0.100      10.1.0.5        QM_IDLE           1002 STDBY

                IPv6 Crypto ISAKMP SA


                """)
    }

    @Test("IKE SAs of IPv6 stand below")
    func ipv6() {
        var sa = ISAKMPView.SA()
        sa.destination = "2001:db8:1::100"
        sa.source = "2001:db8:1::5"
        sa.state = "READY"
        sa.connectionID = 7
        sa.status = "ACTIVE"
        var view = ISAKMPView()
        view.isakmpSAs = [sa]
        #expect(
            view.text == """
                IPv4 Crypto ISAKMP SA
                dst             src             state          conn-id status

                IPv6 Crypto ISAKMP SA

                 dst: 2001:db8:1::100
                 src: 2001:db8:1::5
                 state: READY           conn-id:      7 status: ACTIVE


                """)
    }

    @Test("IPsec SAs, networks as masks and SPIs in both notations")
    func ipsec() {
        var pair = IPsecView.Pair()
        pair.interface = "eth1"
        pair.map = "MAPA"
        pair.status = "STANDBY"
        pair.localAddress = "10.1.0.100"
        pair.peerAddress = "10.1.0.5"
        pair.local = "10.2.0.0/24"
        pair.remote = "10.0.0.6/32"
        pair.transform = "AES_GCM_16-256"
        pair.inbound = Self.esp("0x033c217b", 99)
        pair.outbound = Self.esp("0xc43ca810", 97)
        var view = IPsecView()
        view.ipsecSAs = [pair]
        let text = view.text
        for line in [
            "    Crypto map tag: MAPA, local addr 10.1.0.100",
            "   local  ident (addr/mask/prot/port): (10.2.0.0/255.255.255.0/0/0)",
            "   remote ident (addr/mask/prot/port): (10.0.0.6/255.255.255.255/0/0)",
            "    #pkts decaps: 99, #pkts decrypt: 99, #pkts verify: 99",
            "      spi: 0x33C217B(54272379)", "        transform: AES_GCM_16-256 ,",
            "        sa timing: remaining key lifetime (k/sec): (4187230/3586)", "        HA Status: STANDBY",
        ] {
            #expect(text.contains(line + "\n"), "\(text)")
        }
        #expect(IPsecView().text == "There are no ipsec sas\n")
    }
}
