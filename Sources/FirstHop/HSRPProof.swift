// SPDX-License-Identifier: Apache-2.0

import ByteCodec
public import Primitives

/// What a node of the pair adds to a message of version 2 so that the other one knows it for genuine and new.
///
/// A piece of its own behind the others; routers that do not know its type pass over it. Whoever holds the key makes and
/// checks the code (HMAC-SHA256, cut to 16 bytes), for this room has no such function:
///
///     type 213 · length 44 · edition 1 · 0 0 0 · life 8 · term 8 · count 8 · code 16
public struct HSRPProof: Hashable, Sendable, Codable {
    /// Names the sender's life, from one start of its group to the next.
    public var life: UInt64
    /// The sender's term.
    public var term: UInt64
    /// Rises with each message of a life.
    public var count: UInt64
    /// 16 bytes; zeros before the code is made.
    public internal(set) var code = [UInt8](repeating: 0, count: codeByteCount)
    /// Whether the holder of the key has found the code right.
    public var isGenuine = false
    /// The UDP payload with zeros in the code's place.
    var covered: [UInt8] = []

    /// Bytes of a code.
    public static let codeByteCount = 16
    static let type: UInt8 = 213
    static let edition: UInt8 = 1
    static let valueByteCount: UInt8 = 44

    /// Makes a proof without its code.
    public init(life: UInt64, term: UInt64, count: UInt64) {
        self.life = life
        self.term = term
        self.count = count
    }

    /// What the code is made of: the address that the message is sent from, and all of the message.
    public func input(from source: IPAddress) -> [UInt8] { source.octets + covered }

    /// Reads a piece's value, which lies in a payload that the code covers whole.
    init(_ value: ArraySlice<UInt8>, in payload: ArraySlice<UInt8>) throws(DecodeError) {
        var reader = ByteReader(value)
        let edition: UInt8 = try reader.read()
        guard edition == Self.edition else { throw .invalid(field: "proof edition", value: UInt64(edition)) }
        try reader.skip(3)
        self.init(life: try reader.read(), term: try reader.read(), count: try reader.read())
        let place = try reader.readBytes(Self.codeByteCount)
        try reader.finish()
        code = Array(place)
        covered = Array(payload)
        for index in place.indices { covered[index - payload.startIndex] = 0 }
    }

    func write(into writer: inout ByteWriter) {
        writer.write(bytes: [Self.type, Self.valueByteCount, Self.edition, 0, 0, 0])
        writer.write(life)
        writer.write(term)
        writer.write(count)
        writer.write(bytes: code)
    }
}

extension HSRPMessage {
    /// Puts the code into the message's proof, if it has one; the message must not be changed afterwards.
    public mutating func prove(from source: IPAddress, _ code: ([UInt8]) -> [UInt8]) {
        guard var proof else { return }
        proof.code = [UInt8](repeating: 0, count: HSRPProof.codeByteCount)
        self.proof = proof
        proof.covered = bytes
        proof.code = Array(code(proof.input(from: source)).prefix(HSRPProof.codeByteCount))
        precondition(proof.code.count == HSRPProof.codeByteCount)
        self.proof = proof
    }
}

/// How far a node insists on proofs: the three steps in which a pair comes to use them without a pause.
public enum ProofMode: UInt8, Sendable, CaseIterable, Codable {
    /// Sends none; a wrong or repeated one is refused.
    case receiveOnly
    /// Sends them, and believes messages without one as well.
    case permissive
    /// Believes nothing without one.
    case enforce

    /// Whether this node's messages carry a proof.
    public var sends: Bool { self != .receiveOnly }
}

/// What is remembered of those who have proved themselves, so that no recorded message counts twice.
struct ReplayGuard: Sendable {
    /// Bounds.
    enum Limits {
        /// Senders; only the key's holders get here.
        static let senders = 8
        /// Former lives of one sender.
        static let lives = 16
    }

    private struct Sender {
        var address: IPAddress
        var life: UInt64
        var count: UInt64
        var former: [UInt64] = []
    }

    /// The one heard last stands last.
    private var senders: [Sender] = []

    /// Whether a genuine message is new; then it is not any more.
    ///
    /// Of a life that is not known yet nothing says whether it is the sender's present one, so that `isPlausible` has to.
    mutating func admits(_ proof: HSRPProof, from address: IPAddress, isPlausible: Bool) -> Bool {
        let index = senders.firstIndex { $0.address == address }
        var sender = index.map { senders[$0] }
        if var known = sender {
            if known.life == proof.life {
                guard proof.count > known.count else { return false }
                known.count = proof.count
            } else {
                guard isPlausible, !known.former.contains(proof.life) else { return false }
                known.former = Array((known.former + [known.life]).suffix(Limits.lives))
                known.life = proof.life
                known.count = proof.count
            }
            sender = known
        } else {
            guard isPlausible else { return false }
            sender = Sender(address: address, life: proof.life, count: proof.count)
        }
        if let index {
            senders.remove(at: index)
        } else if senders.count == Limits.senders {
            senders.removeFirst()
        }
        if let sender { senders.append(sender) }
        return true
    }
}
