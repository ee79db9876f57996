// SPDX-License-Identifier: Apache-2.0

public import ByteCodec

/// Why a netlink request failed.
public enum NetlinkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kernel refused it: positive errno, and the text of its extended acknowledgement where it gave one.
    case refused(code: Int32, text: String?)
    /// A system call on the socket failed with this errno.
    case socket(operation: String, code: Int32)
    /// The kernel's answer could not be decoded.
    case malformed(DecodeError)
    /// A table kept changing while it was read.
    case dumpInterrupted
    /// The kernel gave no answer.
    case noAnswer

    /// The refusal's errno, nil for every other failure.
    public var refusalCode: Int32? {
        if case .refused(let code, _) = self { code } else { nil }
    }

    /// A text for logs.
    public var description: String {
        switch self {
        case .refused(let code, let text?): "kernel refused: errno \(code) (\(text))"
        case .refused(let code, nil): "kernel refused: errno \(code)"
        case .socket(let operation, let code): "\(operation): errno \(code)"
        case .malformed(let error): "malformed answer: \(error)"
        case .dumpInterrupted: "table changed while it was read"
        case .noAnswer: "no answer"
        }
    }
}

/// The kernel's verdict on one request (NLMSG_ERROR).
public struct NetlinkAcknowledgement: Hashable, Sendable {
    /// Positive errno, 0 for success.
    public var code: Int32
    /// NLMSGERR_ATTR_MSG.
    public var text: String?

    /// Reads the payload of an NLMSG_ERROR or NLMSG_DONE message.
    public init(parsing message: NetlinkMessage) throws(DecodeError) {
        var reader = ByteReader(message.payload)
        let negative = Int32(truncatingIfNeeded: try reader.readHost(UInt32.self))
        code = negative == .min ? .max : -negative
        guard message.flags & NetlinkFlags.acknowledgeAttributes != 0 else { return }
        if message.type == NetlinkControl.error {
            let echoedLength = Int(try reader.readHost(UInt32.self))
            let isCapped = message.flags & NetlinkFlags.capped != 0
            guard echoedLength >= NetlinkMessage.headerByteCount else { return }
            let skipped = isCapped || code == 0 ? NetlinkMessage.headerByteCount : netlinkAligned(echoedLength)
            try reader.skip(skipped - 4)
        }
        var attributes = AttributeReader(reader.readRemaining())
        while let attribute = try attributes.next() {
            if attribute.type == 1 { text = attribute.text }
        }
    }
}
