internal import Supervisor
internal import SupervisorAdapters

/// Says what makes the calls of each tool of a catalog.
struct AdapterMaker: Sendable {
    /// Tools that are not the server's own.
    let elsewhere: ToolAdapters
    let code: CodeRoom
    let stores: Stores
    /// The tools there are when it is asked.
    let catalog: @Sendable () -> ToolCatalog

    /// By the name of the tool.
    func adapters(of catalog: ToolCatalog) -> [String: any ToolAdapter] {
        if catalog.runsCode { code.prepare() }
        var adapters: [String: any ToolAdapter] = [:]
        for tool in catalog.tools { adapters[tool.name] = own(tool.adapter) ?? elsewhere.adapter(for: tool.adapter) }
        return adapters
    }

    /// The tools that work on what the server itself has.
    private func own(_ definition: AdapterDefinition) -> (any ToolAdapter)? {
        guard case .builtin(let name) = definition, let builtin = BuiltinTool(rawValue: name) else { return nil }
        switch builtin {
        case .runCode: return CodeTool(room: code, catalog: catalog)
        case .knowledgeSearch: return KnowledgeSearchTool(knowledge: stores.knowledge)
        case .memoryGet: return UserMemoryTool(verb: .get, memory: stores.memory)
        case .memorySet: return UserMemoryTool(verb: .set, memory: stores.memory)
        case .paymentsRefund, .mailDraft, .mailSend, .crmLookup, .recordsRead: return nil
        }
    }
}
