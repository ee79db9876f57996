// SPDX-License-Identifier: Apache-2.0

/// `track N list …`: a state made of other objects' states, as their clients see them.
public struct ObjectList: Hashable, Sendable {
    /// How the members decide.
    public enum Rule: Hashable, Sendable {
        /// Up while all members are.
        case and
        /// Up while any member is.
        case or
        /// Up from a sum of weights on, down from another one on, in between as before.
        case weight(Thresholds)
        /// The same with the share of members that are up.
        case percentage(Thresholds)

        /// IOS's words: `boolean and`, `threshold weight`.
        public var name: String {
            switch self {
            case .and: "boolean and"
            case .or: "boolean or"
            case .weight: "threshold weight"
            case .percentage: "threshold percentage"
            }
        }
    }

    /// Where a list turns up and where it turns down; `down` is less than `up`.
    public struct Thresholds: Hashable, Sendable {
        /// At this value and above the list is up.
        public var up: Int
        /// At this value and below it is down.
        public var down: Int

        /// Makes thresholds.
        public init(up: Int, down: Int) {
            self.up = up
            self.down = down
        }
    }

    /// `object M`.
    public struct Member: Hashable, Sendable {
        /// The object's number; one that is not defined counts as Up.
        public var object: Int
        /// `not`: counts as up while the object is down; in boolean lists only.
        public var isNegated: Bool
        /// `weight W`, 1 to 255; in weighted lists only, else 1.
        public var weight: Int

        /// Makes a member.
        public init(object: Int, isNegated: Bool = false, weight: Int = 1) {
            self.object = object
            self.isNegated = isNegated
            self.weight = weight
        }
    }

    /// How the members decide.
    public var rule: Rule
    /// The members, ordered by number.
    public var members: [Member]

    /// Makes a list.
    public init(rule: Rule, members: [Member] = []) {
        self.rule = rule
        self.members = members
    }

    /// What the members' states make of the list.
    ///
    /// - Parameters:
    ///   - state: tells a member's state, nil for an object that is not defined.
    ///   - isUp: what the list is now, which holds between two thresholds.
    public func observe(isUp: Bool, _ state: (Int) -> TrackedObject.State?) -> Observation {
        let up = members.filter { ((state($0.object) ?? .up) == .up) != $0.isNegated }
        switch rule {
        case .and:
            let culprits = members.filter { member in !up.contains(member) }
            return Observation(isUp: culprits.isEmpty, reason: culprits.isEmpty ? nil : Self.name(culprits))
        case .or:
            return Observation(isUp: !up.isEmpty, reason: up.isEmpty ? Self.name(members) : nil)
        case .weight(let thresholds):
            let sum = up.reduce(0) { $0 + $1.weight }
            let whole = members.reduce(0) { $0 + $1.weight }
            return Observation(isUp: thresholds.isUp(at: sum, before: isUp), reason: "weight \(sum) of \(whole)")
        case .percentage(let thresholds):
            let share = members.isEmpty ? 100 : up.count * 100 / members.count
            return Observation(isUp: thresholds.isUp(at: share, before: isUp), reason: "\(share)% up")
        }
    }

    /// Names the members that keep a list down: `object 1 Down, object 2 not Up`.
    private static func name(_ culprits: [Member]) -> String {
        let shown = 4
        var words = culprits.prefix(shown).map { "object \($0.object) \($0.isNegated ? "not Up" : "Down")" }
        if culprits.count > shown { words.append("\(culprits.count - shown) more") }
        return words.joined(separator: ", ")
    }
}

extension ObjectList.Thresholds {
    fileprivate func isUp(at value: Int, before: Bool) -> Bool {
        if value >= up { return true }
        return value <= down ? false : before
    }
}
