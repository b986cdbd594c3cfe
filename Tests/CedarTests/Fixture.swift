internal import Foundation
internal import Testing

@testable internal import Cedar

/// One small world for the tables of expressions.
enum Fixture {
    /// What an expression in a `when` comes to.
    enum Outcome: Sendable {
        case yes, no, error
    }

    static let entities = """
        [{"uid": {"type": "U", "id": "a"}, "attrs": {"n": 1, "rec": {"a": {"b": 1}}, "u": {"__entity": {"type": "U", "id": "zz"}}},
          "tags": {"t": "v"}, "parents": [{"type": "G", "id": "g"}]},
         {"uid": {"type": "G", "id": "g"}, "attrs": {}, "parents": [{"type": "G", "id": "h"}]},
         {"uid": {"type": "G", "id": "h"}, "attrs": {}, "parents": []}]
        """

    static func request(_ context: String = "{}") throws -> Request {
        Request(
            principal: try EntityUID(parsing: #"U::"a""#), action: try EntityUID(parsing: #"Action::"x""#),
            resource: try EntityUID(parsing: #"R::"r""#), context: try Request.context(parsing: context))
    }

    /// The whole answer of a text of policies, in which `PSR` and `FSR` stand for the open heads.
    static func authorize(_ policies: String, context: String = "{}") throws -> Response {
        let text = policies.replacing("PSR", with: "permit(principal,action,resource)").replacing(
            "FSR", with: "forbid(principal,action,resource)")
        return Authorizer(try PolicySet(parsing: text)).authorize(try request(context), try Entities(parsing: entities))
    }

    static func outcome(_ expression: String, context: String = "{}") throws -> Outcome {
        let response = try authorize("PSR when { \(expression) };", context: context)
        return response.decision == .allow ? .yes : response.errors.isEmpty ? .no : .error
    }

    static func error(_ expression: String) throws -> EvaluationError.Kind? {
        try authorize("PSR when { \(expression) };").failures.first?.error.kind
    }

    /// Runs `body` on a thread with a stack of half a megabyte.
    static func onSmallStack(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let thread = Thread { continuation.resume(with: Result(catching: body)) }
            thread.stackSize = 512 << 10
            thread.start()
        }
    }
}

/// SplitMix64: the same numbers for the same seed everywhere.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
