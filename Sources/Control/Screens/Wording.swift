// SPDX-License-Identifier: Apache-2.0

/// How times, numbers and columns are written on the screens.
enum Wording {
    /// `00:02:38`, `1d02h` from a day on, `2w3d` from a week on, as IOS does.
    static func age(_ milliseconds: Int) -> String {
        let seconds = max(0, milliseconds / 1000)
        let days = seconds / 86400
        if days >= 7 { return "\(days / 7)w\(days % 7)d" }
        if days >= 1 { return "\(days)d\(twoDigits(seconds / 3600 % 24))h" }
        return clock(milliseconds)
    }

    /// `23:59:36`, hours unbounded.
    static func clock(_ milliseconds: Int) -> String {
        let seconds = max(0, milliseconds / 1000)
        return "\(twoDigits(seconds / 3600)):\(twoDigits(seconds / 60 % 60)):\(twoDigits(seconds % 60))"
    }

    /// `2.064`.
    static func seconds(_ milliseconds: Int) -> String {
        let rest = String(max(0, milliseconds) % 1000)
        return "\(max(0, milliseconds) / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }

    /// `3 sec`, or `250 msec` where seconds do not do.
    static func timer(_ milliseconds: Int) -> String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000) sec" : "\(milliseconds) msec"
    }

    /// `5 state changes`.
    static func count(_ number: Int, _ what: String) -> String { count(number, what, what + "s") }

    /// `5 echoes`.
    static func count(_ number: Int, _ one: String, _ several: String) -> String {
        "\(number) \(number == 1 ? one : several)"
    }

    /// `0000.0c07.ac0a` from colon notation; anything else stays as it is.
    static func dottedMAC(_ text: String) -> String {
        let digits = Array(text.filter { $0 != ":" })
        guard digits.count == 12 else { return text }
        return stride(from: 0, to: 12, by: 4).map { String(digits[$0..<$0 + 4]) }.joined(separator: ".")
    }

    /// `0x33C217B(54272379)` from `0x033c217b`, as IOS prints SPIs.
    static func spi(_ text: String) -> String {
        guard text.hasPrefix("0x"), let value = UInt32(text.dropFirst(2), radix: 16) else { return text }
        return "0x\(String(value, radix: 16, uppercase: true))(\(value))"
    }

    /// The address and the dotted mask of `10.2.0.0/24`; an IPv6 network stays as it is, without a mask.
    static func network(_ text: String) -> (address: String, mask: String) {
        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
        guard !text.contains(":"), parts.count == 2, let length = Int(parts[1]), (0...32).contains(length) else {
            return (text, "")
        }
        let mask = length == 0 ? 0 : ~UInt32(0) << UInt32(32 - length)
        let octets = [24, 16, 8, 0].map { "\(mask >> UInt32($0) & 255)" }
        return (parts[0], octets.joined(separator: "."))
    }

    /// `host 10.2.0.2` or `10.2.0.0/255.255.255.0`.
    static func selector(_ text: String) -> String {
        let (address, mask) = network(text)
        if mask == "255.255.255.255" { return "host \(address)" }
        return mask.isEmpty ? address : "\(address)/\(mask)"
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension String {
    /// Blanks are added behind; at least one separates it from what follows.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(count < width ? width - count : 1, 0))
    }

    /// Blanks are added in front.
    func rightAligned(to width: Int) -> String { String(repeating: " ", count: Swift.max(width - count, 0)) + self }

    /// Without blanks at the end.
    var trimmedEnd: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
