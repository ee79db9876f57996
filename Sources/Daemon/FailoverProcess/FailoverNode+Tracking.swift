// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import FirstHop
import LinuxIO
import Primitives
import Tracking

extension FailoverNode {
    /// Takes over the objects of the model and looks at all of them.
    func applyTracks() {
        do {
            try trackedKernel.listen(for: model.trackedObjects.map(\.kind), on: reactor) { [unowned self] in
                observeRouting()
            }
        } catch {
            log("%TRACKING-4-KERNEL: routes and addresses are not followed: \(error)")
        }
        tracks.configure(model.trackedObjects)
        observeLinks()
        probes.configure(model.echoOperations, on: reactor) { [unowned self] in
            observeEcho($0)
        } onStray: { [unowned self] in
            count("track.strayEchoReply")
        }
        observeRouting()
        observeUnprobed()
    }

    /// Line protocols, which need nothing but what is known already: called on any event of the kernel.
    func observeLinks() {
        tracks.observe(where: \.isLineProtocol, trackedKernel.look(at:))
    }

    private func observeRouting() {
        tracks.observe(where: \.isRouting, trackedKernel.look(at:))
    }

    /// An operation that never runs leaves its objects as they are by default; lists need not wait for it.
    private func observeUnprobed() {
        for entry in tracks.entries {
            guard case .echo(let operation, _) = entry.settings.kind, probes.echo(operation) == nil else { continue }
            let isUp = entry.settings.defaultState == .up
            tracks.handle(
                .observed(entry.settings.number, Observation(isUp: isUp, reason: "operation does not run")))
        }
    }

    private func observeEcho(_ runner: EchoRunner) {
        tracks.observe(where: { _ in true }) { kind in
            guard case .echo(runner.operation.number, let aspect) = kind else { return nil }
            return runner.machine.observe(aspect)
        }
    }

    /// What the supervisor has found out.
    func hear(_ report: ProbeReport) {
        guard let kind = tracks.machine.entries[report.object]?.settings.kind, kind.isSupervised else {
            return count("track.unknownReport")
        }
        probes.take(report)
        if let observation = report.observation { tracks.handle(.observed(report.object, observation)) }
    }

    /// Clients first, words afterwards.
    func tracksChanged(_ changes: [TrackingMachine.Action]) {
        recomputePriorities()
        for case .stateChanged(let number, let from, let to, let reason) in changes {
            guard let kind = tracks.machine.entries[number]?.settings.kind else { continue }
            let line = "%TRACKING-5-STATE: \(number) \(kind.sentence) \(from.name)->\(to.name)"
            log(line)
            var event = EventView("track-state", line: line)
            if case .interface(let name, _) = kind { event.interface = name }
            event.object = number
            event.from = from.name
            event.to = to.name
            event.reason = reason
            send(event)
        }
    }

    func recomputePriorities() {
        for runner in groups.values where !runner.isRetiring {
            let effective = effective(runner.configured)
            if runner.machine.priority != effective.priority { runner.handle(.priorityChanged(effective.priority)) }
            runner.handle(.fitnessChanged(isFit: effective.isFit))
        }
    }

    /// What the tracked objects make of a group's priority now.
    func effective(_ group: Model.Group) -> EffectivePriority {
        EffectivePriority(
            configured: group.priority,
            tracks: group.tracks.map { track in
                let state = tracks.state(of: track.object)
                switch track.effect {
                case .decrement(let value): return .init(state: state, decrement: value)
                case .shutdown: return .init(state: state, decrement: nil)
                }
            })
    }

    // MARK: show track

    /// `show track`.
    func trackView(at now: Instant) -> TrackView {
        var view = TrackView()
        for entry in tracks.entries {
            let (settings, tracked) = (entry.settings, entry.object)
            var object = TrackView.Object()
            object.id = settings.number
            object.kind = settings.kind.name
            object.target = settings.kind.target
            object.state = tracked.state.name
            object.detail = tracked.observation?.reason
            object.changes = tracked.changeCount
            object.lastChangeMilliseconds = tracked.lastChangeAt.map { now.since($0).milliseconds }
            object.delayUpMilliseconds = settings.upDelay.milliseconds
            object.delayDownMilliseconds = settings.downDelay.milliseconds
            object.delayRemainingMilliseconds = tracked.nextDeadline.map { $0.since(now).milliseconds }
            object.trackedBy = clients(of: settings.number)
            object.lists = tracks.entries.filter { $0.settings.kind.members.contains(settings.number) }
                .map(\.settings.number)
            switch settings.kind {
            case .route(let destination): object.firstHop = trackedKernel.firstHop(of: destination)
            case .list(let list): describe(list, in: &object)
            case .script: object.runs = probes.runs(of: settings.number)
            case .echo(let operation, _): object.echo = probes.echo(operation)
            case .interface, .process, .file: break
            }
            view.objects.append(object)
        }
        return view
    }

    private func describe(_ list: ObjectList, in object: inout TrackView.Object) {
        switch list.rule {
        case .and, .or: break
        case .weight(let thresholds), .percentage(let thresholds):
            object.thresholdUp = thresholds.up
            object.thresholdDown = thresholds.down
        }
        object.members = list.members.map { member in
            var shown = TrackView.Member(id: member.object, state: tracks.state(of: member.object)?.name ?? "Undefined")
            shown.negated = member.isNegated
            if case .weight = list.rule { shown.weight = member.weight }
            return shown
        }
    }

    private func clients(of number: Int) -> [TrackView.Client] {
        model.interfaces.flatMap { interface in
            interface.groups.filter { $0.tracks.contains { $0.object == number } }
                .map { TrackView.Client(interface: interface.name, group: $0.number) }
        }
    }
}

extension ObjectKind {
    fileprivate var isLineProtocol: Bool {
        if case .interface(_, .lineProtocol) = self { true } else { false }
    }

    /// Whether the supervisor tells about it.
    fileprivate var isSupervised: Bool {
        switch self {
        case .script, .process, .file: true
        case .interface, .route, .list, .echo: false
        }
    }

    fileprivate var members: [Int] {
        if case .list(let list) = self { list.members.map(\.object) } else { [] }
    }
}
