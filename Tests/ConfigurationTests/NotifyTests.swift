// SPDX-License-Identifier: Apache-2.0

import Configuration
import Testing

@Suite("Configuration: notify") struct NotifyTests {
    private static let group = "interface eth1\n standby 10 ip 10.1.0.100\n standby 10 name VPN\n"

    @Test("programs with their settings, and the defaults; the printed text loads to the same")
    func settings() throws {
        let model = try model(
            """
            \(Self.group)notify /usr/local/bin/b
            notify /etc/havpn/a
             group VPN
             timeout 30
             user root
            """)
        #expect(model.notifications.map(\.path) == ["/etc/havpn/a", "/usr/local/bin/b"])
        #expect(model.notifications[0].group == "VPN" && model.notifications[0].timeoutSeconds == 30)
        #expect(model.notifications[0].user == "root")
        #expect(model.notifications[1] == Model.Notification(path: "/usr/local/bin/b"))
        #expect(model.notifications[1].user == "nobody" && model.notifications[1].timeoutSeconds == 10)
        #expect(read(print(model, secrets: true)).model == model)
    }

    @Test("`no` takes back a program, or one of its lines")
    func negated() throws {
        let text =
            Self.group + "notify /a\n group VPN\n timeout 30\n user root\n no group\n no timeout\n no user\n"
            + "notify /b\nno notify /b\n"
        #expect(try model(text).notifications == [Model.Notification(path: "/a")])
    }

    @Test(
        "what is wrong is refused at its place",
        arguments: [
            ("notify run.sh\n", "4:8: error: expected an absolute path"), ("notify /a\n timeout 0\n", "5:10: error"),
            ("notify /a\n timeout 301\n", "5:10: error"),
            ("notify /a\n group NOBODY\n", "4:8: error: no group has the name"),
            ("notify /a\n path x\n", "5:2: error: unknown statement"), ("notify\n", "4:7: error"),
        ])
    func refused(lines: String, expected: String) {
        let found = read(Self.group + lines).diagnostics.map(\.description)
        #expect(found.contains { $0.hasPrefix("test.conf:\(expected)") }, "\(found)")
    }

    @Test("at most 16 programs")
    func limit() {
        func text(_ count: Int) -> String { Self.group + (0..<count).map { "notify /p\($0)\n" }.joined() }
        #expect(read(text(16)).model != nil)
        #expect(read(text(17)).model == nil)
    }
}
