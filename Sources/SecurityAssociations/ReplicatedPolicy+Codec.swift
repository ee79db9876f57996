// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec

extension ReplicatedPolicy {
    private enum Attribute: UInt8 {
        case basics = 1
        case limits = 2
        case template = 3
        case securityContext = 4
        case age = 64
    }

    /// Appends what the policy is.
    func encodeLasting(into writer: inout ByteWriter) {
        writer.writeAttribute(Attribute.basics.rawValue) {
            $0.write(priority)
            $0.write(action)
            $0.write(flags)
            $0.write(share)
        }
        if !limits.isEmpty { writer.writeAttribute(Attribute.limits.rawValue) { limits.encode(into: &$0) } }
        for template in templates.prefix(Limits.templates) {
            writer.writeAttribute(Attribute.template.rawValue) { template.encode(into: &$0) }
        }
        if !securityContext.isEmpty {
            writer.writeAttribute(Attribute.securityContext.rawValue) { $0.write(bytes: securityContext) }
        }
    }

    /// Reads key and attributes.
    init(parsing reader: inout ByteReader, findings: inout RecordFindings) throws(DecodeError) {
        self.init(key: try PolicyKey(parsing: &reader))
        while !reader.isAtEnd {
            let type: UInt8 = try reader.read()
            var value = ByteReader(try reader.readChunk())
            switch Attribute(rawValue: type) {
            case .basics:
                priority = try value.read()
                action = try value.read()
                flags = try value.read()
                share = try value.read()
            case .limits: limits = try ReplicatedLimits(parsing: &value)
            case .template:
                guard templates.count < Limits.templates else {
                    throw .overLimit(field: "policy templates", value: UInt64(templates.count))
                }
                templates.append(try Template(parsing: &value))
            case .securityContext: securityContext = try value.readLabel()
            case .age: ageSeconds = try value.read()
            case nil: findings.unknownAttributes += 1
            }
        }
    }
}

extension ReplicatedPolicy.Template {
    func encode(into writer: inout ByteWriter) {
        writer.write(source)
        writer.write(destination)
        writer.write(spi)
        writer.write(protocolNumber)
        writer.write(requestID)
        writer.write(mode)
        writer.write(share)
        writer.write(UInt8(isOptional ? 1 : 0))
        writer.write(authenticationAlgorithms)
        writer.write(encryptionAlgorithms)
        writer.write(compressionAlgorithms)
    }

    init(parsing reader: inout ByteReader) throws(DecodeError) {
        source = try reader.readAddress()
        destination = try reader.readAddress()
        spi = try reader.read()
        protocolNumber = try reader.read()
        requestID = try reader.read()
        mode = try reader.read()
        share = try reader.read()
        isOptional = try reader.read(UInt8.self) == 1
        authenticationAlgorithms = try reader.read()
        encryptionAlgorithms = try reader.read()
        compressionAlgorithms = try reader.read()
    }
}
