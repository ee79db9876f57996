// SPDX-License-Identifier: Apache-2.0

import Control
import StrongSwan

/// The crypto screens as JSON text, an element at a time: some have tens of thousands.
extension CryptoViews {
    /// The JSON text of `show crypto isakmp sa`, in pieces.
    func isakmpText(_ listing: [ListedIKE]) -> AnyIterator<[UInt8]> {
        let elements = isakmp(listing)
        return Self.list("isakmpSAs", AnyIterator { elements.next().map { Element(encodeJSON($0)) } })
    }

    /// The JSON text of `show crypto ipsec sa`, in pieces.
    func ipsecText(_ listing: [ListedIKE]?) -> AnyIterator<[UInt8]> {
        let elements = ipsec(listing)
        return Self.list("ipsecSAs", AnyIterator { elements.next().map { Element(encodeJSON($0)) } })
    }

    /// The JSON text of `show crypto session`, in pieces.
    func sessionText(_ listing: [ListedIKE]?) -> AnyIterator<[UInt8]> {
        let parts = sessions(listing)
        var rest: [UInt8] = []
        var hasFlows = false
        return Self.list(
            "sessions",
            AnyIterator {
                guard let part = parts.next() else { return nil }
                switch part {
                case .session(let session):
                    defer { rest = [] }
                    return Element(encodeJSON(session), closing: rest)
                case .beginning(let session):
                    let (head, tail) = Self.openFlows(encodeJSON(session))
                    defer { (rest, hasFlows) = (tail, false) }
                    return Element(head, closing: rest)
                case .flow(let flow):
                    defer { hasFlows = true }
                    return Element(encodeJSON(flow), needsComma: hasFlows)
                }
            }, closing: { rest })
    }

    /// A piece of a list's text.
    private struct Element {
        var text: [UInt8]
        /// What ends the element before.
        var closing: [UInt8]
        var needsComma: Bool

        init(_ text: [UInt8], closing: [UInt8] = [], needsComma: Bool = true) {
            self.text = text
            self.closing = closing
            self.needsComma = needsComma
        }
    }

    /// An object with one list under a name.
    private static func list(
        _ name: String, _ elements: AnyIterator<Element>, closing: @escaping () -> [UInt8] = { [] }
    ) -> AnyIterator<[UInt8]> {
        var isFirst = true
        var isOver = false
        return AnyIterator {
            guard !isOver else { return nil }
            var text = isFirst ? Array("{\"\(name)\":[".utf8) : []
            guard let element = elements.next() else {
                isOver = true
                return text + closing() + Array("]}".utf8)
            }
            text += element.closing
            if element.needsComma, !isFirst { text.append(UInt8(ascii: ",")) }
            isFirst = false
            return text + element.text
        }
    }

    /// Cuts a session's text where its flows belong; inside a string the quotes would be escaped.
    private static func openFlows(_ text: [UInt8]) -> (head: [UInt8], tail: [UInt8]) {
        let mark = Array("\"flows\":[".utf8)
        guard let start = text.indices.first(where: { text[$0...].starts(with: mark) }) else { return (text, []) }
        let cut = start + mark.count
        return (Array(text[..<cut]), Array(text[cut...]))
    }
}
