// SPDX-License-Identifier: Apache-2.0

public import ByteCodec

/// An event of the kernel's process connector (`linux/cn_proc.h`), as far as names and ends are concerned.
public enum ProcessEvent: Hashable, Sendable {
    /// The process executes a program, or goes by another name.
    case renamed(process: Int32)
    /// The process, not only a thread of it, has ended.
    case ended(process: Int32)

    /// CN_IDX_PROC, which is the group too.
    public static let group: UInt32 = 1

    /// The operation that makes the kernel send events (PROC_CN_MCAST_LISTEN), with its headers.
    public static var listen: [UInt8] {
        var writer = ByteWriter(capacity: 40)
        writer.writeHost(UInt32(40))
        writer.writeHost(NetlinkControl.done)
        writer.pad(10)
        for word in [group, 1, 0, 0] { writer.writeHost(word) }
        writer.writeHost(UInt16(4))
        writer.pad(2)
        writer.writeHost(UInt32(1))
        return writer.bytes
    }

    /// Reads one message of the connector; nil for events of threads and of other kinds.
    public init?(parsing message: NetlinkMessage) throws(DecodeError) {
        var reader = ByteReader(message.payload)
        guard try reader.readHost(UInt32.self) == Self.group, try reader.readHost(UInt32.self) == 1 else { return nil }
        try reader.skip(12)
        let what: UInt32 = try reader.readHost()
        try reader.skip(12)
        let thread: UInt32 = try reader.readHost()
        let process: UInt32 = try reader.readHost()
        // A name belongs to the leading thread, and with it the process ends.
        guard thread == process else { return nil }
        let (executed, named, ended): (UInt32, UInt32, UInt32) = (0x2, 0x200, 0x8000_0000)
        switch what {
        case executed, named: self = .renamed(process: Int32(truncatingIfNeeded: process))
        case ended: self = .ended(process: Int32(truncatingIfNeeded: process))
        default: return nil
        }
    }
}
