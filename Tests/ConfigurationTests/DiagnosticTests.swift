// SPDX-License-Identifier: Apache-2.0

import Configuration
import Testing

@Suite("Diagnostics")
struct DiagnosticTests {
    static let base = "interface eth1\n standby 10 ip 10.1.0.100\n standby 10 name VPN\n"

    @Test(
        "each fault has its place and says what was expected",
        arguments: [
            ("standy 10 ip 10.1.0.1", "1:1", "unknown statement `standy` outside any mode"),
            ("interfce eth1", "1:1", "did you mean `interface`?"),
            ("router ospf 1\ninterfce eth1", "2:1", "did you mean `interface`?"),
            ("standby 10 ip 10.1.0.1", "1:1", "it belongs under `interface NAME`"),
            ("interface eth1\n standyb 10 ip 10.1.0.1", "2:2", "did you mean `standby`?"),
            ("interface eth1\n standby 10 prioirty 105", "2:13", "did you mean `priority`?"),
            ("interface eth1\n standby 10 priority 256", "2:22", "a number from 0 to 255, found `256`"),
            (
                "interface eth1\n standby 10 priority", "2:21",
                "expected the priority, a number from 0 to 255, at the end"
            ),
            ("interface eth1\n standby 10 priority 1 2", "2:24", "expected the end of the line, found `2`"),
            ("interface eth1\n standby 300 ip 10.1.0.1", "2:10", "`standby version 2` on eth1"),
            ("interface eth1\n standby version 2\n standby 4096 ip 10.1.0.1", "3:10", "from 0 to 4095"),
            ("interface eth1\n standby 10 ip 10.1.0", "2:16", "expected the virtual address, an IPv4 address"),
            ("interface eth1\n standby 10 ip 224.0.0.2", "2:16", "unicast"),
            ("interface eth1\n standby 10 timers 3 3", "2:22", "longer than the hello interval"),
            ("interface eth1\n standby 10 timers msec 5 msec 100", "2:25", "a number from 15 to 999"),
            ("interface eth1\n standby 10 timers msec 999 msec 3001", "2:34", "a number from 50 to 3000"),
            ("interface eth1\n standby 10 authentication text 123456789", "2:33", "1 to 8 bytes, found 9"),
            ("interface eth1\n standby version 3", "2:18", "from 1 to 2"),
            (
                "interface eth1\n standby 300 ip 10.1.0.1\n standby version 2\n no standby version", "2:10",
                "standby version 2"
            ),
            ("interface eth1\n standby 1 ipv6 autoconfig", "2:12", "IPv6 needs version 2"),
            ("interface eth1\n standby 1 track eth0 10", "2:18", "track 1 interface eth0 line-protocol"),
            ("interface eth1\n standby 10 name \"VPN", "2:18", "closing quotation mark"),
            ("interface eth1/0", "1:11", "no `/`"),
            ("interface averyveryverylongname", "1:11", "at most 15 bytes"),
            ("track 1 stub-object", "1:9", "not available in this release"),
            ("track 1 ip route 10.2.0.0/24 metric threshold", "1:30", "write `reachability`"),
            ("track 1 interface eth0 line-protocol\n delay up 181", "2:11", "a number from 0 to 180"),
            (
                "track 1 interface eth0 line-protocol\ntrack 1 interface eth1 line-protocol", "2:7",
                "is `interface eth0 line-protocol` already (line 1)"
            ),
            ("ike-daemon strongswan\n vici charon.vici", "2:7", "absolute path"),
            ("ike-daemon strongswan\n ha-plugin local 127.0.0.2 remote 127.0.0.1", "2:12", "sorts before"),
            ("ike-daemon strongswan\n ha-plugin local 127.0.0.10 remote 127.0.0.2", "", ""),
            ("ike-daemon strongswan\n ha-plugin local 10.0.0.1 remote 10.0.0.2", "2:12", "127.0.0.0/8"),
            ("crypto map M 10 ipsec-isakmp\n set peer branch.example", "2:11", "expected the peer, or `any`"),
            ("crypto map M redundancy replay-interval inbound 10001", "1:49", "0 to 10000"),
            ("ipc zone default\n association 256", "2:14", "1 to 255"),
            ("ipc zone default\n association 1\n  protocol tcp", "3:12", "expected `sctp`"),
        ])
    func faults(text: String, place: String, message: String) throws {
        let result = read(text)
        if place.isEmpty {
            #expect(result.errors.isEmpty, "\(result.diagnostics)")
            return
        }
        let error = try #require(result.errors.first)
        #expect(error.description.hasPrefix("test.conf:\(place): error: "), "\(error)")
        #expect(error.message.contains(message), "\(error)")
        #expect(result.errors.count == 1, "\(result.errors)")
    }

    @Test(
        "references must resolve",
        arguments: [
            ("interface eth1\n crypto map M redundancy VNP\n", "did you mean `VPN`?"),
            ("redundancy inter-device\n scheme standby VPM\n", "did you mean `VPN`?"),
            ("interface eth0\n standby 1 ip 10.2.0.1\n standby 1 follow OTHER\n", "no group has the name `OTHER`"),
            ("interface eth0\n standby 1 name VPN\n", "the name `VPN` is taken by line 3"),
            ("interface eth0\n standby 1 ip 10.1.0.100\n", "is taken by line 2"),
            ("interface eth1\n standby 10 follow VPN\n", "cannot follow itself"),
            (
                "interface eth0\n standby 1 name IN\n standby 1 follow VPN\n standby 2 follow IN\n",
                "`IN` itself follows another group"
            ),
            (
                "interface eth0\n standby 1 name IN\n standby 1 follow VPN\n crypto map M redundancy IN\n",
                "`IN` follows another one; expected a group with an election of its own"
            ),
            (
                "interface eth0\n standby 1 name IN\n standby 1 follow VPN\nredundancy inter-device\n"
                    + " scheme standby IN\n", "`IN` follows another group"
            ),
        ])
    func references(text: String, message: String) {
        let said = errors(Self.base + text)
        #expect(said.contains { $0.contains(message) }, "\(said)")
    }

    @Test("what a following group cannot use is pointed out, and nothing else")
    func following() {
        let text = Self.base + "interface eth0\n standby 1 ip 10.2.0.100\n standby 1 follow VPN\n"
        #expect(warnings(text).isEmpty)
        for line in ["priority 105", "preempt", "track 1 shutdown"] {
            let said = warnings("track 1 interface eth0 line-protocol\n" + text + " standby 1 \(line)\n")
            #expect(said.count == 1 && said[0].hasSuffix("no effect in a group that follows; write them for `VPN`"))
        }
    }

    @Test("addresses of the association are checked")
    func association() {
        func text(_ local: String, _ remote: String) -> String {
            Self.base + "redundancy inter-device\n security none\nipc zone default\n association 1\n  protocol sctp\n"
                + "   local-port 5000\n    \(local)\n   remote-port 5000\n    \(remote)\n"
        }
        #expect(errors(text("local-ip 192.168.9.3", "remote-ip 192.168.9.4")).isEmpty)
        #expect(errors(text("local-ip 192.168.9.3", "!")).first?.contains("has no peer") == true)
        #expect(errors(text("!", "remote-ip 192.168.9.3")).first?.contains("no local address") == true)
        #expect(errors(text("local-ip 192.168.9.3", "remote-ip 192.168.9.3")).first?.contains("this node") == true)
        #expect(errors(text("local-ip 10.1.0.100", "remote-ip 10.1.0.4")).first?.contains("virtual address") == true)
        #expect(errors(text("local-ip 1.1.1.1 1.1.1.1", "remote-ip 1.1.1.2")).first?.contains("named twice") == true)
        #expect(
            errors(text("local-ip 1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5", "!")).first?.contains("at most 4") == true)
    }

    @Test("a decrement that can never cause a failover is pointed out")
    func decrements() {
        let track = "track 1 interface eth0 line-protocol\n" + Self.base
        #expect(warnings(track + " standby 10 priority 200\n standby 10 track 1 decrement 10\n").count == 1)
        #expect(warnings(track + " standby 10 priority 105\n standby 10 track 1 decrement 10\n").isEmpty)
        #expect(warnings(track + " standby 10 priority 200\n standby 10 track 1 shutdown\n").isEmpty)
    }

    @Test("a statement that replaces another one is pointed out")
    func replaced() {
        #expect(warnings(Self.base + " standby 10 priority 90\n standby 10 priority 90\n").isEmpty)
        #expect(
            warnings(Self.base + " standby 10 priority 90\n standby 10 priority 95\n")
                == ["this replaces what line 4 says"])
    }

    @Test("hostile bytes are faults, never a trap")
    func hostile() {
        #expect(load([0, 1, 2, 255, 254], fileName: "x").model == nil)
        #expect(load([UInt8](repeating: 0x20, count: 70_000), fileName: "x").model == nil)
        #expect(load([UInt8](repeating: UInt8(ascii: "a"), count: 2000), fileName: "x").model == nil)
        #expect(load([], fileName: "x").model != nil)
        let flood = [UInt8](String(repeating: "nonsense\n", count: 5000).utf8)
        let result = load(flood, fileName: "x")
        #expect(result.diagnostics.count == Limits.diagnosticCount + 1)
        #expect(result.diagnostics.last?.message == "and 4900 more")
    }

    @Test("any line of a good text cut anywhere is read without a trap")
    func truncated() {
        let bytes = [UInt8](GrammarTests.whole.utf8)
        for end in stride(from: 0, to: bytes.count, by: 7) { _ = load(Array(bytes[..<end]), fileName: "x") }
        var generator = SplitMix(seed: 1)
        for _ in 0..<300 {
            var broken = bytes
            for _ in 0..<5 {
                broken[Int(generator.next() % UInt64(broken.count))] = UInt8(truncatingIfNeeded: generator.next())
            }
            _ = load(broken, fileName: "x")
        }
    }

    @Test("limits hold")
    func limits() {
        let objects = (1...501).map { "track \($0) interface eth0 line-protocol\n" }.joined()
        #expect(errors(objects) == ["there are 501 tracked objects; expected at most 500"])
        let interfaces = (1...65).map { "interface e\($0)\n standby 1 priority 5\n" }.joined()
        #expect(errors(interfaces) == ["there are 65 interfaces with groups; expected at most 64"])
    }
}
