// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives
import Recording
import Replication

extension ReplicationProcess {
    /// Takes down from now on what session and redundancy machines do; called before anything has happened to them.
    func record(from local: SessionHello) {
        let tap = RecordingTap(on: reactor) { [unowned self] in count($0) }
        tap.send = { [unowned self] line in
            guard let front else { return false }
            front.send(line)
            return true
        }
        tap.start("session", .session(local: local, state: .disabled))
        tap.start("redundancy", .redundancy)
        recording = tap
    }

    /// Steps the session; what it wants done waits in `sessionActions`.
    func step(_ event: SessionMachine.Event) {
        let now = reactor.now
        let first = sessionActions.count
        let isNews = recording != nil && !session.isKnown(event)
        session.handle(event, at: now, actions: &sessionActions)
        guard isNews else { return }
        let actions = sessionActions[first...].map { SessionReaction.action($0) }
        recording?.step("session") { recorder, number in
            recorder.step(number, SessionStep.heard(event), at: now, actions: actions)
        }
    }

    /// Takes the session's next frame for the transport.
    func takeFrame() -> Frame? {
        let frame = session.nextFrame()
        guard let recording, let frame else { return frame }
        let now = reactor.now
        recording.step("session") { recorder, number in
            recorder.step(number, SessionStep.frameTaken, at: now, actions: [SessionReaction.frame(frame)])
        }
        return frame
    }

    /// Steps the redundancy machine.
    func stepRedundancy(_ facts: RedundancyFacts, at now: Instant) -> [RedundancyMachine.Action] {
        var actions: [RedundancyMachine.Action] = []
        redundancy.handle(.factsChanged(facts), at: now, actions: &actions)
        // The same facts again change nothing.
        guard let recording, facts != recordedFacts else { return actions }
        recordedFacts = facts
        recording.step("redundancy") { [actions] recorder, number in
            recorder.step(number, RedundancyMachine.Event.factsChanged(facts), at: now, actions: actions)
        }
        return actions
    }
}
