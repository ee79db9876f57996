// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import StrongSwan

/// Builds datagrams the way charon does, from numbers written out here and not from the room's own tables.
struct HAFixture {
    var version: UInt8 = 3
    private var writer = ByteWriter()

    init(_ kind: HAMessage.Kind, version: UInt8 = 3) {
        self.version = version
        writer.write(version)
        writer.write(kind.rawValue)
    }

    var bytes: [UInt8] { writer.bytes }

    /// Appends an attribute numbered as in version 4, with a raw value.
    func adding(_ number: UInt8, _ value: [UInt8]) -> HAFixture {
        var copy = self
        copy.writer.write(version == 3 ? number > 26 ? number - 2 : number > 18 ? number - 1 : number : number)
        copy.writer.write(bytes: value)
        return copy
    }

    func identity(_ spis: IKESPIPair, ike: UInt8 = 2, number: UInt8 = 1) -> HAFixture {
        var value = ByteWriter()
        value.write(ike)
        value.write(spis.initiator)
        value.write(spis.responder)
        value.write(0 as UInt8)
        return adding(number, value.bytes)
    }

    func chunk(_ number: UInt8, _ content: [UInt8]) -> HAFixture {
        adding(number, [UInt8(content.count >> 8), UInt8(content.count & 255)] + content)
    }

    func number32(_ number: UInt8, _ value: UInt32) -> HAFixture {
        adding(number, (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) })
    }

    /// A child's SPI: four bytes in reversed order.
    func spi(_ number: UInt8, _ value: UInt32) -> HAFixture { number32(number, value.byteSwapped) }

    func name(_ name: String) -> HAFixture { adding(8, Array(name.utf8) + [0]) }

    func host(_ number: UInt8, _ octets: [UInt8], port: UInt16 = 500) -> HAFixture {
        adding(number, [UInt8(port >> 8), UInt8(port & 255), octets.count == 4 ? 2 : 10] + octets)
    }

    func message() throws -> HAMessage { try HAMessage(decoding: bytes[...]) }
}

extension HAFixture {
    static func ikeAdd(
        _ spis: IKESPIPair, replacing old: IKESPIPair? = nil, ike: UInt8 = 2, version: UInt8 = 3, salt: UInt8 = 0
    ) -> HAFixture {
        var fixture = HAFixture(.ikeAdd, version: version).adding(38, [ike]).identity(spis, ike: ike)
        if let old {
            fixture = fixture.identity(old, number: 2).adding(21, [0, 5]).chunk(19, [0x5d, 0x5d])
        }
        fixture = fixture.adding(22, [0, 20]).adding(23, [0, 128]).adding(20, [0, 5]).adding(25, [0, 31])
            .chunk(15, [1, 2, 3, salt]).chunk(16, [4, 5, 6]).chunk(17, [7, 8, 9])
        if ike == 1 { fixture = fixture.chunk(39, [1, 1]).chunk(40, [2, 2]).chunk(41, Array("psk".utf8)) }
        return fixture.host(7, [10, 1, 0, 5])
    }

    static func ikeUpdate(
        _ spis: IKESPIPair, connection: String = "branch", ike: UInt8 = 2, version: UInt8 = 3, peer: UInt8 = 5,
        extensions: UInt32 = 0x8814
    ) -> HAFixture {
        HAFixture(.ikeUpdate, version: version).identity(spis, ike: ike)
            .adding(3, [1, 4, 10, 1, 0, 100]).adding(4, [1, 4, 10, 1, 0, peer])
            .host(6, [10, 1, 0, 100]).host(7, [10, 1, 0, peer])
            .number32(9, 0x40).number32(10, extensions).name(connection).host(13, [10, 1, 0, peer], port: 0)
    }

    static func childAdd(
        _ spis: IKESPIPair, inbound: UInt32, outbound: UInt32, ike: UInt8 = 2, version: UInt8 = 3
    ) -> HAFixture {
        HAFixture(.childAdd, version: version).identity(spis, ike: ike).adding(14, [0])
            .spi(29, inbound).spi(30, outbound).adding(31, [0, 0]).adding(32, [0, 0])
            .adding(27, [2]).adding(28, [0]).name("net").adding(22, [0, 20]).adding(23, [0, 128]).adding(37, [0, 0])
            .chunk(15, [1]).chunk(16, [2])
            .adding(33, [7, 0, 0, 0, 0xff, 0xff, 0, 10, 2, 0, 2, 10, 2, 0, 2])
            .adding(34, [7, 0, 0, 0, 0xff, 0xff, 0, 10, 0, 0, 6, 10, 0, 0, 6])
    }

    static func messageID(
        _ spis: IKESPIPair, _ value: UInt32, initiator: Bool = false, ike: UInt8 = 2, version: UInt8 = 3
    ) -> HAFixture {
        HAFixture(initiator ? .ikeMessageIDInitiator : .ikeMessageIDResponder, version: version)
            .identity(spis, ike: ike).number32(35, value)
    }
}

/// The SPI pair whose initiator's half is `number`.
func pair(_ number: UInt64) -> IKESPIPair { IKESPIPair(initiator: number, responder: number << 32 | 0xbeef) }
