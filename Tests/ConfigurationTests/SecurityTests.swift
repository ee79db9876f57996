// SPDX-License-Identifier: Apache-2.0

import Configuration
import Primitives
import Testing

@Suite("Security of the association")
struct SecurityTests {
    private static let first = "sha256:" + String(repeating: "01", count: 32)
    private static let second = "sha256:" + String(repeating: "ab", count: 32)

    private func text(_ lines: String...) -> String {
        "interface eth1\n standby 10 ip 10.1.0.100\n standby 10 name VPN\nipc zone default\n association 1\n"
            + "  no shutdown\n  protocol sctp\n   local-port 5000\n    local-ip 192.168.9.3\n   remote-port 5000\n"
            + "    remote-ip 192.168.9.4\nredundancy inter-device\n scheme standby VPN\n"
            + lines.map { " \($0)\n" }.joined()
    }

    private func peers(_ lines: String...) throws -> [Fingerprint] {
        let all = (["security identity /etc/havpn/identity.pem"] + lines).map { " \($0)\n" }.joined()
        guard case .pinned(_, let peers) = try model(text() + all).security else { return [] }
        return peers
    }

    @Test("an identity and several peers are kept in the file's order, each once, and printed again")
    func pinned() throws {
        let whole = text(
            "security identity /etc/havpn/identity.pem", "security peer \(Self.first)", "security peer \(Self.second)")
        let model = try model(whole)
        let fingerprints = try [Self.first, Self.second].map { try #require(Fingerprint(text: $0)) }
        #expect(model.security == .pinned(identityPath: "/etc/havpn/identity.pem", peers: fingerprints))
        #expect(read(whole).diagnostics.isEmpty)
        let printed = print(model, secrets: false)
        #expect(
            printed.contains(
                " security identity /etc/havpn/identity.pem\n security peer \(Self.first)\n"
                    + " security peer \(Self.second)\n"))
        #expect(try ConfigurationTests.model(printed) == model)
        #expect(try peers("security peer \(Self.first)", "security peer \(Self.first)").count == 1)
    }

    @Test("`no` takes back one peer, the identity, or all")
    func negated() throws {
        let two = ["security peer \(Self.first)", "security peer \(Self.second)"]
        #expect(
            try peers(two[0], two[1], "no security peer \(Self.first)").map(\.description) == [Self.second])
        #expect(try model(text("security none", "no security none", "security identity /a", two[0])).security != .none)
        #expect(try model(text("security identity /a", two[0], "no security", "security none")).security == .none)
        let whole = "redundancy inter-device\n security identity /a\n \(two[0])\n"
        #expect(try model(whole + "no redundancy inter-device\n").security == .unset)
    }

    @Test("a half of it, a contradiction and a malformed fingerprint say where they are and what to do")
    func faults() throws {
        let identity = "security identity /etc/havpn/identity.pem"
        let cases: [([String], String, String)] = [
            ([identity], "14:20", "write `security peer sha256:…`"),
            (["security peer \(Self.first)"], "14:16", "havpnctl keygen --out FILE"),
            (["security none", identity, "security peer \(Self.first)"], "14:11", "contradicts"),
            ([identity, "security peer \(Self.first)", "security none"], "16:11", "contradicts"),
            ([identity, "security peer sha256:00"], "15:16", "`havpnctl fingerprint FILE`"),
            ([identity, "security peer \(Self.second.uppercased())"], "15:16", "lower-case"),
            (["security identity identity.pem"], "14:20", "absolute path"),
            (["security identity"], "14:19", "`havpnctl keygen`"),
            (["security ipsec PROFILE"], "14:11", "write `security identity FILE`"),
            (["security tls"], "14:11", "expected `none`, `identity`, `peer` or `ipsec`"),
            ([], "5:14", "or `security none`"),
        ]
        for (lines, place, message) in cases {
            let result = read(text() + lines.map { " \($0)\n" }.joined())
            let error = try #require(result.errors.first, "\(lines)")
            #expect(error.description.hasPrefix("test.conf:\(place): error: "), "\(error)")
            #expect(error.message.contains(message), "\(error)")
            #expect(result.errors.count == 1, "\(result.errors)")
        }
    }

    @Test("more peers than allowed are refused")
    func limit() {
        let lines = (0...Limits.securityPeerCount).map { number in
            " security peer sha256:" + String(repeating: "0\(number)", count: 32) + "\n"
        }
        let said = errors(text("security identity /a") + lines.joined())
        #expect(said == ["expected at most \(Limits.securityPeerCount) `security peer` lines"])
    }

    @Test("half of it is refused without an association, too")
    func withoutAssociation() {
        #expect(errors("redundancy inter-device\n security identity /a\n").count == 1)
        #expect(errors("redundancy inter-device\n security none\n").isEmpty)
    }
}
