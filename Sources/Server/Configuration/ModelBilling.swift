internal import Accounting
internal import Engine

/// What a model's configuration says about how it is billed, and what its name says where the configuration is silent.
extension Configuration.Model {
    /// Families that think without showing it, and bill it: OpenAI's o-series and GPT-5, Gemini from 2.5 on, Grok 4. Taken from
    /// their vendors' pages on reasoning; `reasoning: none` or `streamed` overrules the name.
    private static let hiddenReasoners = ["o1", "o3", "o4", "gpt-5", "codex-mini", "gemini-2.5", "gemini-3", "grok-4"]

    /// Anthropic's families that do not think unless a request says so.
    private static let thinkersOnRequest = ["claude-2", "claude-3", "claude-haiku-4", "claude-instant", "claude-opus-4", "claude-sonnet-4"]

    var metering: ModelMetering {
        var billing = ModelMetering(
            configured: meteringMode, reasoning: reasoning ?? reasoningByName,
            outputTokensMax: maxOutputTokens == 0 ? nil : maxOutputTokens)
        billing.billsAfterCancel = billsAfterCancel
        billing.isStreamed = upstreamStreams
        return billing
    }

    private var reasoningByName: ModelMetering.Reasoning? {
        switch provider {
        case .scripted: return ModelMetering.Reasoning.none
        case .anthropic:
            // Thinking is shown shortened, and billed in full. These think only when they are asked to, which is seen in the
            // request; what is not known may think by itself.
            return Self.thinkersOnRequest.contains { nameUpstream.hasPrefix($0) } ? nil : .hidden
        case .openai:
            let name = nameUpstream
            return Self.hiddenReasoners.contains { Self.isFamily($0, of: name) } ? .hidden : nil
        }
    }

    /// OpenRouter and others put the vendor before the name.
    private var nameUpstream: Substring { (upstreamModel.isEmpty ? id : upstreamModel).lowercased().split(separator: "/").last ?? "" }

    private static func isFamily(_ family: String, of name: Substring) -> Bool {
        guard name.hasPrefix(family) else { return false }
        guard let next = name.dropFirst(family.count).first else { return true }
        return !next.isLetter && !next.isNumber
    }

    /// What the log should say where a rule overrides what was chosen.
    func meteringNotice(at index: Int) -> String? {
        let reasons = metering.standingReasons
        guard !reasons.isEmpty, meteringMode == .stream else { return nil }
        let named = reasons.map(\.rawValue).joined(separator: ", ")
        return "models[\(index)].metering: \(id) is metered by reservation and not by stream (\(named))"
    }
}

extension DisconnectPolicy {
    init(_ setting: KeySettings.OnDisconnect) {
        switch setting {
        case .stop: self = .stop
        case .drain: self = .drain
        }
    }

    var setting: KeySettings.OnDisconnect {
        switch self {
        case .stop: .stop
        case .drain: .drain
        }
    }
}

/// What becomes of a run when nobody reads it any more.
enum DisconnectPolicy: String, Sendable, Hashable, CaseIterable {
    /// It goes on to its end.
    case drain
    /// It ends, after the grace.
    case stop
}
