internal import Testing

@testable internal import Cedar

@Suite("Hostile input")
struct HostileInputTests {
    private static let head = "permit(principal,action,resource) when { "

    /// Ways to nest an expression: what opens, what is in the middle, what closes.
    static let nestings: [(String, String, String)] = [
        ("(", "true", ")"), ("[", "1", "].isEmpty()"), ("{a: ", "1", "}"), ("!(", "true", ")"), ("if true then ", "true", " else false"),
        ("if ", "true", " then true else false"), ("", "1", " + 1"), ("1 + (", "1", ")"), ("", "context", ".a"), ("true && (", "true", ")"),
        ("", "true", " && true"), ("[1].contains(", "1", ")"), ("ip(", "1", ")"), ("-(", "1", ")"),
        ("principal is U in (", "principal", ")"),
        ("(", "true", ") && true"), ("if true then true else ", "true", ""), ("(", "context", " has a)"), ("", "context", "[\"a\"]"),
    ]

    @Test("an expression just below the limit of depth is read, printed, evaluated and freed on a small stack", arguments: nestings)
    func belowTheLimit(_ open: String, _ middle: String, _ close: String) async throws {
        let count = SyntaxLimits.depth / 2 - 2
        let text = Self.nested(open, middle, close, count)
        try await Fixture.onSmallStack {
            let policies = try PolicySet(parsing: text)
            _ = try Fixture.authorize(text)
            let printed = PolicyFormatter.format(policies.policies)
            #expect(try PolicySet(parsing: printed).policies == policies.policies)
            #expect(policies.policies[0].hashValue == policies.policies[0].hashValue)
        }
    }

    @Test("a thousand levels are read, the next one is refused")
    func depth() async throws {
        try await Fixture.onSmallStack {
            let limit = SyntaxLimits.depth
            for (open, middle, close) in [("(", "true", ")"), ("!(", "true", ")"), ("", "context", ".a"), ("1 + (", "1", ")")] {
                // A bracket makes no node of its own; the other forms make one, above the one in the middle.
                let fits = open == "(" ? limit : limit - 1
                _ = try PolicySet(parsing: Self.nested(open, middle, close, fits))
                #expect(throws: ParseError.self) { try PolicySet(parsing: Self.nested(open, middle, close, fits + 1)) }
            }
            for (open, middle, close) in Self.nestings where (open, middle, close) != ("", "true", " && true") {
                guard !(open == "(" && close == ") && true") else { continue }
                #expect(throws: ParseError.self) { try PolicySet(parsing: Self.nested(open, middle, close, 50_000)) }
            }
            // A chain is one level however long it is.
            _ = try PolicySet(parsing: Self.nested("", "true", " && true", 50_000))
        }
    }

    @Test("deep JSON is refused, and what is just not too deep is read on a small stack")
    func json() async throws {
        try await Fixture.onSmallStack {
            func context(_ open: String, _ close: String, _ count: Int) -> String {
                #"{"a": "# + String(repeating: open, count: count) + "1" + String(repeating: close, count: count) + "}"
            }
            for (open, close) in [("[", "]"), (#"{"a": "#, "}")] {
                let record = try Request.context(parsing: context(open, close, ValueLimits.depth - 1))
                #expect(try Request.context(parsing: context(open, close, ValueLimits.depth - 1)) == record)
                #expect(Set([record]).contains(record))
                #expect(throws: DataError.self) { try Request.context(parsing: context(open, close, ValueLimits.depth)) }
                #expect(throws: DataError.self) { try Request.context(parsing: context(open, close, JSONLimits.depth - 1)) }
                #expect(throws: DataError.self) { try Request.context(parsing: context(open, close, 100_000)) }
            }
        }
    }

    @Test("a value that would be nested too deep is an error of its policy")
    func deepValues() throws {
        let text = Self.nested("[", "principal", "]", 200).replacing("when { ", with: "when { 1 == ")
        guard case .limit? = try Fixture.authorize(text).failures.first?.error.kind else {
            Issue.record("the value was made")
            return
        }
    }

    @Test("texts above the limits are refused")
    func sizes() {
        #expect(throws: ParseError.self) { try PolicySet(parsing: String(repeating: " ", count: SyntaxLimits.sourceBytes + 1)) }
        let keys = (0...SyntaxLimits.recordKeys).map { "k\($0): 1" }.joined(separator: ",")
        #expect(throws: ParseError.self) { try PolicySet(parsing: Self.head + "{\(keys)} == 1 };") }
        let path = (0...SyntaxLimits.hasPath).map { "a\($0)" }.joined(separator: ".")
        #expect(throws: ParseError.self) { try PolicySet(parsing: Self.head + "context has \(path) };") }
        let uids = (0..<1_500).map { EntityUID(type: TypeName(components: ["U"]), id: ExactString("\($0)")) }
        let chain = uids.indices.map { Entity(uid: uids[$0], parents: $0 > 0 ? [uids[$0 - 1]] : []) }
        #expect(throws: DataError.self) { try Entities(chain) }
    }

    @Test(
        "random words and broken policies are read or refused, and what is read can be printed and decided",
        arguments: [11, 12, 13, 14] as [UInt64])
    func random(_ seed: UInt64) async throws {
        try await Fixture.onSmallStack {
            var numbers = SeededNumbers(seed: seed)
            let expressions = EvaluationTests.table.map(\.0) + ExtensionTests.table.map(\.0)
            var read = 0
            for _ in 0..<3_000 {
                let text = Self.randomText(expressions, &numbers)
                guard let policies = try? PolicySet(parsing: text) else { continue }
                read += 1
                _ = try Fixture.authorize(text)
                #expect(try PolicySet(parsing: PolicyFormatter.format(policies.policies)).policies == policies.policies, "\(text)")
            }
            #expect(read > 100, "the seed makes hardly any valid policy")
        }
    }

    @Test("random JSON is read or refused", arguments: [21, 22] as [UInt64])
    func randomJSON(_ seed: UInt64) async throws {
        try await Fixture.onSmallStack {
            var numbers = SeededNumbers(seed: seed)
            for _ in 0..<3_000 {
                var scalars = Array(Fixture.entities.unicodeScalars)
                for _ in 0..<Int.random(in: 1...3, using: &numbers) {
                    let place = Int.random(in: 0..<scalars.count, using: &numbers)
                    scalars[place] = Array("\"{}[],:\\u0e-1n\u{0}\u{E9} ".unicodeScalars).randomElement(using: &numbers) ?? " "
                }
                _ = try? Entities(parsing: String(String.UnicodeScalarView(scalars)))
            }
        }
    }

    private static func nested(_ open: String, _ middle: String, _ close: String, _ count: Int) -> String {
        head + String(repeating: open, count: count) + middle + String(repeating: close, count: count) + " };"
    }

    private static let words = [
        "principal", "action", "context", "true", "false", "1", "-", "!", "(", ")", "[", "]", "{", "}", ".", ",", "::", "\"a\"", "==", "<",
        ">", "&&",
        "||", "+", "*", "in", "is", "has", "like", "if", "then", "else", "U", "a", "contains", "ip", "isEmpty", "\"\\u{2a}\"", ":", "@",
        "?principal",
        "when", ";", "permit", "//", "\n", "\"", "\\", "\u{E9}", "\u{0}",
    ]

    /// A valid policy with some words changed, or words alone.
    private static func randomText(_ expressions: [String], _ numbers: inout SeededNumbers) -> String {
        if Bool.random(using: &numbers) {
            let count = Int.random(in: 1...8, using: &numbers)
            return head + (0..<count).map { _ in words.randomElement(using: &numbers) ?? "" }.joined(separator: " ") + " };"
        }
        let left = expressions.randomElement(using: &numbers) ?? ""
        let right = expressions.randomElement(using: &numbers) ?? ""
        let joint = [" && ", " || ", " == ", " + ", " in "].randomElement(using: &numbers) ?? ""
        var parts = (left + joint + right).split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        if Bool.random(using: &numbers) {
            parts[Int.random(in: 0..<parts.count, using: &numbers)] = words.randomElement(using: &numbers) ?? ""
        }
        return head + parts.joined(separator: " ") + " };"
    }
}
