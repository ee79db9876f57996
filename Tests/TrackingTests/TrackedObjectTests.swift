// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing
import Tracking

/// Drives one object on a virtual clock of milliseconds.
private struct Clock {
    var object: TrackedObject
    mutating func at(_ milliseconds: Int, _ event: TrackedObject.Event) -> [TrackedObject.Action] {
        var actions: [TrackedObject.Action] = []
        object.handle(event, at: Instant(nanoseconds: 0) + .milliseconds(milliseconds), actions: &actions)
        return actions
    }

    init(down: Int = 0, up: Int = 0) {
        object = TrackedObject(downDelay: .seconds(down), upDelay: .seconds(up))
    }
}

private let fell = [TrackedObject.Action.stateChanged(from: .up, to: .down)]
private let rose = [TrackedObject.Action.stateChanged(from: .down, to: .up)]

@Test("without delays a change is told at once")
func immediateChange() {
    var clock = Clock()
    #expect(clock.at(0, .observed(.init(isUp: true))) == [])
    #expect(clock.at(1, .observed(.init(isUp: false))) == fell)
    #expect(clock.at(2, .observed(.init(isUp: false))) == [])
    #expect(clock.at(3, .observed(.init(isUp: true))) == rose)
    #expect(clock.object.changeCount == 2)
    #expect(clock.object.state.name == "Up")
}

@Test("delay up holds the return back until it has run out")
func delayedReturn() {
    var clock = Clock(up: 5)
    #expect(clock.at(0, .observed(.init(isUp: true))) == [])
    #expect(clock.at(1000, .observed(.init(isUp: false))) == fell)
    #expect(clock.at(2000, .observed(.init(isUp: true))) == [])
    #expect(clock.object.nextDeadline == Instant(nanoseconds: 7_000_000_000))
    #expect(clock.at(3000, .observed(.init(isUp: true))) == [])
    #expect(clock.at(6999, .deadlineReached) == [])
    #expect(clock.at(7000, .deadlineReached) == rose)
    #expect(clock.object.nextDeadline == nil)
}

@Test("a blip shorter than the delay is never told")
func cancelledBlip() {
    var clock = Clock(down: 2)
    #expect(clock.at(0, .observed(.init(isUp: true))) == [])
    #expect(clock.at(1000, .observed(.init(isUp: false))) == [])
    #expect(clock.at(2500, .observed(.init(isUp: true))) == [])
    #expect(clock.at(3000, .deadlineReached) == [])
    #expect(clock.object.state == .up)
    #expect(clock.object.changeCount == 0)
}

@Test("the first observation has no delay")
func firstObservation() {
    var clock = Clock(down: 100, up: 100)
    #expect(clock.at(0, .observed(.init(isUp: false))) == fell)
}

@Test("new delays count from the next change on")
func changedDelays() {
    var clock = Clock()
    #expect(clock.at(0, .observed(.init(isUp: true))) == [])
    #expect(clock.at(1, .delaysChanged(down: .seconds(1), up: .zero)) == [])
    #expect(clock.at(2, .observed(.init(isUp: false))) == [])
    #expect(clock.at(1002, .deadlineReached) == fell)
}

@Test(
    "effective priority is the configured one less every decrement that is down, floor 0",
    arguments: [
        (105, [(true, 10), (true, 10)], 105), (105, [(false, 10), (true, 10)], 95),
        (105, [(false, 10), (false, 10)], 85), (15, [(false, 10), (false, 10)], 0), (255, [(false, 255)], 0),
        (0, [], 0),
    ] as [(Int, [(Bool, Int)], Int)])
func decrements(configured: Int, tracks: [(Bool, Int)], expected: Int) {
    let effective = EffectivePriority(
        configured: configured, tracks: tracks.map { .init(state: $0.0 ? .up : .down, decrement: $0.1) })
    #expect(effective.priority == UInt8(expected))
    #expect(effective.isFit)
}

@Test("an object with shutdown makes the node unfit and leaves the priority alone")
func shutdownTrack() {
    let effective = EffectivePriority(configured: 105, tracks: [.init(state: .down, decrement: nil)])
    #expect(effective.priority == 105)
    #expect(!effective.isFit)
    #expect(EffectivePriority(configured: 105, tracks: [.init(state: .up, decrement: nil)]).isFit)
}

@Test("an object that is not defined counts as Up")
func undefinedObject() {
    let effective = EffectivePriority(
        configured: 105, tracks: [.init(state: nil, decrement: 10), .init(state: nil, decrement: nil)])
    #expect(effective.priority == 105)
    #expect(effective.isFit)
}

@Test("before anything is known an object counts as its default state, and the first news come without delay")
func defaultState() {
    var actions: [TrackedObject.Action] = []
    var object = TrackedObject(downDelay: .seconds(9), upDelay: .seconds(9), defaultState: .down)
    #expect(object.state == .down && object.observation == nil)
    object.handle(.observed(.init(isUp: true)), at: Instant(nanoseconds: 0), actions: &actions)
    #expect(actions == rose)
}

@Test("news that are not firm are told at once, and the first firm ones too")
func looseNews() {
    var clock = Clock(down: 100, up: 100)
    #expect(clock.at(0, .observed(.init(isUp: false), isFirm: false)) == fell)
    #expect(clock.at(1, .observed(.init(isUp: true), isFirm: false)) == rose)
    #expect(clock.at(2, .observed(.init(isUp: false))) == fell)
    #expect(clock.at(3, .observed(.init(isUp: true))) == [])
}
