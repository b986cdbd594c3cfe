internal import Accounting
internal import Digest
internal import JSON
internal import Logging
internal import Supervisor
internal import Synchronization

/// Meets the supervisor's port with the durable keys. What is claimed here and not settled yet is in a `Mutex`; the supervisor's bound of
/// calls in flight bounds it.
final class IdempotencyBinding: Supervisor.IdempotencyStore {
    /// The longest that a call may take, and a moment to write what came of it: after that it is `unknown` to others.
    private static let claim = Milliseconds((SupervisorLimits.timeoutMax + .seconds(30)).wholeMilliseconds)

    private let store: any Accounting.IdempotencyStore
    private let logger: Logger
    private let claims = Mutex<[IdempotentCall: Accounting.IdempotencyClaim]>([:])

    init(_ store: any Accounting.IdempotencyStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    func claim(_ call: IdempotentCall) async -> Supervisor.IdempotencyClaim {
        do {
            let key = try IdempotencyKey(call.key.text)
            // The tool belongs to what the key stands for: the same arguments for another tool are another call.
            let digest = Digest.hex(Digest.sha256(Array("\(call.tool)\n\(call.digest)".utf8)))
            switch try await store.begin(try call.key.caller, key, digest: digest, claim: Self.claim) {
            case .new(let claim):
                claims.withLock { $0[call] = claim }
                return .claimed
            case .inFlight: return .inFlight
            case .done(let bytes): return (try? JSONValue(parsing: bytes)).map { .finished($0) } ?? .unknown
            case .conflict: return .conflict
            case .unknown: return .unknown
            case .full: return .unavailable
            }
        } catch {
            logger.error("an idempotency key cannot be claimed; its call is denied", metadata: ["fault": "\(error)"])
            return .unavailable
        }
    }

    func settle(_ call: IdempotentCall, _ ending: IdempotencyEnding) async {
        guard let claim = claims.withLock({ $0.removeValue(forKey: call) }) else { return }
        do {
            switch ending {
            case .finished(let value): _ = try await store.finish(claim, outcome: value.jsonBytes)
            case .released: try await store.abandon(claim)
            // The claim runs out by itself, and is then what it is: unknown.
            case .unknown: break
            }
        } catch {
            logger.error("the outcome of an idempotency key is not kept; its call is unknown", metadata: ["fault": "\(error)"])
        }
    }
}

extension IdempotentCall.Key {
    fileprivate var caller: CallerHandle {
        get throws { CallerHandle(try TenancyPath(org: org, project: project, user: user.isEmpty ? nil : user, key: credential)) }
    }
}
