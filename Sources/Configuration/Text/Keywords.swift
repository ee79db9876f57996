// SPDX-License-Identifier: Apache-2.0

/// Finds keywords by unambiguous abbreviation, as IOS does.
enum Keywords {
    enum Match: Equatable {
        case one(String)
        case several([String])
        case none
    }

    /// The keyword that `word` stands for among `known`; a full match wins over longer ones that it starts.
    static func match(_ word: String, among known: [String]) -> Match {
        guard !word.isEmpty else { return .none }
        let lowered = word.lowercased()
        if known.contains(lowered) { return .one(lowered) }
        let candidates = known.filter { $0.hasPrefix(lowered) }
        switch candidates.count {
        case 0: return .none
        case 1: return .one(candidates[0])
        default: return .several(candidates)
        }
    }

    /// The keyword that was probably meant, nil if none is close.
    static func nearest(to word: String, among known: [String]) -> String? {
        let lowered = Array(word.lowercased().utf8)
        guard lowered.count <= 32 else { return nil }
        let ranked = known.map { ($0, distance(lowered, Array($0.lowercased().utf8))) }
        guard let best = ranked.min(by: { $0.1 < $1.1 }) else { return nil }
        return best.1 <= max(1, min(best.0.utf8.count, lowered.count) / 3) ? best.0 : nil
    }

    /// "a, b or c".
    static func list(_ words: [String], joining: String = "or") -> String {
        guard words.count > 1, let last = words.last else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " \(joining) " + last
    }

    /// Insertions, deletions, replacements and swaps of neighbours between two words.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var before: [Int] = []
        var previous = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                let cost = left[row] == right[column] ? 0 : 1
                var best = min(previous[column + 1] + 1, current[column] + 1, previous[column] + cost)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, before[column - 1] + 1)
                }
                current.append(best)
            }
            before = previous
            previous = current
        }
        return previous[right.count]
    }
}
