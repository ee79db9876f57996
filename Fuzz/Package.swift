// swift-tools-version: 6.2
import PackageDescription

// The pure rooms once more, built for libFuzzer; `scripts/fuzz` builds and runs this package.
let instrumented: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .unsafeFlags(["-sanitize=fuzzer,address", "-enable-testing"]),
]

func room(_ name: String, uses: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: uses, path: "Sources/Rooms/\(name)", swiftSettings: instrumented)
}

let package = Package(
    name: "havpn-fuzz",
    dependencies: [.package(url: "https://github.com/apple/swift-collections", from: "1.6.0")],
    targets: [
        room("Primitives"),
        room("ByteCodec", uses: ["Primitives"]),
        room("FirstHop", uses: ["ByteCodec", "Primitives"]),
        room("Tracking", uses: ["ByteCodec", "Primitives"]),
        room("SecurityAssociations", uses: ["ByteCodec", "Primitives"]),
        room(
            "Replication",
            uses: [
                "SecurityAssociations", "FirstHop", "ByteCodec", "Primitives",
                .product(name: "DequeModule", package: "swift-collections"),
            ]),
        room(
            "StrongSwan",
            uses: [
                "Replication", "SecurityAssociations", "ByteCodec", "Primitives",
                .product(name: "DequeModule", package: "swift-collections"),
            ]),
        room("Netlink", uses: ["SecurityAssociations", "ByteCodec", "Primitives"]),
        room("Configuration", uses: ["FirstHop", "Tracking", "Primitives"]),
        room("Control", uses: ["Primitives"]),
        // The frames between the daemon's processes; the rest of that room talks to the kernel.
        .target(
            name: "ProcessFrames", dependencies: ["Netlink", "FirstHop", "Tracking", "ByteCodec", "Primitives"],
            path: "Sources/Rooms/Daemon/Shared",
            sources: [
                "GroupChange.swift", "ProcessMessage.swift", "ProcessMessage+Codec.swift", "ProbeReport+Codec.swift",
            ],
            swiftSettings: instrumented),
        .executableTarget(
            name: "havpn-fuzz",
            dependencies: [
                "ProcessFrames", "Control", "Configuration", "Netlink", "StrongSwan", "Replication",
                "SecurityAssociations", "Tracking",
                "FirstHop", "ByteCodec", "Primitives",
            ],
            swiftSettings: instrumented + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]),
    ],
    swiftLanguageModes: [.v6]
)
