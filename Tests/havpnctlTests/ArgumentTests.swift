// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import havpnctl

@Suite("Command line")
struct ArgumentTests {
    static let commands = ["show", "monitor", "switchover", "reload", "check", "metrics"]

    private func arrange(_ line: String) -> String {
        Options.arrange(line.split(separator: " ").map(String.init), commands: Self.commands).joined(separator: " ")
    }

    @Test("common options may stand anywhere")
    func anywhere() {
        #expect(arrange("--json show standby") == "show --json standby")
        #expect(arrange("show standby --json --socket /x") == "show --json --socket /x standby")
        #expect(arrange("--socket=/x reload") == "reload --socket=/x")
        #expect(arrange("show -- --json") == "show -- --json")
        #expect(arrange("--version") == "--version")
        #expect(arrange("") == "")
    }

    @Test("commands may be abbreviated")
    func abbreviations() {
        #expect(arrange("sh st br") == "show st br")
        #expect(arrange("SH st") == "show st")
        #expect(arrange("sw --no-wait") == "switchover --no-wait")
        #expect(arrange("m") == "m")
    }
}
