internal import Synchronization

/// Whether a tool is switched off for everybody, and who said so last.
public struct ToolSwitch: Sendable, Hashable {
    public let tool: String
    public let isOff: Bool
    /// The key that gave the order, or how else it came.
    public let by: String
    public let reason: String
    /// UTC.
    public let at: Milliseconds

    /// Who and why are cut and cleaned.
    ///
    /// - Throws: ``PolicyStoreError/malformed(_:)`` for a name that no tool can have.
    public init(tool: String, isOff: Bool, by: String, reason: String, at: Milliseconds) throws(PolicyStoreError) {
        guard !tool.isEmpty, tool == DecisionText.cleaned(tool, DecisionLimits.nameBytes) else { throw .malformed("tool") }
        self.tool = tool
        self.isOff = isOff
        self.by = DecisionText.cleaned(by, PolicyStoreLimits.reasonBytes)
        self.reason = DecisionText.cleaned(reason, PolicyStoreLimits.reasonBytes)
        self.at = at
    }
}

/// The switches of tools: they outlive a process and hold for all servers. What was set survives the loss of power.
public protocol ToolSwitches: Sendable {
    /// The last word counts.
    ///
    /// - Throws: ``PolicyStoreError/full`` for one more tool than ``PolicyStoreLimits/switches``.
    func set(_ tool: String, isOff: Bool, by: String, reason: String, at: Milliseconds) async throws(PolicyStoreError)
    /// Every tool that ever had a switch, by name.
    func all() async throws(PolicyStoreError) -> [ToolSwitch]
}

/// Switches in memory, for tests and trials: gone with the process. A `Mutex`; safe to use from any task.
public final class MemoryToolSwitches: ToolSwitches {
    private let switches = Mutex<[ByteText: ToolSwitch]>([:])

    public init() {}

    public func set(_ tool: String, isOff: Bool, by: String, reason: String, at: Milliseconds) async throws(PolicyStoreError) {
        let new = try ToolSwitch(tool: tool, isOff: isOff, by: by, reason: reason, at: at)
        let isSet = switches.withLock { switches -> Bool in
            let name = ByteText(tool)
            guard switches[name] != nil || switches.count < PolicyStoreLimits.switches else { return false }
            switches[name] = new
            return true
        }
        guard isSet else { throw .full }
    }

    public func all() async throws(PolicyStoreError) -> [ToolSwitch] {
        switches.withLock { $0.values.sorted { $0.tool.utf8.lexicographicallyPrecedes($1.tool.utf8) } }
    }
}
