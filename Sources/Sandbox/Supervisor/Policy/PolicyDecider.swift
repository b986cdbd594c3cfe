internal import Synchronization

/// Decides by a set of policies that can be replaced while calls go on: each is decided by one set from beginning to end, and its record
/// says by which.
///
/// Safe to use from anywhere; a `Mutex` held for a look at what is current.
public final class PolicyDecider: Decider {
    public enum Mode: String, Sendable, Hashable, CaseIterable {
        /// The policies decide.
        case enforce
        /// The roles of the catalog alone decide, as ``AllowListDecider`` does; what the policies would have said stands in
        /// ``Ruling/shadow``.
        case shadow
    }

    /// The policies of one moment.
    fileprivate struct State: Sendable {
        let mode: Mode
        var bundle: PolicyBundle
        var candidate: PolicyBundle?
    }

    public let mode: Mode
    private let state: Mutex<State>

    /// - Parameter candidate: policies that may come next: where they say something else, ``Ruling/shadow`` tells.
    public init(_ bundle: PolicyBundle, mode: Mode = .enforce, candidate: PolicyBundle? = nil) {
        self.mode = mode
        state = Mutex(State(mode: mode, bundle: bundle, candidate: candidate))
    }

    /// The policies that decide from now on.
    public var current: PolicyBundle { state.withLock { $0.bundle } }

    /// The policies that are only compared.
    public var candidate: PolicyBundle? { state.withLock { $0.candidate } }

    /// Calls that are being decided go on under the policies they began with.
    public func replace(with bundle: PolicyBundle) { state.withLock { $0.bundle = bundle } }

    /// Both at once: they were made for another catalog.
    public func replace(with bundle: PolicyBundle, candidate: PolicyBundle?) {
        state.withLock { ($0.bundle, $0.candidate) = (bundle, candidate) }
    }

    public func replaceCandidate(with candidate: PolicyBundle?) { state.withLock { $0.candidate = candidate } }

    public var looksAtSession: Bool { state.withLock { $0.looksAtSession } }

    public func decide(_ request: DecisionRequest) async -> Ruling { await state.withLock { $0 }.decide(request) }

    public func refusal(of tool: ToolDefinition, for caller: CallerIdentity, source: CallSource) -> Refusal? {
        state.withLock { $0 }.refusal(of: tool, for: caller, source: source)
    }

    public func snapshot() -> any Decider { state.withLock { $0 } }
}

extension PolicyDecider.State: Decider {
    var looksAtSession: Bool { bundle.looksAtSession || candidate?.looksAtSession ?? false }

    func decide(_ request: DecisionRequest) async -> Ruling {
        // The policies were replaced between the question whether they look at sessions and this one.
        guard request.isSessionRead || !looksAtSession else {
            return Ruling(
                .deny(
                    Refusal(
                        code: PolicyCode.error, message: "The policies have just changed. Make the call again.",
                        rule: PolicyCode.changedRule)))
        }
        let ruling = bundle.decide(request)
        let said = ShadowRuling(ruling.verdict, version: bundle.version)
        var compared: ShadowRuling?
        if let candidate {
            let other = ShadowRuling(candidate.decide(request).verdict, version: candidate.version)
            if other.decision != said.decision || other.rule != said.rule { compared = other }
        }
        switch mode {
        case .enforce: return Ruling(ruling.verdict, limits: ruling.limits, basis: ruling.basis, shadow: compared ?? ruling.shadow)
        case .shadow:
            let roles = await AllowListDecider().decide(request)
            let basis = ruling.basis.map { RulingBasis(version: $0.version, rules: [], inputs: $0.inputs) }
            return Ruling(roles.verdict, basis: basis, shadow: compared ?? said)
        }
    }

    func refusal(of tool: ToolDefinition, for caller: CallerIdentity, source: CallSource) -> Refusal? {
        switch mode {
        case .enforce: bundle.refusal(of: tool, for: caller, source: source)
        case .shadow: AllowListDecider().refusal(of: tool, for: caller, source: source)
        }
    }
}
