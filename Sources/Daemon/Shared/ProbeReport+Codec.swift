// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import Tracking

extension ProbeReport {
    /// The longest reason; the rest is cut.
    static let reasonByteCount = 200

    /// Appends the report.
    func encode(into writer: inout ByteWriter) {
        writer.write(UInt16(object))
        writer.write(observation.map { UInt8($0.isUp ? 1 : 0) } ?? 2)
        writer.write(UInt8(observation?.reason == nil ? 0 : 1))
        writer.write(chunk: (observation?.reason ?? "").utf8.prefix(Self.reasonByteCount))
        writer.write(UInt8(runs == nil ? 0 : 1))
        guard let runs else { return }
        for count in [runs.successes, runs.failures, runs.signals, runs.timeouts, runs.refusals] { writer.write(count) }
        writer.write(runs.lastMilliseconds ?? .max)
        writer.write(chunk: runs.last.utf8.prefix(Self.reasonByteCount))
    }

    /// Reads what `encode` wrote.
    init(parsing reader: inout ByteReader) throws(DecodeError) {
        let object: UInt16 = try reader.read()
        let state: UInt8 = try reader.read()
        guard state <= 2 else { throw .invalid(field: "probe state", value: UInt64(state)) }
        let hasReason: UInt8 = try reader.read()
        let reason = String(decoding: try reader.readChunk(), as: UTF8.self)
        self.init(
            object: Int(object),
            observation: state == 2 ? nil : Observation(isUp: state == 1, reason: hasReason == 0 ? nil : reason))
        guard try reader.read(UInt8.self) != 0 else { return }
        var runs = ScriptRuns()
        runs.successes = try reader.read()
        runs.failures = try reader.read()
        runs.signals = try reader.read()
        runs.timeouts = try reader.read()
        runs.refusals = try reader.read()
        let milliseconds: UInt32 = try reader.read()
        runs.lastMilliseconds = milliseconds == .max ? nil : milliseconds
        runs.last = String(decoding: try reader.readChunk(), as: UTF8.self)
        self.runs = runs
    }
}
