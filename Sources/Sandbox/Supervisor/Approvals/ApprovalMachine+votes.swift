extension ApprovalMachine {
    static func vote(_ approver: Approver, _ answer: Approval.Answer, _ reason: String, _ approval: Approval, _ now: Int64) -> Step {
        guard let (standing, isAgent) = standing(of: approver, for: approval.demand), approver.org == approval.org else {
            return refused(.notAnApprover, "This approval is for others to decide.")
        }
        // In the org: who asks is not somebody else in another project.
        guard !same(approver.user, approval.user), !same(approver.identity, approval.identity) else {
            return refused(.ownCall, "Who asks does not answer.")
        }
        guard approver.key == nil || approver.key != approval.key else {
            return refused(.sameCredential, "The call was made with this key.")
        }
        guard approval.state == .pending else { return over(approval) }
        if approval.votes.contains(where: { same($0.identity, approver.identity) || same($0.user, approver.user) }) {
            return refused(.alreadyDecided, "You have decided already.")
        }
        // A key that several people share says nothing of who they are.
        guard approver.key == nil || !approval.votes.contains(where: { $0.key == approver.key }) else {
            return refused(.sameCredential, "Another answer came with this key.")
        }
        let reason = SafeText.cleaned(reason)
        guard reason.utf8.count <= SupervisorLimits.approvalReasonBytesMax else {
            return refused(.reasonTooLong, "A reason has at most \(SupervisorLimits.approvalReasonBytesMax) bytes.")
        }
        guard answer == .approve || !reason.isEmpty else { return refused(.reasonRequired, "Say why.") }
        guard answer == .deny || approval.votes.count < SupervisorLimits.approvalVotesMax else {
            return refused(.over, "Nobody else is asked.")
        }
        var approval = approval
        approval.votes.append(
            Approval.Vote(
                identity: approver.identity, user: approver.user, key: approver.key, answer: answer, reason: reason, at: now,
                standing: standing, isAgent: isAgent))
        if answer == .deny {
            approval.state = .denied
        } else if approval.agreed >= approval.demand.quorum {
            approval.state = .approved
        }
        guard approval.state.isFinal else { return step(approval, [.tell]) }
        approval.endedAt = now
        return step(approval, [.tell, .end])
    }

    /// Which entries of the demand the approver is, if there is one in each list; and whether one of them says that it is a program.
    static func standing(of approver: Approver, for demand: ApprovalDemand) -> ([String], isAgent: Bool)? {
        guard !approver.user.isEmpty, !approver.identity.isEmpty, !demand.from.isEmpty else { return nil }
        return standing(for: demand) { entry in
            switch entry {
            case .group(let name): approver.roles.contains { same($0, name) }
            case .user(let name), .agent(let name): same(approver.user, name)
            }
        }
    }

    /// Whether these votes would do for this demand, which may be another than the one they were given for.
    static func isMet(_ demand: ApprovalDemand, by votes: [Approval.Vote]) -> Bool {
        guard !votes.contains(where: { $0.answer == .deny }) else { return false }
        var counted: [Approval.Vote] = []
        for vote in votes {
            let found = standing(for: demand) { entry in
                switch entry {
                case .group: vote.standing.contains { same($0, entry.text) }
                case .user(let name), .agent(let name): same(vote.user, name)
                }
            }
            guard let found else { continue }
            counted.append(
                Approval.Vote(
                    identity: vote.identity, user: vote.user, key: vote.key, answer: vote.answer, reason: vote.reason, at: vote.at,
                    standing: found.0, isAgent: vote.isAgent || found.isAgent))
        }
        return agreed(counted, demand) >= demand.quorum
    }

    /// How many of the quorum have agreed: people by who they are, and programs only as long as a person is missing.
    static func agreed(_ votes: [Approval.Vote], _ demand: ApprovalDemand) -> Int {
        let agreeing = votes.filter { $0.answer == .approve }
        let people = Set(agreeing.filter { !$0.isAgent }.map(\.identity)).count
        let agents = Set(agreeing.filter(\.isAgent).map(\.identity)).count
        return people + min(agents, max(0, demand.quorum - 1))
    }

    private static func standing(
        for demand: ApprovalDemand, _ isEntry: (ApprovalDemand.Approver) -> Bool
    ) -> ([String], isAgent: Bool)? {
        var standing: Set<String> = []
        var isAgent = false
        for list in demand.from {
            let entries = list.filter(isEntry)
            guard !entries.isEmpty else { return nil }
            for entry in entries {
                standing.insert(entry.text)
                if case .agent = entry { isAgent = true }
            }
        }
        return (standing.sorted(), isAgent)
    }

    /// Byte by byte: Swift compares texts by meaning.
    private static func same(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }
}

extension SafeText {
    /// A text that a person wrote: what controls terminals and directions of writing is taken out, as is space around it.
    static func cleaned(_ text: String) -> String {
        var cleaned = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: cleaned.append(" ")
            case .format, .surrogate, .privateUse, .unassigned: break
            default: cleaned.append(scalar)
            }
        }
        let isSpace = { (scalar: Unicode.Scalar) in scalar == " " }
        let start = cleaned.firstIndex { !isSpace($0) } ?? cleaned.endIndex
        let end = cleaned.lastIndex { !isSpace($0) }.map { cleaned.index(after: $0) } ?? cleaned.endIndex
        return start < end ? String(cleaned[start..<end]) : ""
    }
}
