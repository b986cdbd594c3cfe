/// `@limit("sum(args.amount) <= 200.00 per customer per day")`: one limit of a rule, as it was written.
struct LimitObligation: Sendable, Hashable {
    /// What a call takes of it.
    enum Measure: Sendable, Hashable {
        /// 1.
        case calls
        /// The value of an argument.
        case sum([String])
    }

    /// Whatever shares a count.
    enum Key: Sendable, Hashable {
        case session, run, user, project, org, key
        case argument([String])

        static let words: [String: Key] = [
            "session": .session, "run": .run, "user": .user, "project": .project, "org": .org, "key": .key,
        ]

        /// As it is written.
        var text: String {
            switch self {
            case .session: "session"
            case .run: "run"
            case .user: "user"
            case .project: "project"
            case .org: "org"
            case .key: "key"
            case .argument(let path): "args.\(path.joined(separator: "."))"
            }
        }
    }

    /// As the policy has it, single blanks between its words.
    let text: String
    let offset: Int
    let measure: Measure
    /// The cap as it is written: `3`, `200.00`.
    let cap: String
    /// Without one twice.
    let keys: [Key]
    let period: LimitDemand.Period

    /// Reads one or several, divided by semicolons.
    ///
    /// - Throws: ``ObligationError`` for what is not of the grammar, and for two that would share one count.
    static func parse(_ text: String) throws(ObligationError) -> [LimitObligation] {
        var limits: [LimitObligation] = []
        var offset = 0
        for part in text.split(separator: ";", omittingEmptySubsequences: false) {
            let words = ObligationWords(part, base: offset).words
            guard let first = words.first else { throw ObligationError("a limit is missing beside the semicolon", at: offset) }
            let limit = try LimitObligation(words, at: first.offset)
            guard !limits.contains(where: { $0.counts(as: limit) }) else {
                throw ObligationError("two limits of this rule count the same", at: first.offset)
            }
            limits.append(limit)
            offset += part.utf8.count + 1
        }
        guard limits.count <= PolicyLimits.limitsPerRule else {
            throw ObligationError("a rule has at most \(PolicyLimits.limitsPerRule) limits", at: 0)
        }
        return limits
    }

    private func counts(as other: LimitObligation) -> Bool {
        measure == other.measure && Set(keys) == Set(other.keys) && period == other.period
    }

    private init(_ words: [ObligationWords.Word], at offset: Int) throws(ObligationError) {
        var rest = words[...]
        (measure, cap) = try Self.head(&rest)
        var keys: [Key] = []
        var period: LimitDemand.Period?
        while let word = rest.popFirst() {
            guard word.text == "per" else { throw ObligationError("expected per, not \(SafeText.shown(word.text))", at: word.offset) }
            guard let name = rest.popFirst() else { throw ObligationError("per what?", at: word.offset) }
            guard period == nil else { throw ObligationError("the period comes last", at: name.offset) }
            if let known = LimitDemand.Period(rawValue: name.text), known != .ever {
                period = known
            } else {
                let key = try Self.key(name)
                guard !keys.contains(key) else { throw ObligationError("\(name.text) stands here twice", at: name.offset) }
                keys.append(key)
            }
        }
        guard period != nil || !keys.isEmpty else {
            throw ObligationError("a limit is per something: per session, per customer, per day", at: offset)
        }
        guard keys.count <= PolicyLimits.limitKeysMax else {
            throw ObligationError("a limit has at most \(PolicyLimits.limitKeysMax) keys", at: offset)
        }
        self.keys = keys
        self.period = period ?? .ever
        self.offset = offset
        text = words.map(\.text).joined(separator: " ")
    }

    /// `3`, or `sum(args.amount) <= 200.00`.
    private static func head(_ rest: inout ArraySlice<ObligationWords.Word>) throws(ObligationError) -> (Measure, String) {
        guard let word = rest.popFirst() else { throw ObligationError("a limit is missing", at: 0) }
        if word.text.utf8.allSatisfy(SafeText.isDigit) { return (.calls, word.text) }
        guard word.text.hasPrefix("sum("), word.text.hasSuffix(")"), let path = path(word.text.dropFirst(4).dropLast()) else {
            throw ObligationError(
                "\(SafeText.shown(word.text)) is neither a number of calls nor written like sum(args.amount)", at: word.offset)
        }
        guard let sign = rest.popFirst(), sign.text == "<=" else {
            throw ObligationError("expected <= behind \(word.text)", at: word.offset)
        }
        guard let cap = rest.popFirst() else { throw ObligationError("expected a number behind <=", at: sign.offset) }
        return (.sum(path), cap.text)
    }

    private static func key(_ word: ObligationWords.Word) throws(ObligationError) -> Key {
        if let known = Key.words[word.text] { return known }
        if let path = path(word.text[...]) { return .argument(path) }
        guard SafeText.isPropertyName(word.text) else {
            throw ObligationError("\(SafeText.shown(word.text)) is no key, period or argument", at: word.offset)
        }
        return .argument([word.text])
    }

    /// `args.customer.id`.
    private static func path(_ text: Substring) -> [String]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 2, parts[0] == "args", parts.dropFirst().allSatisfy(SafeText.isPropertyName) else { return nil }
        return Array(parts.dropFirst())
    }
}
