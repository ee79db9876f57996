// SPDX-License-Identifier: Apache-2.0

private import Primitives
private import Tracking

extension Validator {
    /// Scripts, operations, and who refers to them.
    mutating func checkProbes() {
        for operation in model.echoOperations { checkOperation(operation) }
        for object in model.trackedObjects {
            let place = Place.track(object.number)
            switch object.kind {
            case .script(let script) where script.timeoutSeconds > script.intervalSeconds:
                refuse(
                    place,
                    "the timeout of \(script.timeoutSeconds) s is longer than the interval of "
                        + "\(script.intervalSeconds) s; a script is never run twice at a time")
            case .echo(let number, _):
                if !model.echoOperations.contains(where: { $0.number == number }) {
                    warn(
                        place,
                        "operation \(number) is not defined, so the object counts as \(object.defaultState.name); "
                            + "write `ip sla \(number)` and `icmp-echo ADDRESS`")
                }
            default: break
            }
        }
    }

    private mutating func checkOperation(_ operation: EchoOperation) {
        let place = Place.operation(operation.number)
        let number = operation.number
        if operation.destination == .any {
            return refuse(place, "the operation does nothing; write `icmp-echo ADDRESS` under `ip sla \(number)`")
        }
        if let timeout = operation.timeoutMilliseconds, timeout > operation.frequencySeconds * 1000 {
            refuse(
                place,
                "the timeout of \(timeout) ms is longer than the frequency of \(operation.frequencySeconds) s; "
                    + "expected one echo to end before the next")
        }
        if let threshold = operation.thresholdMilliseconds, operation.threshold > operation.timeout {
            refuse(
                place,
                "the threshold of \(threshold) ms is longer than the timeout of \(operation.timeout.milliseconds) ms, "
                    + "after which no answer is waited for")
        }
        if !operation.isScheduled {
            warn(
                place,
                "the operation never runs; write `ip sla schedule \(number) life forever start-time now`")
        }
        if let virtual = groups.first(where: { group in
            if case .address(let source) = operation.source {
                group.group.virtualAddress == IPAddress(source)
            } else {
                false
            }
        }) {
            refuse(
                place,
                "the virtual address of group \(virtual.group.number) cannot ask: only the Active has it, and a fence "
                    + "keeps the others from using it")
        }
    }
}
