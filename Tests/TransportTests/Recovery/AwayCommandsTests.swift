import NIOPosix
import Testing

@testable import Transport

/// What is done to sockets that are away, at whatever server they come back. Needs nothing.
@Suite("Recovery: what is done to those who are away") struct AwayCommandsTests {
    private let everybody = BroadcastTarget()

    private func at(_ number: UInt64) -> RecoveryOffset { RecoveryOffset(rawValue: number) }

    /// A socket of a namespace, in its own room and in those named.
    private func socket(in namespace: String = "/", _ rooms: String...) -> RecoverableSocket {
        var dice = LogDice(state: 7)
        var socket = RecoverableSocket(
            key: SessionID(node: 1, using: &dice), namespace: namespace, start: .start, data: SocketData(), context: (), live: nil)
        socket.rooms = (["me"] + rooms).map { ($0, .start) }
        return socket
    }

    /// Its rooms after what was done since; "gone" for one that must not come back, nil where not all is known.
    private func rooms(_ away: AwayCommands, _ socket: RecoverableSocket, since number: UInt64) -> [String]? {
        switch away.perform(on: socket, since: at(number)) {
        case nil: nil
        case .disconnected: ["gone"]
        case .stays(let changed): changed.rooms.map(\.name)
        }
    }

    @Test("joins and leaves since it went are done in their order, those before are not, and those of other namespaces never") func order()
    {
        var away = AwayCommands(countMax: 10, retention: 1_000)
        away.append(.join(["early"], everybody), in: "/", at: at(10))
        away.append(.join(["a", "b"], everybody), in: "/", at: at(20))
        away.append(.join(["other"], everybody), in: "/other", at: at(21))
        away.append(.leave(["a"], BroadcastTarget(rooms: ["b"])), in: "/", at: at(30))
        away.append(.leave(["b"], BroadcastTarget(rooms: ["a"])), in: "/", at: at(40))
        #expect(rooms(away, socket(), since: 10) == ["me", "b"])
        #expect(rooms(away, socket(), since: 9) == ["me", "early", "b"])
        // It was away after the joins, without them.
        #expect(rooms(away, socket(), since: 20) == ["me"])
        #expect(rooms(away, socket(in: "/other"), since: 0) == ["me", "other"])
    }

    @Test("a room is joined at the place of the command: what was emitted to it before is not for the socket") func since() {
        var away = AwayCommands(countMax: 10, retention: 1_000)
        away.append(.join(["a"], everybody), in: "/", at: at(20))
        guard case .stays(let changed)? = away.perform(on: socket(), since: at(10)) else {
            Issue.record("it does not stay")
            return
        }
        #expect(changed.rooms.map(\.since) == [.start, at(20)])
    }

    @Test("who was disconnected while away does not come back, and who was meant by none of it does") func disconnect() {
        var away = AwayCommands(countMax: 10, retention: 1_000)
        away.append(.disconnect(closingSessions: false, BroadcastTarget(rooms: ["banned"])), in: "/", at: at(20))
        #expect(rooms(away, socket("banned"), since: 10) == ["gone"])
        #expect(rooms(away, socket("banned"), since: 20) == ["me", "banned"])
        #expect(rooms(away, socket("guests"), since: 10) == ["me", "guests"])
    }

    @Test("above the limits, after its time and after a cut the oldest is forgotten, and who may have missed it is told so") func limits() {
        var away = AwayCommands(countMax: 2, retention: 100)
        for number: UInt64 in [10, 20, 30] { away.append(.join(["r\(number)"], everybody), in: "/", at: at(number)) }
        #expect(away.count == 2 && away.floor == at(10))
        #expect(rooms(away, socket(), since: 9) == nil)
        #expect(rooms(away, socket(), since: 10) == ["me", "r20", "r30"])
        away.append(.leave(["r30"], everybody), in: "/", at: at(131))
        // What is older than its time went besides what is too much.
        #expect(away.count == 1 && away.floor == at(30))
        #expect(rooms(away, socket("r30"), since: 30) == ["me"])
        away.cut(at: at(200))
        #expect(away.count == 0 && rooms(away, socket(), since: 199) == nil)
        #expect(rooms(away, socket(), since: 200) == ["me"])
    }
}
