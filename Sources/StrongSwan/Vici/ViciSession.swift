// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
import DequeModule
public import Primitives

/// The client's half of one VICI stream: bytes in, replies out, one request at a time.
///
///     ┌──────┐ requested  ┌─────────────┐ confirmed ┌────────────┐ response: deliver
///     │ idle │ ─────────► │ registering │ ────────► │ commanding │ ─────────────────► idle
///     └──────┘            └─────────────┘           └────────────┘
///         └── nothing streamed, or registered before ───▲
///
/// Anything malformed, unexpected or late ends the session; the owner then asks for a new stream.
public struct ViciSession: Sendable {
    /// What happened.
    public enum Event: Sendable {
        /// A request is to be made; the number comes back with its reply.
        case requested(ViciRequest, number: UInt64)
        /// Bytes came from charon.
        case received([UInt8])
        /// `nextDeadline` has passed.
        case deadlineReached
    }

    /// What to do.
    public enum Action: Sendable, Hashable {
        /// Write these bytes to the stream.
        case write([UInt8])
        /// A request was answered.
        case deliver(ViciReply, number: UInt64)
        /// Close the stream: its content cannot be trusted any more; open requests are lost with it.
        case fail(ViciFailure)
    }

    /// Why a session ended, or a request was not taken.
    public enum ViciFailure: Error, Sendable, Hashable {
        /// The bytes did not decode.
        case malformed(DecodeError)
        /// A packet that the protocol does not allow here.
        case unexpected(packetType: UInt8)
        /// More requests than `Limits.viciRequestCount` wait.
        case tooManyRequests
        /// A listing longer than `Limits.viciListingCount`.
        case tooLong
        /// No answer in time.
        case timedOut
    }

    private enum Phase: Equatable {
        case idle
        case registering
        case commanding
        case failed
    }

    /// How long charon may be silent while it owes an answer.
    private static let patience = Interval.seconds(10)

    private var phase = Phase.idle
    private var assembler = ViciAssembler()
    private var waiting = Deque<(request: ViciRequest, number: UInt64)>()
    private var registered: Set<String> = []
    private var events: [ViciSection] = []
    private var deadline: Instant?

    /// Starts idle.
    public init() {}

    /// The time at which `deadlineReached` is due.
    public var nextDeadline: Instant? { deadline }

    /// Takes one event and appends what is to be done; after `fail` nothing more is.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        guard phase != .failed else { return }
        switch event {
        case .requested(let request, let number):
            guard waiting.count < Limits.viciRequestCount else { return fail(.tooManyRequests, &actions) }
            waiting.append((request, number))
            if phase == .idle { begin(now, &actions) }
        case .received(let bytes):
            if deadline != nil { deadline = now + Self.patience }
            assembler.append(bytes)
            receive(now, &actions)
        case .deadlineReached:
            if let deadline, deadline <= now { fail(.timedOut, &actions) }
        }
    }

    private mutating func receive(_ now: Instant, _ actions: inout [Action]) {
        while phase != .failed {
            do throws(DecodeError) {
                guard let packet = try assembler.next() else { return }
                take(packet, now, &actions)
            } catch {
                fail(.malformed(error), &actions)
            }
        }
    }

    private mutating func take(_ packet: ViciPacket, _ now: Instant, _ actions: inout [Action]) {
        guard let (request, number) = waiting.first else {
            return fail(.unexpected(packetType: packet.type), &actions)
        }
        switch (phase, packet) {
        case (.registering, .eventConfirm):
            if let event = request.streamedEvent { registered.insert(event) }
            begin(now, &actions)
        case (.registering, .eventUnknown): finish(.refused("unknown event"), number, now, &actions)
        case (.commanding, .event(let name, let message)) where name == request.streamedEvent:
            guard events.count < Limits.viciListingCount else { return fail(.tooLong, &actions) }
            events.append(message)
        case (.commanding, .commandResponse(let message)):
            finish(request.reply(message, events: events), number, now, &actions)
        case (.commanding, .commandUnknown): finish(.refused("unknown command"), number, now, &actions)
        case (_, .event): break
        default: fail(.unexpected(packetType: packet.type), &actions)
        }
    }

    private mutating func begin(_ now: Instant, _ actions: inout [Action]) {
        guard let (request, _) = waiting.first else { return }
        deadline = now + Self.patience
        if let event = request.streamedEvent, !registered.contains(event) {
            phase = .registering
            actions.append(.write(ViciPacket.eventRegister(name: event).bytes))
        } else {
            phase = .commanding
            actions.append(.write(request.packet.bytes))
        }
    }

    private mutating func finish(_ reply: ViciReply, _ number: UInt64, _ now: Instant, _ actions: inout [Action]) {
        actions.append(.deliver(reply, number: number))
        waiting.removeFirst()
        events.removeAll()
        deadline = nil
        phase = .idle
        begin(now, &actions)
    }

    private mutating func fail(_ failure: ViciFailure, _ actions: inout [Action]) {
        phase = .failed
        deadline = nil
        actions.append(.fail(failure))
    }
}
