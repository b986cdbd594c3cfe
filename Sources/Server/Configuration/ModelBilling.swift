internal import Accounting
internal import Engine

/// What a model's configuration says about how it is billed, and what its name says where the configuration is silent.
extension Configuration.Model {
    /// Families that think without showing it, and bill it: OpenAI's o-series and GPT-5, Gemini from 2.5 on, Grok 4. Taken from
    /// their vendors' pages on reasoning; `reasoning: none` or `streamed` overrules the name.
    private static let hiddenReasoners = ["o1", "o3", "o4", "gpt-5", "codex-mini", "gemini-2.5", "gemini-3", "grok-4"]

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
        case .openai:
            // OpenRouter and others put the vendor before the name.
            let name = (upstreamModel.isEmpty ? id : upstreamModel).lowercased().split(separator: "/").last ?? ""
            return Self.hiddenReasoners.contains { Self.isFamily($0, of: name) } ? .hidden : nil
        }
    }

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
