internal import Accounting
internal import Logging

/// The budgets of the configuration file, set at each start as `kdcube budget set` would.
///
/// A server may start while its durable store is away. No budget is read before these are set, so no run is admitted without them. An
/// actor: whoever asks first sets them, the others wait.
actor ConfiguredBudgets: BudgetDirectory {
    private let store: any BudgetStore
    private var settings: [Budget]
    private var setting: Task<String?, Never>?

    /// - Throws: ``ConfigurationError`` for a budget that is none.
    init(_ settings: [Configuration.BudgetSetting], in store: any BudgetStore) throws(ConfigurationError) {
        self.store = store
        self.settings = try settings.map { setting throws(ConfigurationError) in try setting.budget }
    }

    /// Sets what is not set yet.
    func apply() async throws(BudgetDirectoryError) {
        guard !settings.isEmpty else { return }
        let task = setting ?? Task { await self.setAll() }
        setting = task
        if let problem = await task.value { throw BudgetDirectoryError(problem) }
    }

    private func setAll() async -> String? {
        defer { setting = nil }
        while let next = settings.first {
            do { try await store.set(next) } catch { return "\(error)" }
            settings.removeFirst()
        }
        return nil
    }

    nonisolated func budgets(for path: TenancyPath) async throws(BudgetDirectoryError) -> BudgetReading {
        try await apply()
        return try await store.budgets(for: path)
    }

    nonisolated func budgets(for path: TenancyPath, changedSince edition: Int64) async throws(BudgetDirectoryError) -> BudgetReading? {
        try await store.budgets(for: path, changedSince: edition)
    }
}

extension Configuration.BudgetSetting {
    /// - Throws: ``ConfigurationError`` for a budget that is none.
    var budget: Budget {
        get throws(ConfigurationError) {
            do throws(BudgetError) {
                return try Budget(
                    scope: scope, model: model.isEmpty ? nil : model, tool: tool.isEmpty ? nil : tool, unit: unit, period: window,
                    zone: zone, limit: limit, owner: .operator)
            } catch {
                throw ConfigurationError(setting: setting, origin: nil, rule: error.description)
            }
        }
    }
}
