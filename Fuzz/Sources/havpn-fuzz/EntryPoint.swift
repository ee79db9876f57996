// SPDX-License-Identifier: Apache-2.0

import Glibc

/// libFuzzer's own loop (compiler-rt, FuzzerInterface.h); the package manager gives `main` a name of its own.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The decoder under test.
nonisolated(unsafe) private var target = FuzzTarget.hello

@main
struct EntryPoint {
    /// Runs libFuzzer over the decoder that HAVPN_FUZZ names.
    static func main() {
        if let folder = getenv("HAVPN_FUZZ_SEEDS") { return Seeds.write(to: String(cString: folder)) }
        let name = getenv("HAVPN_FUZZ").map { String(cString: $0) } ?? ""
        guard let named = FuzzTarget(rawValue: name) else {
            print("set HAVPN_FUZZ to one of: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
            exit(2)
        }
        target = named
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(
            runDriver(&count, &arguments) { data, length in
                target.run([UInt8](UnsafeBufferPointer(start: data, count: length)))
                return 0
            })
    }
}
