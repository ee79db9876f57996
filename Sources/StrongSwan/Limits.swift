// SPDX-License-Identifier: Apache-2.0

/// The bounds of everything in this room that could grow.
public enum Limits {
    /// The largest ha-plugin datagram, in bytes.
    public static let datagramByteCount = 16_384
    /// The most attributes of one ha-plugin message.
    public static let attributeCount = 1_024
    /// The most records the journal keeps: about 10 for each of 50 000 tunnels.
    public static let journalRecordCount = 500_000
    /// The most bytes of records the journal keeps.
    public static let journalByteCount = 256 << 20
    /// The most key updates (IKE_INTERMEDIATE exchanges) kept for one IKE SA.
    public static let keyUpdateCount = 8
    /// The most items waiting for delivery toward charon; beyond, a reconciliation replaces them.
    public static let deliveryQueueCount = 100_000
    /// The most datagrams sent before charon's receive queue is looked at.
    public static let deliveryBatchCount = 20
    /// The receive queue of charon, in bytes, below which the next batch may go.
    public static let charonQueueByteCount = 60_000
    /// The most records held back for having crashed charon.
    public static let poisonedRecordCount = 64
    /// The most children past their soft end that are rekeyed at one comparison, every few seconds.
    public static let overdueRekeyCount = 50
    /// The largest VICI packet, in bytes (charon's own limit).
    public static let viciPacketByteCount = 512 * 1_024
    /// The deepest nesting of sections in a VICI message.
    public static let viciNestingDepth = 16
    /// The most elements of one VICI message.
    public static let viciElementCount = 65_536
    /// The most VICI requests waiting for their turn.
    public static let viciRequestCount = 1_024
    /// The most IKE SAs or connections taken from one VICI listing.
    public static let viciListingCount = 100_000
}
