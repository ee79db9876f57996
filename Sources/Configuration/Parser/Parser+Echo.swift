// SPDX-License-Identifier: Apache-2.0

private import Primitives
import Tracking

/// `ip sla NUMBER`, what stands under it, and `ip sla schedule NUMBER`.
extension Parser {
    private static let numbers = 1...2_147_483_647

    mutating func parseIPLine(_ statement: inout Statement) throws(Fault) {
        _ = try statement.keyword(["sla"])
        if statement.next?.text == "monitor" {
            throw statement.unavailable("ip sla monitor", write: "ip sla NUMBER")
        }
        if statement.optionalKeyword(["schedule"]) != nil { return try parseSchedule(&statement) }
        let position = statement.position
        let number = try statement.integer(Self.numbers, "the number of an operation")
        try statement.finish()
        if statement.isNegated {
            draft.model.echoOperations.removeAll { $0.number == number }
            return
        }
        draft.editOperation(number) { _ in }
        if draft.places[.operation(number)] == nil { draft.places[.operation(number)] = position }
        enter(.operation(number))
    }

    /// `ip sla schedule N life forever start-time now`.
    private mutating func parseSchedule(_ statement: inout Statement) throws(Fault) {
        let place = statement
        let number = try statement.integer(Self.numbers, "the number of an operation")
        if statement.isNegated {
            statement.skipRest()
            draft.editOperation(number) { $0.isScheduled = false }
            return
        }
        var said: Set<String> = []
        while !statement.isAtEnd {
            let word = try statement.keyword(["life", "start-time"])
            _ = try statement.keyword([word == "life" ? "forever" : "now"])
            said.insert(word)
        }
        guard said.count == 2 else {
            throw place.fault("expected `ip sla schedule \(number) life forever start-time now`")
        }
        if draft.places[.operation(number)] == nil { draft.places[.operation(number)] = place.position }
        draft.editOperation(number) { $0.isScheduled = true }
    }

    mutating func parseOperation(_ statement: inout Statement, _ number: Int) throws(Fault) {
        let position = statement.position
        let word = try statement.keyword(Mode.operation(number).statements)
        var operation = EchoOperation(number: number, destination: .any)
        draft.editOperation(number) { operation = $0 }
        let isNegated = statement.isNegated
        if isNegated { statement.skipRest() }
        let fresh = EchoOperation(number: number, destination: .any)
        switch word {
        case "icmp-echo":
            operation.destination = .any
            operation.source = .route
            if !isNegated { try parseEcho(&statement, &operation) }
        case "frequency":
            operation.frequencySeconds =
                isNegated ? fresh.frequencySeconds : try statement.integer(1...604_800, "the frequency in seconds")
        case "timeout":
            operation.timeoutMilliseconds =
                isNegated ? nil : try statement.integer(1...604_800_000, "the timeout in milliseconds")
        case "threshold":
            operation.thresholdMilliseconds =
                isNegated ? nil : try statement.integer(1...604_800_000, "the threshold in milliseconds")
        case "vrf": throw statement.unavailable("vrf", write: "icmp-echo ADDRESS source-interface NAME")
        default:
            statement.skipRest()
            warn(position, "`\(word)` has no effect in this release")
        }
        try statement.finish()
        draft.editOperation(number) { $0 = operation }
    }

    private func parseEcho(_ statement: inout Statement, _ operation: inout EchoOperation) throws(Fault) {
        let place = statement
        operation.destination = try statement.address("whom to ask")
        let first = operation.destination.value >> 24
        guard first != 0, first < 224 else {
            throw place.fault("expected a unicast address, found \(operation.destination)")
        }
        guard !statement.isAtEnd else { return }
        if try statement.keyword(["source-interface", "source-ip"]) == "source-ip" {
            operation.source = .address(try statement.address("an address of this node"))
        } else {
            operation.source = .interface(try statement.interfaceName())
        }
    }
}

extension Draft {
    /// Runs `body` on an operation, which is made if it is new; its destination is 0.0.0.0 until one is said.
    mutating func editOperation(_ number: Int, _ body: (inout EchoOperation) -> Void) {
        let index: Int
        if let known = model.echoOperations.firstIndex(where: { $0.number == number }) {
            index = known
        } else {
            model.echoOperations.append(EchoOperation(number: number, destination: .any))
            index = model.echoOperations.count - 1
        }
        body(&model.echoOperations[index])
    }
}
