// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import StrongSwan

/// Datagrams as the ha plugin of charon 5.9.8 writes them (version 3; reference ipsec-ha §1.3 and §1.4).
enum Datagrams {
    static func ikeAdd(_ spis: IKESPIPair, replacing old: IKESPIPair?) -> HAMessage {
        message(.ikeAdd) { writer in
            writer.write(identity: spis, number: 1)
            if let old { writer.write(identity: old, number: 2) }
            writer.write(15 as UInt8)
            writer.write(chunk: [1, 2, 3])
        }
    }

    static func ikeUpdate(_ spis: IKESPIPair, tunnel: Int) -> HAMessage {
        message(.ikeUpdate) { writer in
            writer.write(identity: spis, number: 1)
            writer.write(8 as UInt8)
            writer.write(bytes: Array(String(tunnel).utf8) + [0])
        }
    }

    static func childAdd(_ spis: IKESPIPair, _ child: ChildSPIPair) -> HAMessage {
        message(.childAdd) { writer in
            writer.write(identity: spis, number: 1)
            writer.write(27 as UInt8)
            writer.writeHost(child.inbound)
            writer.write(28 as UInt8)
            writer.writeHost(child.outbound)
            writer.write(8 as UInt8)
            writer.write(bytes: Array("net".utf8) + [0])
            writer.write(15 as UInt8)
            writer.write(chunk: [4, 5, 6])
        }
    }

    static func messageID(_ spis: IKESPIPair, _ value: UInt32) -> HAMessage {
        message(.ikeMessageIDResponder) { writer in
            writer.write(identity: spis, number: 1)
            writer.write(33 as UInt8)
            writer.write(value)
        }
    }

    private static func message(_ kind: HAMessage.Kind, _ body: (inout ByteWriter) -> Void) -> HAMessage {
        var writer = ByteWriter()
        writer.write(3 as UInt8)
        writer.write(kind.rawValue)
        body(&writer)
        guard let message = try? HAMessage(decoding: writer.bytes[...]) else {
            preconditionFailure("a datagram of the model does not decode")
        }
        return message
    }
}

extension ByteWriter {
    fileprivate mutating func write(identity spis: IKESPIPair, number: UInt8) {
        write(number)
        write(2 as UInt8)
        write(spis.initiator)
        write(spis.responder)
        write(0 as UInt8)
    }
}
