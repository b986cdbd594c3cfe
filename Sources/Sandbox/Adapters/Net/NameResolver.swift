internal import Glibc
internal import NIOPosix
internal import Synchronization

/// Turns a host name into addresses. Tests meet it with a table.
protocol NameResolver: Sendable {
    /// All addresses of `host`, in the order in which they should be tried.
    ///
    /// - Throws: ``ResolutionError``; `CancellationError` at once when the task is cancelled, though a thread may go on.
    func addresses(of host: String) async throws -> [IPAddress]
}

enum ResolutionError: Error, Sendable, Hashable {
    case unknownHost
    /// Too many look-ups wait already.
    case tooMany
}

/// The system's resolver, on threads of its own: `getaddrinfo` blocks for as long as it likes.
struct SystemResolver: NameResolver {
    private let threads: NIOThreadPool
    private let waiting = Waiting()

    private final class Waiting: Sendable { let count = Atomic(0) }

    /// - Parameter threads: started, and stopped by the caller.
    init(threads: NIOThreadPool) { self.threads = threads }

    func addresses(of host: String) async throws -> [IPAddress] {
        let count = waiting.count.add(1, ordering: .relaxed).newValue
        guard count <= AdapterLimits.resolverWaitingMax + AdapterLimits.resolverThreads else {
            waiting.count.subtract(1, ordering: .relaxed)
            throw ResolutionError.tooMany
        }
        let once = Once<Result<[IPAddress], any Error>>()
        let waiting = waiting
        threads.submit { state in
            defer { waiting.count.subtract(1, ordering: .relaxed) }
            guard case .active = state, !once.isDone else { return once.resume(.failure(CancellationError())) }
            let found = Self.lookUp(host)
            once.resume(found.isEmpty ? .failure(ResolutionError.unknownHost) : .success(found))
        }
        return try await withTaskCancellationHandler {
            await once.value()
        } onCancel: {
            once.resume(.failure(CancellationError()))
        }.get()
    }

    private static func lookUp(_ host: String) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [IPAddress] = []
        var next = list
        while let entry = next?.pointee, found.count < AdapterLimits.addressesMax {
            next = entry.ai_next
            let address: IPAddress? =
                switch entry.ai_family {
                case AF_INET:
                    entry.ai_addr?.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                        withUnsafeBytes(of: $0.pointee.sin_addr) { IPAddress(bytes: Array($0)) }
                    } ?? nil
                case AF_INET6:
                    entry.ai_addr?.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                        withUnsafeBytes(of: $0.pointee.sin6_addr) { IPAddress(bytes: Array($0)) }
                    } ?? nil
                default: nil
                }
            if let address, !found.contains(address) { found.append(address) }
        }
        return found
    }
}

/// A value that comes once, and one task that waits for it; what comes later is dropped. State is in a short `Mutex`.
final class Once<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var isDone = false
        var waiter: CheckedContinuation<Value, Never>?
    }

    private let state = Mutex(State())

    var isDone: Bool { state.withLock { $0.isDone } }

    func resume(_ value: Value) {
        let waiter = state.withLock { state -> CheckedContinuation<Value, Never>? in
            guard !state.isDone else { return nil }
            state.isDone = true
            if state.waiter == nil { state.value = value }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: value)
    }

    /// Waits. To be asked once.
    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state -> Value? in
                defer { state.value = nil }
                if state.value == nil { state.waiter = continuation }
                return state.value
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}
