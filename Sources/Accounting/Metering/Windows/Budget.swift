/// A cap: at most `limit` of `unit` in every `period` of `scope`.
public struct Budget: Sendable, Hashable {
    /// On whose word it stands.
    public enum Owner: String, Sendable, Hashable, CaseIterable {
        /// Its organisation's: an administrator may change it, and so may an operator.
        case org
        /// The operator's: nobody else changes it.
        case `operator`
    }

    public let scope: Scope
    /// What alone it counts: a model, as clients name it, or a tool (``ToolName/subject``); nil counts all.
    public let model: String?
    public let unit: MeterUnit
    public let period: Period
    /// Whose days, weeks and months it follows; nil for UTC. Not part of what names a budget: its store changes it in place.
    public let zone: CalendarZone?
    /// In the unit's base: nano-USD, tokens, requests. Zero is a cap that admits nothing.
    public let limit: Int64
    /// Grows with every change (see ``WindowRef/version``).
    public let version: Int64
    /// The version at which the budget was made, or its zone changed (see ``WindowRef/generation``): a window that is left and come
    /// back to must not go on with the count that it had.
    public let generation: Int64
    /// That of a key is always its organisation's. Nothing is counted by it: another owner is no other version.
    public let owner: Owner

    /// - Throws: ``BudgetError`` when the limit is outside 0…``AccountingLimits/amountMax``, or a part does not go with another.
    public init(
        scope: Scope, model: String? = nil, unit: MeterUnit, period: Period, zone: CalendarZone? = nil, limit: Int64,
        version: Int64 = 1, generation: Int64 = 1, owner: Owner = .org
    )
        throws(BudgetError)
    {
        guard limit >= 0 else { throw BudgetError(field: .limit, rule: .amount(.negative)) }
        guard unit != .runs || period == .total else { throw BudgetError(field: .period, rule: .runsHaveNoPeriod) }
        guard limit <= AccountingLimits.amountMax else { throw BudgetError(field: .limit, rule: .amount(.tooLarge)) }
        guard zone == nil || period.followsZone else { throw BudgetError(field: .zone, rule: .periodHasNoZone) }
        try Self.check(subject: model, unit: unit)
        self.scope = scope
        self.model = model
        self.unit = unit
        self.period = period
        self.zone = zone
        self.limit = limit
        self.version = version
        self.generation = generation
        self.owner = scope.kind == .key ? .org : owner
    }

    /// Reads a budget as people write it on the command line or in the configuration.
    ///
    /// - Throws: ``BudgetError`` naming the field and the rule it broke.
    public init(
        scope: String, model: String? = nil, tool: String? = nil, unit: String, period: String, zone: String = "", limit: String,
        owner: Owner = .org
    ) throws(BudgetError) {
        let parsedScope: Scope
        do { parsedScope = try Scope(scope) } catch { throw BudgetError(field: .scope, rule: .scope(error)) }
        guard let parsedUnit = MeterUnit(rawValue: unit) else { throw BudgetError(field: .unit, rule: .unknownWord) }
        guard let parsedPeriod = Period(rawValue: period) else { throw BudgetError(field: .period, rule: .unknownWord) }
        let parsedZone: CalendarZone?
        do { parsedZone = try CalendarZone.named(zone) } catch { throw BudgetError(field: .zone, rule: .unknownWord) }
        let amount: Int64
        do { amount = try parsedUnit.amount(limit) } catch { throw BudgetError(field: .limit, rule: .amount(error)) }
        let subject = try Self.subject(model: model, tool: tool)
        try self.init(
            scope: parsedScope, model: subject, unit: parsedUnit, period: parsedPeriod, zone: parsedZone, limit: amount, owner: owner)
    }

    /// The tool that it counts, if it counts one.
    public var tool: ToolName? { model.flatMap { ToolName(subject: $0) } }

    private static func subject(model: String?, tool: String?) throws(BudgetError) -> String? {
        guard let tool else {
            if let model, model.hasPrefix(ToolName.mark) { throw BudgetError(field: .model, rule: .modelName) }
            return model
        }
        guard model == nil else { throw BudgetError(field: .tool, rule: .modelOrTool) }
        guard let name = ToolName(tool) else { throw BudgetError(field: .tool, rule: .toolName) }
        return name.subject
    }

    /// Tools are called and cost money; tokens, requests and runs are of models.
    private static func check(subject: String?, unit: MeterUnit) throws(BudgetError) {
        guard let subject else { return }
        if subject.hasPrefix(ToolName.mark) {
            guard ToolName(subject: subject) != nil else { throw BudgetError(field: .tool, rule: .toolName) }
            guard unit == .calls || unit == .usd else { throw BudgetError(field: .unit, rule: .notOfTools) }
        } else {
            guard isModel(subject) else { throw BudgetError(field: .model, rule: .modelName) }
            guard unit != .calls else { throw BudgetError(field: .model, rule: .notOfModels) }
        }
    }

    /// A model's name may hold slashes and colons, and nothing that parts names in keys.
    private static func isModel(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= AccountingLimits.nameBytes
            && name.unicodeScalars.allSatisfy { scalar in
                scalar.value > 0x20 && scalar.value != 0x7F && !scalar.properties.isWhitespace && !"{}".unicodeScalars.contains(scalar)
                    && scalar.properties.generalCategory != .control && scalar.properties.generalCategory != .format
            }
    }

    /// The generation of what is stored in place of `current`: a new budget, or one of another zone, starts one.
    public func nextGeneration(after current: Budget?, version: Int64) -> Int64 {
        guard let current, current.zone == zone else { return version }
        return current.generation
    }

    /// The window of this budget that contains `instant`.
    public func window(at instant: Milliseconds) -> WindowRef {
        let span = WindowSpan(period, containing: instant, in: zone)
        return WindowRef(
            key: WindowKey(scope: scope, model: model, unit: unit, period: period, window: span.id), cap: limit, version: version,
            generation: generation, start: span.start, end: span.end)
    }
}

/// Which field of a budget broke which rule.
public struct BudgetError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Field: String, Sendable { case scope, model, tool, unit, period = "window", zone, limit }

    public enum Rule: Sendable, Hashable {
        case scope(ScopeError)
        case amount(AmountError)
        case unknownWord
        case modelName
        case toolName
        /// A budget counts one model, or one tool, or all.
        case modelOrTool
        /// Of a tool only ``MeterUnit/calls`` and money are counted.
        case notOfTools
        /// No model is called as a tool is.
        case notOfModels
        /// ``MeterUnit/runs`` are counted at one time and not over some time.
        case runsHaveNoPeriod
        /// Only days, weeks and months follow a zone.
        case periodHasNoZone
    }

    public let field: Field
    public let rule: Rule

    /// For a stored zone that this release's database does not have: such a budget cannot be enforced, and nothing is admitted under it.
    public static func unknownZone(_ name: String, of scope: String) -> String {
        "a budget of \(scope) is in the time zone \(name.prefix(AccountingLimits.zoneNameBytes)), which this release does not know "
            + "(IANA \(CalendarZone.databaseVersion)); upgrade, or remove the budget"
    }

    /// One sentence for a person, without the value.
    public var description: String {
        switch rule {
        case .scope(.unknownKind): "scope must be org:O, project:O/P, user:O/P/U or key:ID"
        case .scope(.wrongDepth(let kind)): "scope \(kind.rawValue): has too few or too many names"
        case .scope(.emptyName): "scope has an empty name"
        case .scope(.nameTooLong): "scope has a name above \(AccountingLimits.nameBytes) bytes"
        case .scope(.forbiddenCharacter): "scope has a space, a control character or one of { }"
        case .scope(.notComposed): "scope has a name that is not in Unicode's composed form (NFC)"
        case .amount(.notDecimal): "limit must be a plain number"
        case .amount(.negative): "limit must not be negative"
        case .amount(.tooPrecise): "limit has more than 9 decimals"
        case .amount(.tooLarge): "limit is too large (at most 9000000 usd, or \(AccountingLimits.amountMax) of any other unit)"
        case .modelName:
            "model must be a name of 1 to \(AccountingLimits.nameBytes) bytes without spaces and { }, and not begin with \(ToolName.mark)"
        case .toolName: "tool must be a name of 1 to 64 of a-z 0-9 _ . that begins with a letter"
        case .modelOrTool: "a budget has a model or a tool, not both"
        case .notOfTools: "unit must be calls or usd for a budget of a tool"
        case .notOfModels: "unit calls counts calls of tools: give it a tool, or no model"
        case .unknownWord where field == .zone:
            "zone must be the name of a time zone such as Europe/Berlin (IANA \(CalendarZone.databaseVersion)), or UTC"
        case .periodHasNoZone: "zone goes with window day, week or month only; minute, hour and total are the same everywhere"
        case .unknownWord where field == .unit: "unit must be \(MeterUnit.list)"
        case .runsHaveNoPeriod: "window must be total for unit runs, which counts the runs at one time"
        case .unknownWord: "window must be minute, hour, day, week, month or total"
        }
    }
}
