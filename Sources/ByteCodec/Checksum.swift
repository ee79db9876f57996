// SPDX-License-Identifier: Apache-2.0

/// The Internet checksum of `bytes` in host order (RFC 1071).
public func internetChecksum(_ bytes: some Sequence<UInt8>) -> UInt16 {
    var sum: UInt64 = 0
    var isHighByte = true
    for byte in bytes {
        sum &+= isHighByte ? UInt64(byte) << 8 : UInt64(byte)
        isHighByte.toggle()
    }
    while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
    return ~UInt16(sum)
}
