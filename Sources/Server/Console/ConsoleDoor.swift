internal import Accounting
internal import Synchronization
internal import Transport

/// Shows consoles out whose key is no longer good: what is pushed asks for nothing, so nothing else would find out. A token says when it ends
/// (``ConsoleNamespace``).
///
/// The table is in a `Mutex` held for a look-up; one task looks.
final class ConsoleDoor: Sendable {
    /// How long a key that was taken away may still see. One small read a console is nothing to a store.
    private static let interval = Duration.seconds(2)

    private struct Guest: Sendable {
        let socket: Socket
        let caller: Caller
        let choice: OrgChoice
    }

    private let authenticator: Authenticator
    private let guests = Mutex<[String: Guest]>([:])

    init(_ authenticator: Authenticator) { self.authenticator = authenticator }

    func entered(_ socket: Socket, _ caller: Caller, of choice: OrgChoice) {
        guests.withLock { $0[socket.id] = Guest(socket: socket, caller: caller, choice: choice) }
    }

    func left(_ id: String) { guests.withLock { $0[id] = nil } }

    /// Until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            for guest in guests.withLock({ Array($0.values) }) where await !mayStay(guest) { guest.socket.disconnect() }
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// While the store cannot be asked everybody stays: there is nothing to be shown either.
    private func mayStay(_ guest: Guest) async -> Bool {
        do throws(Authenticator.Failure) {
            return try await guest.caller.recheck(authenticator).mayLook(at: guest.choice)
        } catch {
            return error == .unavailable
        }
    }
}
