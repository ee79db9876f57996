// SPDX-License-Identifier: Apache-2.0

/// The sequence numbers of one SA in the kernel, whichever of its two structures they came in.
///
/// Numbers are absolute 64-bit ones; without ESN the high halves are zero. The kernel keeps `struct xfrm_replay_state`
/// for windows up to 32 packets, else `struct xfrm_replay_state_esn`; a write must use the one that the SA has, with
/// the same window and bitmap length.
public struct KernelReplay: Hashable, Sendable {
    /// The last number sent; 0 before the first packet.
    public var outbound: UInt64
    /// The highest number received; 0 before the first packet.
    public var inbound: UInt64
    /// The window in packets; 0 on outbound SAs.
    public var windowPackets: UInt32
    /// The window's bits, in the kernel's own layout.
    public var bitmap: [UInt32]
    /// The SA has the structure for long windows and ESN.
    public var usesExtendedStructure: Bool

    /// Makes a state; by default the empty one of a fresh SA with the short structure.
    public init(
        outbound: UInt64 = 0, inbound: UInt64 = 0, windowPackets: UInt32 = 0, bitmap: [UInt32] = [0],
        usesExtendedStructure: Bool = false
    ) {
        self.outbound = outbound
        self.inbound = inbound
        self.windowPackets = windowPackets
        self.bitmap = bitmap
        self.usesExtendedStructure = usesExtendedStructure
    }

    /// Bounds of what is read.
    public enum Limits {
        /// Words in a bitmap: XFRMA_REPLAY_ESN_MAX is 4096 packets.
        public static let bitmapWords = 128
    }
}
