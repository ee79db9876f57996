// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec
internal import CLinux
internal import Glibc
public import Netlink
internal import Primitives

/// A table that is read piece by piece: the kernel makes each piece when the one before was taken.
///
/// What changes meanwhile may be missing or stand in it as it was; events tell. A piece is at most 32 KiB.
public final class NetlinkDump {
    /// What one step found.
    public enum Piece: Hashable, Sendable {
        /// Messages; more may follow.
        case messages([NetlinkMessage])
        /// The table ends here; the messages are its last.
        case finished
        /// The table changed under the reading in a way that makes it worthless, or the kernel refused.
        case failed(NetlinkError)
    }

    private let descriptor: Descriptor
    private var buffer = [UInt8](repeating: 0, count: NetlinkSocket.Limits.datagramByteCount)

    /// Starts to read; nothing is received before `next`.
    public init(_ family: NetlinkFamily, _ request: NetlinkRequest) throws(SystemError) {
        descriptor = try openNetlink(family, groups: 0)
        var on: Int32 = 1
        _ = setsockopt(descriptor.rawValue, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, 4)
        let bytes = request.bytes(sequence: 1)
        guard CLinux.send(descriptor.rawValue, bytes, bytes.count, 0) == bytes.count else {
            throw .last("netlink send")
        }
    }

    /// Takes the next piece; the end comes alone.
    public func next() -> Piece {
        if isAtEnd { return .finished }
        var sender: UInt32 = 0
        var isTruncated: Int32 = 0
        let length = havpn_receive_netlink(descriptor.rawValue, &buffer, buffer.count, &sender, &isTruncated)
        guard length > 0, isTruncated == 0 else { return .failed(.socket(operation: "netlink receive", code: errno)) }
        guard let messages = try? NetlinkMessage.split(Array(buffer[..<length])) else { return .failed(.noAnswer) }
        var content: [NetlinkMessage] = []
        content.reserveCapacity(messages.count)
        for message in messages {
            if message.flags & NetlinkFlags.dumpInterrupted != 0 { return .failed(.dumpInterrupted) }
            switch message.type {
            case NetlinkControl.error, NetlinkControl.done:
                if let verdict = try? NetlinkAcknowledgement(parsing: message), verdict.code != 0 {
                    return .failed(.refused(code: verdict.code, text: verdict.text))
                }
                isAtEnd = true
            case NetlinkControl.noop: break
            default: content.append(message)
            }
        }
        return content.isEmpty && isAtEnd ? .finished : .messages(content)
    }

    private var isAtEnd = false

    // Dumped SAs hold keys.
    deinit { wipe(&buffer) }
}
