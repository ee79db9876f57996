// SPDX-License-Identifier: Apache-2.0

/// What the control socket bears; reaching a limit is counted.
public enum Limits {
    /// The largest request; a longer announced length closes the connection (`control.oversized`).
    public static let requestByteCount = 65_536
    /// How long a client may take from connecting to the last byte of its request (`control.late`).
    public static let requestMilliseconds = 1000
    /// Clients at one time; the next one is turned away (`control.refused`).
    public static let clientCount = 16
    /// The largest answer that either end gathers.
    public static let answerByteCount = 67_108_864
    /// How long a client may take to read its answer (`control.slow`).
    public static let answerMilliseconds = 30_000
    /// What may wait for a `monitor` reader before it is dropped (`control.slow`).
    public static let monitorBacklogByteCount = 262_144
    /// Events that `show logging` remembers.
    public static let loggedEventCount = 1000
    /// The largest event that a process may send (`control.oversized-event`).
    public static let eventByteCount = 16_384
    /// How long another process may take to answer a query, or for each further piece of its answer.
    public static let queryMilliseconds = 2000
    /// How long `switchover` waits for the peer to be Active.
    public static let switchoverMilliseconds = 10_000
    /// How long `reload` waits for the file to be read and accepted.
    public static let reloadMilliseconds = 10_000
}
