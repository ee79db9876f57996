// SPDX-License-Identifier: Apache-2.0

/// A message of the active charon with its place in the order of all of them.
public struct CharonRecord: Sendable, Equatable {
    /// Rises with every record of one source; gaps are allowed.
    public let sequence: UInt64
    private let content: Content

    /// The message.
    public var message: HAMessage { content.message }

    /// Makes a record.
    public init(sequence: UInt64, message: HAMessage) {
        self.sequence = sequence
        content = Content(message)
    }

    /// Compares number and message.
    public static func == (left: CharonRecord, right: CharonRecord) -> Bool {
        left.sequence == right.sequence && left.message == right.message
    }

    /// Keeps the wide message in one place: a snapshot sorts hundreds of thousands of records.
    private final class Content: Sendable {
        let message: HAMessage

        init(_ message: HAMessage) { self.message = message }
    }
}

/// The SAs that a charon fed with the journal must hold.
public struct LiveSet: Sendable, Equatable {
    /// The live IKE SAs.
    public var ikeSAs: [IKESPIPair: IKEIdentity] = [:]
    /// The live child SAs with the IKE SA that holds each.
    public var childSAs: [ChildSPIPair: IKESPIPair] = [:]

    /// Starts empty.
    public init() {}
}
