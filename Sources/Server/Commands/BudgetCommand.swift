internal import Accounting
internal import ArgumentParser
internal import JSON

/// `kdcube budget set | list | rm`. A running server follows within a second.
struct BudgetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "budget", abstract: "Set, list and remove budgets.", subcommands: [Set.self, List.self, Remove.self])

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set a budget. What the ledger holds for the running window counts.")

        @OptionGroup var store: StoreOptions
        @OptionGroup var window: WindowOptions
        @Option(help: "The cap: US dollars as a decimal, or a whole number of tokens, requests, runs or calls.") var limit: String
        @Option(
            help: "The time zone whose days, weeks and months it follows: Europe/Berlin, or UTC. Left out: as the budget is, UTC if new.")
        var zone: String?
        @Option(help: "Who may change it: operator, or org for the administrators of the organisation too. A key's is its organisation's.")
        var owner: Budget.Owner?
        @Flag(help: "Cut what runs in the scope, so that nothing that was granted before is spent.") var revoke = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let stores = try store.stores()
                let scope = try await stores.payer(of: WindowOptions.parse(scope: window.scope))
                let asked = try Budget(
                    scope: scope.text, model: window.model, tool: window.tool, unit: window.unit, period: window.window,
                    zone: zone ?? "", limit: limit, owner: owner ?? .operator)
                if owner == .operator, asked.owner == .org { throw CommandFailure("a budget of a key belongs to its organisation") }
                let budget = try await stores.budgets.set(zone == nil ? asked.keepingZone(in: stores.budgets) : asked)
                // Of the key that was named, and not of all that spend from its account.
                let named = try WindowOptions.parse(scope: window.scope)
                if revoke { try await stores.revocations.add(.scope(named), org: nil, author: "command line", at: WallClock.now()) }
                if json { return Output.line(budget.json.jsonText) }
                let model = budget.tool.map { " on \($0)" } ?? budget.model.map { " with \($0)" } ?? ""
                let amount = "\(budget.unit.text(budget.limit)) \(budget.unit.rawValue)"
                Output.line(
                    budget.unit == .runs
                        ? "\(budget.scope.text)\(model) may have \(amount) at one time"
                        : "\(budget.scope.text)\(model) may spend \(amount) in each \(budget.period.rawValue)\(budget.zone.map { " of \($0.name)" } ?? "")"
                )
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List budgets.")

        @OptionGroup var store: StoreOptions
        @Option(help: "Only budgets of this scope.") var scope: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let stores = try store.stores()
                var scope = try self.scope.map { try WindowOptions.parse(scope: $0) }
                if let named = scope { scope = try await stores.payer(of: named) }
                let budgets = try await stores.budgets.list(scope: scope)
                if json { return Output.line(JSONValue.array(budgets.map(\.json)).jsonText) }
                Output.table(
                    [["SCOPE", "MODEL", "UNIT", "WINDOW", "LIMIT", "ZONE", "OWNER"]]
                        + budgets.map {
                            [
                                $0.scope.text, $0.model ?? "all", $0.unit.rawValue, $0.period.rawValue, $0.unit.text($0.limit),
                                $0.zone?.name ?? "UTC", $0.owner.rawValue,
                            ]
                        })
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove a budget.")

        @OptionGroup var store: StoreOptions
        @OptionGroup var window: WindowOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                // The limit is not part of a budget's name; zero stands in to have the rest checked.
                let stores = try store.stores()
                let scope = try await stores.payer(of: WindowOptions.parse(scope: window.scope))
                let budget = try Budget(
                    scope: scope.text, model: window.model, tool: window.tool, unit: window.unit, period: window.window, limit: "0")
                let removed = try await stores.budgets.remove(
                    scope: budget.scope, model: budget.model, unit: budget.unit, period: budget.period)
                if json { Output.line((["removed": .bool(removed)] as JSONValue).jsonText) }
                guard removed else { throw CommandFailure("there is no such budget; see `kdcube budget list`") }
                if !json { Output.line("removed \(budget.scope.text) \(budget.unit.rawValue) \(budget.period.rawValue)") }
            }
        }
    }
}

/// What names a budget.
struct WindowOptions: ParsableArguments {
    @Option(help: "org:O, project:O/P, user:O/P/U or key:ID.") var scope: String
    @Option(help: "Only runs of this model.") var model: String?
    @Option(help: "Only calls of this tool; with unit calls or usd.") var tool: String?
    @Option(help: "usd, tokens, input_tokens, output_tokens, requests, runs (at one time, with window total) or calls (of tools).")
    var unit: String
    @Option(help: "minute, hour, day, week, month or total.") var window: String

    static func parse(scope text: String) throws -> Scope {
        do {
            return try Scope(text)
        } catch {
            throw CommandFailure("scope must be org:O, project:O/P, user:O/P/U or key:ID")
        }
    }
}

extension Budget {
    var json: JSONValue {
        let value: JSONValue = [
            "scope": .string(scope.text), "unit": .string(unit.rawValue), "window": .string(period.rawValue), "limit": unit.json(limit),
            "owner": .string(owner.rawValue),
        ]
        return value.naming(model: tool == nil ? model : nil, tool: tool, zone: zone?.name)
    }

    /// The same budget in the zone that it has in the store: whoever changes a limit does not say when its windows begin.
    func keepingZone(in store: any BudgetStore) async throws -> Budget {
        let known = try await store.list(scope: scope).first { $0.model == model && $0.unit == unit && $0.period == period }
        return try Budget(scope: scope, model: model, unit: unit, period: period, zone: known?.zone, limit: limit, owner: owner)
    }
}

extension MeterUnit {
    /// Money is a decimal string, everything else an integer (contract, *Commands*).
    func json(_ amount: Int64) -> JSONValue {
        self == .usd ? .string(text(amount)) : .integer(amount)
    }
}

extension WindowSnapshot {
    /// The member of `windows` in `usage --json` and `GET /v1/quota`.
    var json: JSONValue {
        let unit = key.unit
        let value: JSONValue = [
            "scope": .string(key.scope.text), "unit": .string(unit.rawValue), "window": .string(key.period.rawValue),
            "limit": unit.json(cap),
            "used": unit.json(used), "held": unit.json(held), "suspense": unit.json(suspense),
            "resets_at": resetsAt.map { .integer($0.rawValue) } ?? .null,
        ]
        return value.naming(model: key.modelName, tool: key.tool, zone: key.zone)
    }
}

extension JSONValue {
    /// The same object with the model or tool that a budget or window is about and the zone that it follows, where it has one.
    fileprivate func naming(model: String?, tool: ToolName?, zone: String?) -> JSONValue {
        guard var members = objectValue else { return self }
        if let model { members["model"] = .string(model) }
        if let tool { members["tool"] = .string(tool.text) }
        if let zone { members["zone"] = .string(zone) }
        return .object(members)
    }
}
