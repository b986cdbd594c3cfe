/// Why the text of `@approval` or `@limit` is no obligation.
public struct ObligationError: Error, Sendable, Hashable {
    /// Where in the text, in bytes from its beginning.
    public let offset: Int
    /// One sentence.
    public let message: String

    init(_ message: String, at offset: Int) {
        self.message = message
        self.offset = offset
    }
}

/// `@approval("group:finance quorum:2 timeout:30m")`: who has to agree.
struct ApprovalObligation: Sendable, Hashable {
    /// In the order of the text; never empty.
    let approvers: [ApprovalDemand.Approver]
    let quorum: Int
    let timeout: Duration

    func demand(of rule: String) -> ApprovalDemand { ApprovalDemand(rule: rule, from: [approvers], quorum: quorum, timeout: timeout) }

    /// - Throws: ``ObligationError`` for anything but words of the grammar, for nobody, and where agents would have to fill the quorum.
    init(parsing text: String) throws(ObligationError) {
        var approvers: [ApprovalDemand.Approver] = []
        var quorum: Int?
        var timeout: Duration?
        for word in ObligationWords(text).words {
            let (key, value) = try word.pair()
            switch key {
            case "quorum":
                guard quorum == nil else { throw ObligationError("quorum stands here twice", at: word.offset) }
                guard let number = Int(value), (1...PolicyLimits.quorumMax).contains(number), String(number) == value else {
                    throw ObligationError("a quorum is a number from 1 to \(PolicyLimits.quorumMax)", at: word.offset)
                }
                quorum = number
            case "timeout":
                guard timeout == nil else { throw ObligationError("timeout stands here twice", at: word.offset) }
                timeout = try Self.timeout(value, at: word.offset)
            default:
                let approver = try Self.approver(key, value, at: word.offset)
                guard !approvers.contains(approver) else { throw ObligationError("\(approver.text) stands here twice", at: word.offset) }
                approvers.append(approver)
            }
        }
        guard !approvers.isEmpty else { throw ObligationError("nobody could approve: name a group:, user: or agent:", at: 0) }
        guard approvers.count <= PolicyLimits.approversMax else {
            throw ObligationError("there are more than \(PolicyLimits.approversMax) approvers", at: 0)
        }
        self.approvers = approvers
        self.quorum = quorum ?? 1
        self.timeout = timeout ?? PolicyLimits.approvalTimeoutDefault
        try checkQuorum()
    }

    private static func approver(_ key: String, _ value: String, at offset: Int) throws(ObligationError) -> ApprovalDemand.Approver {
        guard value.utf8.count <= PolicyLimits.nameBytesMax else { throw ObligationError("the name is too long", at: offset) }
        switch key {
        case "group": return .group(value)
        case "user": return .user(value)
        case "agent": return .agent(value)
        default:
            throw ObligationError("\(SafeText.shown(key)) is not known; an approval has group, user, agent, quorum and timeout", at: offset)
        }
    }

    private static func timeout(_ text: String, at offset: Int) throws(ObligationError) -> Duration {
        let range = "a timeout is 10s to 24h, written like 90s, 30m or 2h"
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600]
        guard let last = text.last, let unit = units[last], let count = Int64(text.dropLast()), String(count) == text.dropLast(),
            (1...86_400).contains(count)
        else { throw ObligationError(range, at: offset) }
        let timeout = Duration.seconds(count * unit)
        guard (PolicyLimits.approvalTimeoutMin...PolicyLimits.approvalTimeoutMax).contains(timeout) else {
            throw ObligationError(range, at: offset)
        }
        return timeout
    }

    /// Of a quorum of n at most n-1 agents count; a group may have any number of people.
    private func checkQuorum() throws(ObligationError) {
        var users = 0
        var agents = 0
        for approver in approvers {
            switch approver {
            case .group: return
            case .user: users += 1
            case .agent: agents += 1
            }
        }
        guard users > 0 else { throw ObligationError("agents alone cannot approve: a person has the last word", at: 0) }
        let most = users + min(agents, quorum - 1)
        guard most >= quorum else { throw ObligationError("only \(most) of those listed can count, and the quorum is \(quorum)", at: 0) }
    }
}

/// The words of an obligation, divided by blanks, with their places.
struct ObligationWords {
    struct Word {
        let text: String
        let offset: Int

        /// `key:value`.
        func pair() throws(ObligationError) -> (String, String) {
            guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), colon != text.startIndex else {
                throw ObligationError("\(SafeText.shown(text)) is not written like group:finance", at: offset)
            }
            let value = String(text[text.index(after: colon)...])
            guard !value.isEmpty else { throw ObligationError("\(SafeText.shown(text)) names nothing", at: offset) }
            return (String(text[..<colon]), value)
        }
    }

    let words: [Word]

    /// - Parameter base: where the text begins in a longer one.
    init(_ text: some StringProtocol, base: Int = 0) {
        let bytes = Array(text.utf8)
        words = bytes.indices.split { bytes[$0] == UInt8(ascii: " ") || bytes[$0] == UInt8(ascii: "\t") || bytes[$0] == 0x0A }
            .map { Word(text: String(decoding: bytes[$0], as: UTF8.self), offset: base + $0.startIndex) }
    }
}
