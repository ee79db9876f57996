// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// The receive queue of a UDP socket as `/proc/net/udp` shows it.
public struct ReceiveQueue: Sendable, Hashable {
    /// Bytes waiting, the kernel's own overhead included.
    public var byteCount: Int
    /// Datagrams dropped since the socket was made.
    public var dropCount: UInt64

    /// Finds the socket bound to `local` and connected to `remote`; nil if there is none or the text is not the table.
    public init?(table: [UInt8], local: IPv4Address, remote: IPv4Address, port: UInt16) {
        let (localText, remoteText) = (Self.text(local, port), Self.text(remote, port))
        for line in table.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "))
            guard fields.count >= 13, fields[1].elementsEqual(localText), fields[2].elementsEqual(remoteText) else {
                continue
            }
            let queues = fields[4].split(separator: UInt8(ascii: ":"))
            guard queues.count == 2, let byteCount = Int(String(decoding: queues[1], as: UTF8.self), radix: 16),
                let dropCount = UInt64(String(decoding: fields[12], as: UTF8.self))
            else { return nil }
            self.byteCount = byteCount
            self.dropCount = dropCount
            return
        }
        return nil
    }

    /// The table's spelling of an address, which prints the number in host order: 127.0.0.1 is 0100007F.
    private static func text(_ address: IPv4Address, _ port: UInt16) -> [UInt8] {
        Array("\(hexadecimal(address.value.byteSwapped, 8)):\(hexadecimal(UInt32(port), 4))".utf8)
    }

    private static func hexadecimal(_ value: UInt32, _ digitCount: Int) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: digitCount - digits.count) + digits
    }
}
