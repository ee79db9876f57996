// SPDX-License-Identifier: Apache-2.0

import Primitives

/// One IKE SA of the journal with the records that speak of it.
struct JournalNode: Sendable {
    /// Records that matter only while the SA itself is live.
    static var placesOfLiveOnly: [WritableKeyPath<JournalNode, CharonRecord?>] {
        [\.messageIDInitiator, \.messageIDResponder, \.initializationVector]
    }

    let identity: IKEIdentity
    var parent: IKESPIPair?
    var successors: [IKESPIPair] = []
    var isEnded = false
    /// The first IKE_ADD and later key updates.
    var additions: [CharonRecord]
    var firstUpdate: CharonRecord?
    var lastUpdate: CharonRecord?
    var virtualAddressUpdate: CharonRecord?
    var messageIDInitiator: CharonRecord?
    var messageIDResponder: CharonRecord?
    var initializationVector: CharonRecord?
    /// The IKE_DELETE of an SA that lives on in its successors: charon ignores it, another journal needs it.
    var end: CharonRecord?
    /// The live child SAs derived under this SA, by inbound SPI.
    var children: [UInt32: CharonRecord] = [:]
    var adoption: AdoptionKey?

    init(identity: IKEIdentity, first: CharonRecord) {
        self.identity = identity
        additions = [first]
    }

    /// When the SA was added.
    var firstSequence: UInt64 { additions.first?.sequence ?? 0 }

    /// All records, in no order.
    var records: [CharonRecord] {
        var all = additions
        append(to: &all)
        return all
    }

    private func append(to all: inout [CharonRecord]) {
        if let firstUpdate { all.append(firstUpdate) }
        if let lastUpdate { all.append(lastUpdate) }
        if let virtualAddressUpdate { all.append(virtualAddressUpdate) }
        if let messageIDInitiator { all.append(messageIDInitiator) }
        if let messageIDResponder { all.append(messageIDResponder) }
        if let initializationVector { all.append(initializationVector) }
        if let end { all.append(end) }
        all.append(contentsOf: children.values)
    }
}

/// What must agree for charon to let a new IKEv1 SA adopt the children of an old one (`adopt_children_job.c`).
struct AdoptionKey: Hashable, Sendable {
    private let connection: String
    private let localID: [UInt8]?
    private let remoteID: [UInt8]?
    private let local: IKEEndpoint?
    private let remote: IKEEndpoint?

    init(_ update: HAMessage, connection: String) {
        self.connection = connection
        localID = update.localID
        remoteID = update.remoteID
        local = update.localEndpoint
        remote = update.remoteEndpoint
    }
}

extension HAMessage {
    /// The FNV-1a hash of the bytes, 64 bits.
    var fingerprint: UInt64 {
        bytes.withBytes { bytes in
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
            return hash
        }
    }
}
