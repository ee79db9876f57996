// swift-tools-version: 6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// `address` or `thread`: the rooms are compiled with that sanitizer, and linked with it whatever uses them.
///
/// Tests are not: of what `#expect` expands to, AddressSanitizer reports faults that are not there (Swift 6.3.1).
let sanitizer = Context.environment["HAVPN_SANITIZE"]
let sanitizedSwift: [SwiftSetting] = sanitizer.map { [.unsafeFlags(["-sanitize=\($0)"])] } ?? []
let sanitizedC: [CSetting] = sanitizer.map { [.unsafeFlags(["-fsanitize=\($0)"])] } ?? []
let sanitizedLink: [LinkerSetting] = sanitizer.map { [.unsafeFlags(["-sanitize=\($0)"])] } ?? []

/// A room of the house: `uses` may name only rooms listed before it.
func room(_ name: String, uses: [Target.Dependency] = [], settings: [SwiftSetting] = []) -> Target {
    .target(
        name: name, dependencies: uses, swiftSettings: swiftSettings + sanitizedSwift + settings,
        linkerSettings: sanitizedLink)
}

func tests(_ name: String, uses: [Target.Dependency] = []) -> Target {
    .testTarget(name: name + "Tests", dependencies: [.byName(name: name)] + uses, swiftSettings: swiftSettings)
}

let package = Package(
    name: "havpn",
    products: [
        .executable(name: "havpnd", targets: ["havpnd"]),
        .executable(name: "havpnctl", targets: ["havpnctl"]),
        .executable(name: "havpn-simulate", targets: ["havpn-simulate"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        // No newer minor release by itself: a module is used that the package does not promise (docs/dependencies.md).
        .package(url: "https://github.com/apple/swift-nio-ssl", .upToNextMinor(from: "2.37.6")),
    ],
    targets: [
        .target(name: "CLinux", cSettings: sanitizedC),
        .target(name: "CSCTP", cSettings: sanitizedC, linkerSettings: [.linkedLibrary("sctp")]),
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
        room("Recording", uses: ["Control", "Replication", "FirstHop", "Primitives"]),
        room(
            "SecureChannel",
            uses: [
                "Primitives", .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ]),
        room("LinuxIO", uses: ["CLinux", "CSCTP", "Netlink", "ByteCodec", "Primitives"]),
        room(
            "Daemon",
            uses: [
                "LinuxIO", "SecureChannel", "Recording", "Control", "Configuration", "Netlink", "StrongSwan",
                "Replication",
                "SecurityAssociations", "Tracking", "FirstHop", "ByteCodec", "Primitives", "CLinux",
            ]),
        room(
            "ClusterSimulation",
            uses: [
                "StrongSwan", "Replication", "SecurityAssociations", "Tracking", "FirstHop", "ByteCodec", "Primitives",
            ],
            // The tests check exclusive access, in the debug build; here it would cost a tenth of the time.
            settings: [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]),
        .executableTarget(
            name: "havpnd",
            dependencies: ["Daemon", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "havpnctl",
            dependencies: [
                "Control", "Configuration", "SecureChannel", "LinuxIO", "Primitives",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "havpn-simulate",
            dependencies: [
                "ClusterSimulation", "Recording",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings),
        tests("Primitives"),
        tests("ByteCodec", uses: ["Primitives"]),
        tests("FirstHop", uses: ["ByteCodec", "Primitives"]),
        tests("Tracking", uses: ["ByteCodec", "Primitives"]),
        tests("SecurityAssociations", uses: ["ByteCodec", "Primitives"]),
        tests("Replication", uses: ["SecurityAssociations", "FirstHop", "ByteCodec", "Primitives"]),
        tests("StrongSwan", uses: ["Replication", "SecurityAssociations", "ByteCodec", "Primitives"]),
        tests("Netlink", uses: ["SecurityAssociations", "ByteCodec", "Primitives"]),
        tests("Configuration", uses: ["FirstHop", "Tracking", "Primitives"]),
        tests("Control", uses: ["Primitives"]),
        tests("Recording", uses: ["Control", "Replication", "SecurityAssociations", "FirstHop", "Primitives"]),
        tests(
            "SecureChannel",
            uses: [
                "Primitives", .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
            ]),
        tests("LinuxIO", uses: ["SecurityAssociations", "Netlink", "ByteCodec", "Primitives", "CLinux"]),
        tests(
            "Daemon",
            uses: [
                "SecureChannel", "Recording", "LinuxIO", "Control", "Configuration", "Netlink", "StrongSwan",
                "Replication",
                "SecurityAssociations", "FirstHop", "Primitives", "CLinux",
            ]),
        tests("havpnctl", uses: ["SecureChannel", "LinuxIO", "Primitives"]),
        tests("ClusterSimulation"),
        .testTarget(name: "TidyTests", swiftSettings: swiftSettings),
    ],
    swiftLanguageModes: [.v6]
)
