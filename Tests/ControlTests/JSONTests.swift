// SPDX-License-Identifier: Apache-2.0

import Control
import Testing

@Suite("JSON of the control socket")
struct JSONTests {
    @Test("an unknown router is null, not left out")
    func unknownIsNull() throws {
        var view = StandbyView()
        view.groups = [StandbyView.Group()]
        let text = String(decoding: encodeJSON(view), as: UTF8.self)
        #expect(text.contains(#""activeRouter":null"#))
        #expect(text.contains(#""name":null"#))
    }

    @Test("views survive the way through JSON")
    func roundTrip() throws {
        var group = StandbyView.Group()
        group.activeRouter = .init(address: "10.1.0.3", local: true, priority: 105)
        group.trackedObjects = [.init(id: 1, state: "Up", decrement: 10), .init(id: 2, state: "Down", decrement: nil)]
        var view = StandbyView()
        view.groups = [group]
        #expect(try decodeJSON(StandbyView.self, from: encodeJSON(view)) == view)
    }

    @Test("a field that is missing reads as unknown")
    func missingIsUnknown() throws {
        let text = #"{"address":"10.1.0.3","local":true}"#
        #expect(try decodeJSON(StandbyView.Router.self, from: [UInt8](text.utf8)).priority == nil)
    }

    @Test("what is no request is refused")
    func malformed() {
        for text in ["", "{", "[]", "null", #"{"command":"show me"}"#, #"{"command":7}"#, "\u{0}\u{1}", "\"show\""] {
            #expect(throws: ControlError.self) { try decodeJSON(ControlRequest.self, from: [UInt8](text.utf8)) }
        }
    }

    @Test("keys are sorted, so that equal views print equally")
    func sortedKeys() {
        let view = CountersView(["hello.sent": 2, "hello.malformed": 1])
        #expect(
            String(decoding: encodeJSON(view), as: UTF8.self) == #"{"counters":{"hello.malformed":1,"hello.sent":2}}"#)
    }
}
