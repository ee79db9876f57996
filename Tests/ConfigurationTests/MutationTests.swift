// SPDX-License-Identifier: Apache-2.0

import Configuration
import Testing

/// Texts made from good ones by random damage: what is accepted must survive being printed, the rest must not trap.
@Suite("Damaged texts")
struct MutationTests {
    @Test("an accepted text survives being printed, whatever damaged it", arguments: 0..<4)
    func damaged(seed: Int) throws {
        var generator = SplitMix(seed: UInt64(seed) &+ 1000)
        let sources = [GrammarTests.whole, SeedTests.firstNode, SeedTests.secondNode].map {
            $0.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        }
        let words =
            sources.joined().flatMap { $0.split(separator: " ") }.map(String.init) + ["no", "\"a b\"", "!"]
        var accepted = 0
        for _ in 0..<150 {
            var lines = sources.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...6, using: &generator) { damage(&lines, words, &generator) }
            let result = load([UInt8](lines.joined(separator: "\n").utf8), fileName: "x")
            guard let model = result.model else {
                #expect(!result.errors.isEmpty)
                continue
            }
            accepted += 1
            let text = print(model, secrets: true)
            #expect(load([UInt8](text.utf8), fileName: "y").model == model, "\(lines.joined(separator: "\n"))\n\(text)")
        }
        #expect(accepted > 10)
    }

    private func damage(_ lines: inout [String], _ words: [String], _ generator: inout SplitMix) {
        guard !lines.isEmpty else { return }
        let index = Int.random(in: 0..<lines.count, using: &generator)
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: lines.remove(at: index)
        case 1: lines.insert(lines[index], at: Int.random(in: 0...lines.count, using: &generator))
        case 2: lines.swapAt(index, Int.random(in: 0..<lines.count, using: &generator))
        case 3: lines[index] = " no " + lines[index]
        case 4: lines[index] = String(lines[index].drop { $0 == " " })
        case 5: lines[index] = String(lines[index].dropLast(Int.random(in: 1...4, using: &generator)))
        default:
            var parts = lines[index].split(separator: " ").map(String.init)
            guard !parts.isEmpty else { return }
            parts[Int.random(in: 0..<parts.count, using: &generator)] = words.randomElement(using: &generator) ?? ""
            lines[index] = " " + parts.joined(separator: " ")
        }
    }
}
