// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The shape of the source tree, enforced: who may import whom, how long things may grow, where unsafe code may stand.
@Suite struct TidyTests {
    @Test("the checks below look at the real source tree")
    func treeIsFound() throws {
        let tree = try SourceTree()
        #expect(tree.sources.count > 10)
        #expect(tree.sources.contains { $0.room == "FirstHop" })
    }

    @Test("a room imports only rooms above it")
    func importsRunUpward() throws {
        for file in try SourceTree().sources {
            guard let place = Rooms.order.firstIndex(of: file.room) else {
                Issue.record("\(file.path): unknown room \(file.room)")
                continue
            }
            for module in file.imports {
                guard let target = Rooms.order.firstIndex(of: module) else { continue }
                #expect(target < place, "\(file.path): \(file.room) must not import \(module)")
            }
        }
    }

    @Test("pure rooms import no clock, socket, logging or Foundation")
    func pureRoomsArePure() throws {
        for file in try SourceTree().sources
        where Rooms.pure.contains(file.room) || Rooms.alsoPure.contains(file.room) {
            let banned = file.imports.filter { module in
                if module == "FoundationEssentials" { return file.room != "Control" }
                return Rooms.impureModules.contains(module)
            }
            #expect(banned.isEmpty, "\(file.path): imports \(banned)")
        }
    }

    @Test("system calls and C appear only at the bottom of the house")
    func systemModulesAreConfined() throws {
        for file in try SourceTree().sources where !Rooms.mayCallTheSystem.contains(file.room) {
            let banned = file.imports.filter { ["Glibc", "CLinux", "CSCTP"].contains($0) }
            #expect(banned.isEmpty, "\(file.path): imports \(banned)")
        }
    }

    @Test("one room alone knows the TLS library")
    func securityIsConfined() throws {
        for file in try SourceTree().sources where file.room != "SecureChannel" {
            let banned = file.imports.filter { Rooms.secured.contains($0) || $0.hasPrefix("NIO") }
            #expect(banned.isEmpty, "\(file.path): imports \(banned)")
        }
    }

    /// What reads or makes memory that nobody checks, under whatever name.
    static func mentionsUnsafeMemory(_ text: String) -> Bool {
        text.contains("Unsafe") || text.contains("unsafelyUnwrapped")
            || text.firstMatch(of: #/\bunsafe(?:BitCast|Downcast|Address)\b|\bCVaListPointer\b|\.baseAddress\b/#) != nil
    }

    @Test("unsafe pointers appear only in LinuxIO and ByteCodec")
    func unsafePointersAreConfined() throws {
        for file in try SourceTree().sources where !["LinuxIO", "ByteCodec"].contains(file.room) {
            #expect(!Self.mentionsUnsafeMemory(file.text), "\(file.path): mentions an unsafe pointer")
            // Handles of the TLS library, which nothing but the library itself looks into.
            guard file.path != "SecureChannel/CryptoLibrary.swift" else { continue }
            #expect(!file.text.contains("OpaquePointer"), "\(file.path): mentions a C pointer")
        }
    }

    @Test(
        "the rule on unsafe pointers knows their names",
        arguments: [
            "let p: UnsafeRawPointer", "array.withUnsafeBytes { $0 }", "unsafeBitCast(x, to: Int.self)",
            "value.unsafelyUnwrapped", "buffer.baseAddress", "let list: CVaListPointer",
            "UnsafeMutableBufferPointer<Int>()",
        ])
    func unsafeNamesAreKnown(text: String) {
        #expect(Self.mentionsUnsafeMemory(text))
        #expect(!Self.mentionsUnsafeMemory("private nonisolated(unsafe) var storage: [UInt8]"))
    }

    @Test("@unchecked Sendable appears only in LinuxIO")
    func uncheckedSendableIsConfined() throws {
        for file in try SourceTree().sources where file.room != "LinuxIO" {
            #expect(!file.text.contains("@unchecked Sendable"), "\(file.path): says @unchecked Sendable")
        }
    }

    @Test("files stay under 600 lines with a median under 180, functions under 60")
    func lengthsAreBounded() throws {
        let sources = try SourceTree().sources
        for file in sources {
            #expect(file.lines.count <= 600, "\(file.path): \(file.lines.count) lines")
            for function in file.functions {
                #expect(function.length <= 60, "\(file.path): \(function.name) has \(function.length) lines")
            }
        }
        let lengths = sources.map(\.lines.count).sorted()
        #expect(lengths[lengths.count / 2] < 180)
    }

    @Test("every source file starts with its licence")
    func licencesAreNamed() throws {
        for file in try SourceTree().sources {
            #expect(file.lines.first == "// SPDX-License-Identifier: Apache-2.0", "\(file.path)")
        }
    }

    @Test("names avoid Manager, Helper and Util")
    func namesExplainThemselves() throws {
        let declaration = #/\b(?:struct|class|enum|protocol|actor)\s+\w*(?:Manager|Helper|Util)\w*/#
        for file in try SourceTree().sources {
            #expect(file.text.firstMatch(of: declaration) == nil, "\(file.path)")
        }
    }

    @Test("the function counter sees a long function")
    func functionCounterWorks() {
        let body = Array(repeating: "        work()", count: 70)
        let text = (["func long() {"] + body + ["}"]).joined(separator: "\n")
        let file = SourceFile(path: "x.swift", room: "FirstHop", text: text)
        #expect(file.functions.map(\.length) == [72])
    }
}
