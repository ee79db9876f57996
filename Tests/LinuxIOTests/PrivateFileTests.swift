// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import LinuxIO

@Suite("Files that hold a secret")
struct PrivateFileTests {
    private func temporaryPath() -> String { "/tmp/havpn-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).pem" }

    private func mode(_ path: String) -> mode_t {
        var details = stat()
        return stat(path, &details) == 0 ? details.st_mode & 0o7777 : 0
    }

    @Test("a new file has mode 0600 whatever the umask says, and is read back from any place")
    func made() throws {
        let path = temporaryPath()
        defer { unlink(path) }
        let old = umask(0)
        defer { umask(old) }
        try PrivateFile.create(path, content: [1, 2, 3])
        #expect(mode(path) == 0o600)
        let descriptor = try PrivateFile.open(path)
        for _ in 0..<2 { #expect(try PrivateFile.read(descriptor.rawValue, maximumByteCount: 3) == [1, 2, 3]) }
        #expect(throws: PrivateFile.Refusal.tooLong(maximumByteCount: 2)) {
            try PrivateFile.read(descriptor.rawValue, maximumByteCount: 2)
        }
    }

    @Test("nothing that exists is overwritten: no file, no link, no directory")
    func neverOverwritten() throws {
        let path = temporaryPath()
        let link = temporaryPath()
        defer {
            unlink(path)
            unlink(link)
        }
        try PrivateFile.create(path, content: [1])
        #expect(symlink("/tmp/havpn-nothing-here", link) == 0)
        for existing in [path, link, "/tmp"] {
            do {
                try PrivateFile.create(existing, content: [2])
                Issue.record("\(existing) was overwritten")
            } catch {
                #expect(error.code == SystemCode.exists)
            }
        }
        #expect(try readSmallFile(path) == [1])
        #expect(access("/tmp/havpn-nothing-here", F_OK) != 0)
    }

    @Test("a file to be appended to is new and its owner's alone; what had its name is kept beside it")
    func appended() throws {
        let path = temporaryPath()
        defer {
            unlink(path)
            unlink(path + ".1")
        }
        for round in 0..<3 {
            let file = AppendedFile(adopting: try AppendedFile.create(path))
            #expect(file.append([UInt8(round)]) && file.append([7]))
            #expect(file.byteCount == 2)
            #expect(mode(path) == 0o600)
        }
        #expect(try readSmallFile(path) == [2, 7])
        #expect(try readSmallFile(path + ".1") == [1, 7])
    }

    @Test("a link in the place of a file to be appended to is put aside, not followed")
    func appendedThroughLink() throws {
        let (path, target) = (temporaryPath(), temporaryPath())
        defer { for name in [path, path + ".1", target] { unlink(name) } }
        try PrivateFile.create(target, content: [9])
        #expect(symlink(target, path) == 0)
        #expect(AppendedFile(adopting: try AppendedFile.create(path)).append([1]))
        #expect(try readSmallFile(target) == [9])
    }

    @Test("a file may be made where root alone could have put it")
    func newPaths() throws {
        #expect(try TrustedPath.resolveNew("/run/havpn-new", besides: "/etc/havpn") == "/run/havpn-new")
        #expect(throws: TrustedPath.Refusal.elsewhere("/tmp/havpn-new")) {
            try TrustedPath.resolveNew("/tmp/havpn-new", besides: "/etc")
        }
        #expect(throws: TrustedPath.Refusal.missing) {
            try TrustedPath.resolveNew("/run/havpn-nowhere/file", besides: "/etc")
        }
        let folder = temporaryPath()
        #expect(mkdir(folder, 0o777) == 0)
        defer { rmdir(folder) }
        chmod(folder, 0o777)
        #expect(throws: TrustedPath.Refusal.writableByOthers(folder)) {
            try TrustedPath.resolveNew(folder + "/file", besides: folder)
        }
    }

    @Test("a file that others may open is refused with its mode", arguments: [0o640, 0o604, 0o660, 0o644, 0o601])
    func openToOthers(mode: mode_t) throws {
        let path = temporaryPath()
        defer { unlink(path) }
        try PrivateFile.create(path, content: [1])
        chmod(path, mode)
        do {
            _ = try PrivateFile.open(path)
            Issue.record("mode \(String(mode, radix: 8)) was accepted")
        } catch {
            #expect(error == .openToOthers(mode: mode))
            #expect("\(error)".contains("mode 0\(String(mode, radix: 8))") && "\(error)".contains("chmod 600"))
        }
        chmod(path, 0o400)
        _ = try PrivateFile.open(path)
    }

    @Test("a link, a directory, a pipe and nothing are no files")
    func noFiles() throws {
        let path = temporaryPath()
        defer { unlink(path) }
        #expect(mkfifo(path, 0o600) == 0)
        #expect(throws: PrivateFile.Refusal.notAFile) { _ = try PrivateFile.open(path) }
        for other in ["/tmp", "/proc/self/exe", "/tmp/havpn-nothing-here"] {
            #expect(throws: PrivateFile.Refusal.self) { _ = try PrivateFile.open(other) }
        }
    }

    @Test("erased bytes are zero")
    func erased() {
        var bytes: [UInt8] = [1, 2, 3]
        PrivateFile.erase(&bytes)
        #expect(bytes == [0, 0, 0])
        var none: [UInt8] = []
        PrivateFile.erase(&none)
    }
}
