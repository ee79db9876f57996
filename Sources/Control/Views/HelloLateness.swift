// SPDX-License-Identifier: Apache-2.0

/// How late hellos left, as counters with one name for each range of milliseconds.
///
/// `show counters` prints them as they are; `metrics` makes a Prometheus histogram of them.
public enum HelloLateness {
    /// The upper ends of the ranges, in milliseconds; what is later still has a range of its own.
    public static let boundsMilliseconds = [1, 3, 10, 30, 100, 300]

    /// The counter of a hello that left so late.
    ///
    /// - Parameter nanoseconds: the time between the moment at which it was due and the one at which it was sent.
    public static func counter(nanoseconds: UInt64) -> String {
        boundsMilliseconds.first { nanoseconds <= UInt64($0) * 1_000_000 }.map(name) ?? last
    }

    /// The lines of the histogram, or none while no hello was sent.
    static func metrics(of counters: [String: Int]) -> [String] {
        var sum = 0
        var lines = ["# TYPE havpn_hello_lateness_milliseconds histogram"]
        for bound in boundsMilliseconds {
            sum += counters[name(bound)] ?? 0
            lines.append("havpn_hello_lateness_milliseconds_bucket{le=\"\(bound)\"} \(sum)")
        }
        sum += counters[last] ?? 0
        guard sum > 0 else { return [] }
        lines.append("havpn_hello_lateness_milliseconds_bucket{le=\"+Inf\"} \(sum)")
        lines.append("havpn_hello_lateness_milliseconds_count \(sum)")
        return lines
    }

    private static func name(_ bound: Int) -> String { "hello.lateUpTo\(bound)Milliseconds" }
    private static var last: String { "hello.lateBeyond\(boundsMilliseconds.last ?? 0)Milliseconds" }
}
