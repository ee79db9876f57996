// SPDX-License-Identifier: Apache-2.0

import ByteCodec

/// How a probe of a neighbour on the segment ended.
public enum ProbeResult: UInt8, Hashable, Sendable, Codable {
    /// There is no neighbour to ask: none is configured, and no VPN peer is reached over this segment.
    case impossible = 0
    /// It answered.
    case answered = 1
    /// It did not, in time.
    case unanswered = 2
}

/// What an Active shows of itself when its hellos are lost (DESIGN §5).
public struct RoleEvidence: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The lease of the virtual address was renewed in time.
    public var isLeaseRenewed = true
    /// The interface has carrier.
    public var hasCarrier = true
    /// The probe of a neighbour.
    public var probe: ProbeResult
    /// How long ago it heard a hello; nil if never.
    public var lastHelloMilliseconds: UInt32?

    /// Evidence with everything in order but the probe.
    public init(probe: ProbeResult) { self.probe = probe }

    /// Whether an Active that shows this stays.
    public var isEnough: Bool { isLeaseRenewed && hasCarrier && probe != .unanswered }

    /// For log lines.
    public var description: String {
        let neighbour =
            switch probe {
            case .impossible: "no neighbour to probe"
            case .answered: "its neighbour answers"
            case .unanswered: "its neighbour does not answer"
            }
        let heard = lastHelloMilliseconds.map { "heard a hello \($0) ms ago" } ?? "heard no hello"
        return "\(hasCarrier ? "carrier" : "no carrier"), \(neighbour), \(heard)"
    }

    private static let leaseFlag: UInt8 = 1
    private static let carrierFlag: UInt8 = 2

    func encode(into writer: inout ByteWriter) {
        writer.write((isLeaseRenewed ? Self.leaseFlag : 0) | (hasCarrier ? Self.carrierFlag : 0))
        writer.write(probe.rawValue)
        writer.write(lastHelloMilliseconds ?? .max)
    }

    init(parsing reader: inout ByteReader) throws(DecodeError) {
        let flags: UInt8 = try reader.read()
        let code: UInt8 = try reader.read()
        guard let probe = ProbeResult(rawValue: code) else {
            throw .invalid(field: "probe result", value: UInt64(code))
        }
        self.init(probe: probe)
        isLeaseRenewed = flags & Self.leaseFlag != 0
        hasCarrier = flags & Self.carrierFlag != 0
        let heard: UInt32 = try reader.read()
        lastHelloMilliseconds = heard == .max ? nil : heard
    }
}
