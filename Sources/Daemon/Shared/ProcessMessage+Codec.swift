// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Netlink
import Primitives
import Tracking

/// The type byte of a frame.
private enum FrameType: UInt8 {
    case configuration = 1
    case descriptor = 2
    case stop = 3
    case failoverDied = 4
    case resume = 5
    case identityMissing = 6
    case observed = 7
    case keyFile = 8
    case keyFileMissing = 9
    case counted = 10
    case replicationStarted = 11
    case ready = 16
    case configurationAccepted = 17
    case configurationRefused = 18
    case holding = 19
    case fences = 20
    case viciRequested = 21
    case reloadRequested = 22
    case stopped = 23
    case identityRequested = 24
    case keyFileRequested = 25
    case settings = 26
    case groupChanged = 27
    case redundancyChanged = 32
    case roleChanged = 33
    case role = 34
    case neighbour = 35
    case watchAsked = 36
    case watchAnswered = 37
    case query = 48
    case answer = 49
    case event = 50
    case recorded = 51
}

extension ProcessMessage {
    /// Bounds inside a frame.
    enum Limits {
        /// Addresses in `holding` and `fences`, interfaces in `settings`, counters.
        static let addresses = 1024
    }

    /// The frame's bytes; more than `maximumByteCount` is the sender's mistake.
    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        switch self {
        case .configuration, .descriptor, .stop, .failoverDied, .resume, .identityMissing, .observed, .keyFile,
            .keyFileMissing, .counted, .replicationStarted:
            encodeCommand(into: &writer)
        case .redundancyChanged, .roleChanged, .role, .neighbour, .watchAsked, .watchAnswered:
            encodeRole(into: &writer)
        case .query, .answer, .event, .recorded: encodeQuery(into: &writer)
        default: encodeReport(into: &writer)
        }
        precondition(writer.count <= Self.maximumByteCount)
        return writer.bytes
    }

    private func encodeCommand(into writer: inout ByteWriter) {
        switch self {
        case .configuration(let revision, let text):
            writer.write(FrameType.configuration.rawValue)
            writer.write(revision)
            writer.write(bytes: text)
        case .descriptor(let purpose, let peer):
            writer.write(bytes: [FrameType.descriptor.rawValue, purpose.rawValue, peer.rawValue])
        case .failoverDied: writer.write(FrameType.failoverDied.rawValue)
        case .resume: writer.write(FrameType.resume.rawValue)
        case .keyFile(let path):
            writer.write(FrameType.keyFile.rawValue)
            writer.write(bytes: path.utf8)
        case .keyFileMissing(let path, let reason):
            writer.write(FrameType.keyFileMissing.rawValue)
            writer.write(chunk: Array(path.utf8))
            writer.write(bytes: reason.utf8)
        case .identityMissing(let reason):
            writer.write(FrameType.identityMissing.rawValue)
            writer.write(bytes: reason.utf8)
        case .observed(let report):
            writer.write(FrameType.observed.rawValue)
            report.encode(into: &writer)
        case .replicationStarted(let process):
            writer.write(FrameType.replicationStarted.rawValue)
            writer.write(UInt32(bitPattern: process))
        case .counted(let counters):
            writer.write(FrameType.counted.rawValue)
            writer.write(UInt16(counters.count))
            for (name, value) in counters.sorted(by: { $0.key < $1.key }) {
                writer.write(value)
                writer.write(chunk: Array(name.utf8))
            }
        default: writer.write(FrameType.stop.rawValue)
        }
    }

    private func encodeReport(into writer: inout ByteWriter) {
        switch self {
        case .configurationAccepted(let revision, let text):
            writer.write(FrameType.configurationAccepted.rawValue)
            writer.write(revision)
            writer.write(bytes: text)
        case .configurationRefused(let revision, let text):
            writer.write(FrameType.configurationRefused.rawValue)
            writer.write(revision)
            writer.write(bytes: text.utf8)
        case .holding(let addresses, let isPeerHot):
            precondition(addresses.count <= Limits.addresses)
            writer.write(FrameType.holding.rawValue)
            writer.write(UInt8(isPeerHot ? 1 : 0))
            writer.write(UInt16(addresses.count))
            for held in addresses {
                writer.write(held.interfaceIndex)
                writer.write(held.address)
                writer.write(held.prefixLength)
            }
        case .fences(let addresses):
            precondition(addresses.count <= Limits.addresses)
            writer.write(FrameType.fences.rawValue)
            writer.write(UInt16(addresses.count))
            for address in addresses { writer.write(address) }
        case .groupChanged(let change):
            writer.write(FrameType.groupChanged.rawValue)
            change.encode(into: &writer)
        case .settings(let interfaces): Self.encode(interfaces, into: &writer)
        case .viciRequested: writer.write(FrameType.viciRequested.rawValue)
        case .identityRequested: writer.write(FrameType.identityRequested.rawValue)
        case .keyFileRequested(let path):
            writer.write(FrameType.keyFileRequested.rawValue)
            writer.write(bytes: path.utf8)
        case .reloadRequested: writer.write(FrameType.reloadRequested.rawValue)
        case .stopped: writer.write(FrameType.stopped.rawValue)
        default: writer.write(FrameType.ready.rawValue)
        }
    }

    private func encodeRole(into writer: inout ByteWriter) {
        switch self {
        case .redundancyChanged(let status):
            writer.write(FrameType.redundancyChanged.rawValue)
            status.encode(into: &writer)
        case .roleChanged(let isActive, let isFenced, let group, let term):
            writer.write(FrameType.roleChanged.rawValue)
            writer.write(UInt8(isActive ? 1 : 0))
            writer.write(UInt8(isFenced ? 1 : 0))
            writer.write(group)
            writer.write(term)
        case .role(let message, let group, let term):
            writer.write(FrameType.role.rawValue)
            writer.write(group)
            writer.write(term)
            message.encode(into: &writer)
        case .neighbour(let address, let interfaceIndex):
            writer.write(FrameType.neighbour.rawValue)
            writer.write(address)
            writer.write(interfaceIndex)
        case .watchAsked(let number):
            writer.write(FrameType.watchAsked.rawValue)
            writer.write(number)
        case .watchAnswered(let number):
            writer.write(FrameType.watchAnswered.rawValue)
            writer.write(number)
        default: preconditionFailure("not a role frame")
        }
    }

    private func encodeQuery(into writer: inout ByteWriter) {
        switch self {
        case .query(let number, let text):
            writer.write(FrameType.query.rawValue)
            writer.write(number)
            writer.write(bytes: text)
        case .answer(let number, let isLast, let text):
            writer.write(FrameType.answer.rawValue)
            writer.write(number)
            writer.write(UInt8(isLast ? 1 : 0))
            writer.write(bytes: text)
        case .event(let text):
            writer.write(FrameType.event.rawValue)
            writer.write(bytes: text)
        case .recorded(let text):
            writer.write(FrameType.recorded.rawValue)
            writer.write(bytes: text)
        default: preconditionFailure("not a query frame")
        }
    }
}

extension ProcessMessage {
    /// Reads one frame; bytes left over are a fault.
    init(parsing bytes: [UInt8]) throws(DecodeError) {
        var reader = ByteReader(bytes)
        let number: UInt8 = try reader.read()
        guard let type = FrameType(rawValue: number) else {
            throw .invalid(field: "frame type", value: UInt64(number))
        }
        switch type {
        case .configuration:
            self = .configuration(revision: try reader.read(), text: Array(reader.readRemaining()))
        case .descriptor: self = try Self.descriptor(&reader)
        case .stop: self = .stop
        case .failoverDied: self = .failoverDied
        case .resume: self = .resume
        case .identityMissing:
            self = .identityMissing(reason: String(decoding: reader.readRemaining(), as: UTF8.self))
        case .observed: self = .observed(try ProbeReport(parsing: &reader))
        case .keyFile: self = .keyFile(path: String(decoding: reader.readRemaining(), as: UTF8.self))
        case .keyFileMissing:
            self = .keyFileMissing(
                path: String(decoding: try reader.readChunk(), as: UTF8.self),
                reason: String(decoding: reader.readRemaining(), as: UTF8.self))
        case .ready: self = .ready
        case .configurationAccepted:
            self = .configurationAccepted(revision: try reader.read(), text: Array(reader.readRemaining()))
        case .configurationRefused:
            self = .configurationRefused(
                revision: try reader.read(), text: String(decoding: reader.readRemaining(), as: UTF8.self))
        case .holding: self = try Self.holding(&reader)
        case .fences: self = .fences(addresses: try Self.fences(&reader))
        case .counted: self = .counted(try Self.counters(&reader))
        case .replicationStarted: self = .replicationStarted(process: Int32(bitPattern: try reader.read()))
        case .groupChanged: self = .groupChanged(try GroupChange(parsing: &reader))
        case .settings: self = .settings(before: try Self.settings(&reader))
        case .viciRequested: self = .viciRequested
        case .identityRequested: self = .identityRequested
        case .keyFileRequested: self = .keyFileRequested(path: String(decoding: reader.readRemaining(), as: UTF8.self))
        case .reloadRequested: self = .reloadRequested
        case .stopped: self = .stopped
        case .redundancyChanged: self = .redundancyChanged(try RedundancyStatus(parsing: &reader))
        case .roleChanged:
            self = .roleChanged(
                isActive: try reader.readFlag(), isFenced: try reader.readFlag(), group: try reader.read(),
                term: try reader.read())
        case .role:
            let group: UInt16 = try reader.read()
            let term: UInt64 = try reader.read()
            self = .role(try RoleMessage(parsing: &reader), group: group, term: term)
        case .neighbour:
            self = .neighbour(try reader.readIPv4(), interfaceIndex: try reader.read())
        case .watchAsked: self = .watchAsked(number: try reader.read())
        case .watchAnswered: self = .watchAnswered(number: try reader.read())
        case .query: self = .query(number: try reader.read(), text: Array(reader.readRemaining()))
        case .answer:
            self = .answer(
                number: try reader.read(), isLast: try reader.readFlag(), text: Array(reader.readRemaining()))
        case .event: self = .event(text: Array(reader.readRemaining()))
        case .recorded: self = .recorded(text: Array(reader.readRemaining()))
        }
        try reader.finish()
    }

    private static func descriptor(_ reader: inout ByteReader) throws(DecodeError) -> ProcessMessage {
        let purposeNumber: UInt8 = try reader.read()
        let peerNumber: UInt8 = try reader.read()
        guard let purpose = DescriptorPurpose(rawValue: purposeNumber) else {
            throw .invalid(field: "descriptor purpose", value: UInt64(purposeNumber))
        }
        guard let peer = ProcessRole(rawValue: peerNumber) else {
            throw .invalid(field: "process role", value: UInt64(peerNumber))
        }
        return .descriptor(purpose, peer: peer)
    }

    private static func holding(_ reader: inout ByteReader) throws(DecodeError) -> ProcessMessage {
        let isPeerHot = try reader.readFlag()
        var addresses: [HeldAddress] = []
        for _ in 0..<(try reader.readAddressCount()) {
            let interfaceIndex: UInt32 = try reader.read()
            let address = try reader.readAddress()
            let length: UInt8 = try reader.read()
            guard Int(length) <= address.bitCount else {
                throw .invalid(field: "prefix length", value: UInt64(length))
            }
            addresses.append(
                HeldAddress(interfaceIndex: interfaceIndex, address: address, prefixLength: length))
        }
        return .holding(addresses: addresses, isPeerHot: isPeerHot)
    }

    private static func counters(_ reader: inout ByteReader) throws(DecodeError) -> [String: UInt64] {
        var counters: [String: UInt64] = [:]
        for _ in 0..<(try reader.readAddressCount()) {
            let value: UInt64 = try reader.read()
            counters[String(decoding: try reader.readChunk(), as: UTF8.self)] = value
        }
        return counters
    }

    private static func encode(_ interfaces: [InterfaceSettings], into writer: inout ByteWriter) {
        precondition(interfaces.count <= Limits.addresses)
        writer.write(FrameType.settings.rawValue)
        writer.write(UInt16(interfaces.count))
        for interface in interfaces {
            writer.write(interface.index)
            writer.write(UInt8(interface.values.count))
            for (setting, value) in interface.values.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                writer.write(setting.rawValue)
                writer.write(value)
            }
        }
    }

    private static func settings(_ reader: inout ByteReader) throws(DecodeError) -> [InterfaceSettings] {
        var interfaces: [InterfaceSettings] = []
        for _ in 0..<(try reader.readAddressCount()) {
            var interface = InterfaceSettings(index: try reader.read(), values: [:])
            for _ in 0..<(try reader.read(UInt8.self)) {
                let number: UInt16 = try reader.read()
                guard let setting = InterfaceSetting(rawValue: number) else {
                    throw .invalid(field: "interface setting", value: UInt64(number))
                }
                interface.values[setting] = try reader.read()
            }
            interfaces.append(interface)
        }
        return interfaces
    }

    private static func fences(_ reader: inout ByteReader) throws(DecodeError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for _ in 0..<(try reader.readAddressCount()) { addresses.append(try reader.readAddress()) }
        return addresses
    }
}

extension ByteReader {
    fileprivate mutating func readFlag() throws(DecodeError) -> Bool {
        let value: UInt8 = try read()
        guard value <= 1 else { throw .invalid(field: "flag", value: UInt64(value)) }
        return value == 1
    }

    fileprivate mutating func readAddressCount() throws(DecodeError) -> UInt16 {
        let count: UInt16 = try read()
        guard count <= UInt16(ProcessMessage.Limits.addresses) else {
            throw .overLimit(field: "address count", value: UInt64(count))
        }
        return count
    }
}
