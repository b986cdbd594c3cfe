// How long one decision takes with 1,000 policies: `swift run -c release cedar-benchmark`. Prints microseconds.
internal import Cedar

/// The kinds of sets that are measured.
enum Shape: String, CaseIterable {
    /// As an organisation writes them: a role, a tool, a project, and a clause.
    case scoped = "a role, a tool and a project each"
    /// Forty policies for each tool, and nothing more in the scope.
    case byAction = "a tool each, 40 for every tool"
    /// Nothing in the scope: every policy is evaluated.
    case unscoped = "no scope at all"

    func policy(_ number: Int) -> String {
        let clause = "when { context.args.amount < \(100 + number) && context.args.labels.contains(\"l\(number % 7)\") }"
        let effect = number % 10 == 0 ? "forbid" : "permit"
        switch self {
        case .scoped:
            return """
                \(effect) (principal in Role::"r\(number % 10)", action == Action::"tool\(number % 25)", \
                resource in Project::"p\(number / 10 % 4)") \(clause);
                """
        case .byAction: return "\(effect) (principal, action == Action::\"tool\(number % 25)\", resource) \(clause);"
        case .unscoped: return "\(effect) (principal, action, resource) \(clause);"
        }
    }
}

func uid(_ type: String, _ id: String) throws -> EntityUID { try EntityUID(parsing: "\(type)::\"\(id)\"") }

let user = try uid("User", "alice")
let project = try uid("Project", "p3")
let roles = try (0..<3).map { try uid("Role", "r\($0)") }
let entities = try Entities([Entity(uid: user, parents: Set(roles)), Entity(uid: project, parents: [uid("Org", "o")])])
let context = try Request.context(parsing: #"{"args": {"amount": 250, "labels": ["l1", "l2", "l3"]}, "run": {"id": "x"}}"#)
let requests = try (0..<25).map { try Request(principal: user, action: uid("Action", "tool\($0)"), resource: project, context: context) }
let clock = ContinuousClock()

for shape in Shape.allCases {
    let text = (0..<1_000).map(shape.policy).joined(separator: "\n")
    let began = clock.now
    let authorizer = Authorizer(try PolicySet(parsing: text))
    let prepared = clock.now - began
    var times: [Duration] = []
    var allowed = 0
    for round in 0..<2_000 {
        let request = requests[round % requests.count]
        let start = clock.now
        let response = authorizer.authorize(request, entities)
        times.append(clock.now - start)
        if response.decision == .allow { allowed += 1 }
    }
    times.sort()
    let (median, late) = (times[times.count / 2], times[times.count * 99 / 100])
    print(
        "\(shape.rawValue): median \(microseconds(median)) us, 99 of 100 below \(microseconds(late)) us,",
        "made ready in \(microseconds(prepared)) us, \(allowed) of \(times.count) allowed")
}

func microseconds(_ duration: Duration) -> Double {
    Double(duration.components.attoseconds / 100_000_000_000) / 10 + Double(duration.components.seconds) * 1_000_000
}
