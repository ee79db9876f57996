// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// Puts stand-ins in the place of a group's keys and words, so that a recording holds none and still replays.
///
/// What was made by a key that the group believes is made anew by the key's stand-in; what was not stays as it came, and
/// is no more believed by a machine that knows the stand-ins alone.
public struct StandIns {
    private let believed: [HSRPKey]
    private var sending: [HSRPKey] = []
    private var words: Set<AuthenticationText> = []

    /// Stands for the group's own word; IOS's default is no secret and stays.
    static let word = AuthenticationText(value: 0x7374_616e_642d_696e)
    /// Stands for any other.
    static let otherWord = AuthenticationText(value: 0x6f74_6865_7200_0000)

    /// Knows what a group believes before it hears of an event, and what it says behind it.
    public init(of machine: GroupMachine, hearing event: GroupEvent, at now: Instant) {
        // A key that is believed no more must not be taken for one that is, of which it may be as long.
        believed = machine.believedKeys(at: now)
        add(machine.settings.authentication)
        if case .settingsChanged(let settings) = event { add(settings.authentication) }
    }

    private mutating func add(_ authentication: GroupAuthentication) {
        switch authentication {
        case .text(let word): words.insert(word)
        case .keys(let key, _): sending.append(key)
        case .missing: break
        }
    }

    /// The event as a recording may hold it.
    public func replace(in event: GroupEvent) -> GroupEvent {
        switch event {
        case .messageReceived(let message, let source): .messageReceived(replace(believed, in: message), from: source)
        case .settingsChanged(let settings): .settingsChanged(Self.replace(in: settings))
        default: event
        }
    }

    /// The action as a recording may hold it.
    public func replace(in action: GroupAction) -> GroupAction {
        guard case .send(let message, let fromVirtualMAC) = action else { return action }
        return .send(replace(sending, in: message), fromVirtualMAC: fromVirtualMAC)
    }

    /// The settings as a recording may hold them.
    public static func replace(in settings: GroupSettings) -> GroupSettings {
        var settings = settings
        switch settings.authentication {
        case .text(let word): settings.authentication = .text(word == .cisco ? word : Self.word)
        case .keys(let sending, let accepting):
            settings.authentication = .keys(sending: sending.standIn, accepting: accepting.map(\.standIn))
        case .missing: break
        }
        return settings
    }

    private func replace(_ keys: [HSRPKey], in message: HSRPMessage) -> HSRPMessage {
        var message = message
        switch message.authentication {
        case .absent: break
        case .text(let word): message.authentication = .text(standIn(for: word))
        case .digest(var digest):
            guard let key = keys.first(where: { $0.made(digest) }) else { break }
            digest.value = key.standIn.digest(of: digest.covered)
            message.authentication = .digest(digest)
        }
        return message
    }

    private func standIn(for word: AuthenticationText) -> AuthenticationText {
        guard word != .cisco else { return word }
        return words.contains(word) ? Self.word : Self.otherWord
    }
}

extension HSRPState: Codable {
    /// Writes the name.
    public func encode(to encoder: any Encoder) throws { try name.encode(to: encoder) }

    /// Reads the name; no text is Initial.
    public init(from decoder: any Decoder) throws {
        let text = try String(from: decoder)
        guard let state = Self.allCases.first(where: { $0.name == text || text.isEmpty }) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: text))
        }
        self = state
    }
}
