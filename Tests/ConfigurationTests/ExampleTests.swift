// SPDX-License-Identifier: Apache-2.0

import Configuration
import Foundation
import Testing

@Suite("Shipped examples")
struct ExampleTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test("the example of each node loads, with the remarks on clear text alone", arguments: ["r3", "r4"])
    func examples(node: String) throws {
        let text = try Data(contentsOf: Self.root.appending(path: "etc/havpn/\(node).conf"))
        let result = load([UInt8](text), fileName: node)
        let model = try #require(result.model, "\(result.diagnostics)")
        #expect(result.warnings.count == 1)
        #expect(result.warnings.first?.message.contains("clear text") == true)
        #expect(model.hostname == node.uppercased())
        #expect(model.cryptoMaps.first?.isStateful == true)
    }

    @Test("the two examples belong together")
    func pair() throws {
        let models = try ["r3", "r4"].map { node in
            let text = try Data(contentsOf: Self.root.appending(path: "etc/havpn/\(node).conf"))
            return try #require(load([UInt8](text), fileName: node).model)
        }
        #expect(models[0].association?.localAddresses == models[1].association?.remoteAddresses)
        #expect(models[1].association?.localAddresses == models[0].association?.remoteAddresses)
        #expect(models[0].cryptoMaps == models[1].cryptoMaps)
        let groups = models.map { $0.interfaces.flatMap(\.groups) }
        #expect(groups[0].map(\.virtualAddress) == groups[1].map(\.virtualAddress))
        #expect(groups[0].first?.priority == 105 && groups[1].first?.priority == 100)
    }

    @Test("every example of the reference is read without an error")
    func reference() throws {
        let text = try String(contentsOf: Self.root.appending(path: "docs/configuration.md"), encoding: .utf8)
        let blocks = text.components(separatedBy: "```\n")
        let examples = stride(from: 1, to: blocks.count, by: 2).map { blocks[$0] }
        #expect(examples.count >= 3)
        let model = try #require(load([UInt8](examples.joined().utf8), fileName: "docs").model)
        #expect(model.association != nil && model.security != .none)
    }
}
