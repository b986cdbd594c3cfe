internal import Accounting
internal import ArgumentParser
internal import JSON

/// `kdcube keys create | list | rotate | block | unblock | revoke`.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list, exchange, block and revoke API keys.",
        subcommands: [Create.self, List.self, Rotate.self, Block.self, Unblock.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key. The secret is printed once; org, project and user are made when they are new.")

        @OptionGroup var store: StoreOptions
        @Option(help: "The organisation.") var org: OrgID
        @Option(help: "The project.") var project: String
        @Option(help: "The user that the key is bound to.") var user: String?
        @Option(help: "The person behind the key, where one person has several users: their approvals count once.") var identity: String?
        @Option(help: "A role, such as admin. May be repeated.") var role: [String] = []
        @Option(help: "How a cut stream ends in the dialects of OpenAI and Anthropic: error or finish.") var onCut = "error"
        @Option(help: "What becomes of its runs that nobody reads any more: stop or drain. As configured without it.")
        var onDisconnect: String?
        @Option(help: "A name for people.") var alias: String?
        @Option(help: "A model that the key may call; without it, all. May be repeated.") var model: [String] = []
        @Option(help: "How long the key lives: 30s, 30m, 12h, 30d, 2w or 1mo.") var expiresIn: String?
        @Flag(help: "The key of a program that no person signs in for.") var serviceAccount = false
        @Option(help: "A budget of the key: UNIT/WINDOW=LIMIT, such as usd/day=5.00 or requests/minute=60. May be repeated.")
        var budget: [String] = []
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            if let expiresIn, KeyDuration(expiresIn) == nil {
                throw ValidationError("--expires-in must be a number with s, m, h, d, w or mo, such as 30d")
            }
            if let text = budget.first(where: { KeyBudget(text: $0) == nil }) {
                throw ValidationError("--budget \(text) must be UNIT/WINDOW=LIMIT, such as usd/day=5.00")
            }
            guard model.count <= StoreLimits.modelsPerKey, !model.contains(where: { $0.isEmpty || $0.contains("\n") }) else {
                throw ValidationError("--model must name at most \(StoreLimits.modelsPerKey) models")
            }
            if let alias, !(1...StoreLimits.keyAliasBytes).contains(alias.utf8.count) {
                throw ValidationError("--alias must be 1 to \(StoreLimits.keyAliasBytes) bytes")
            }
            guard APIKey.OnCut(rawValue: onCut) != nil else { throw ValidationError("--on-cut must be error or finish") }
            if let onDisconnect, KeySettings.OnDisconnect(rawValue: onDisconnect) == nil {
                throw ValidationError("--on-disconnect must be stop or drain")
            }
        }

        func run() async throws {
            try await reportingFailures {
                let now = WallClock.now()
                var draft = KeyDraft(org: org, project: project, user: user, identity: identity, roles: role)
                draft.onCut = APIKey.OnCut(rawValue: onCut) ?? .error
                draft.kind = serviceAccount ? .serviceAccount : .person
                draft.settings.onDisconnect = onDisconnect.flatMap(KeySettings.OnDisconnect.init)
                (draft.settings.alias, draft.settings.models) = (alias, model)
                draft.settings.expiresAt = expiresIn.flatMap(KeyDuration.init).map { now + $0.span }
                let made: KeyDesk.Made
                do {
                    made = try await KeyDesk(stores: store.stores())
                        .make(draft, budgets: budget.compactMap { KeyBudget(text: $0) }, at: now)
                } catch is ScopeError {
                    throw CommandFailure(
                        "names of org, project, user and role must be 1 to \(AccountingLimits.nameBytes) bytes in composed form (NFC) without blanks, / : { }"
                    )
                }
                made.print(asJSON: json)
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List keys, without their secrets.")

        @OptionGroup var store: StoreOptions
        @Option(help: "Only keys of this organisation.") var org: OrgID?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let (table, now) = (try store.stores().keys, WallClock.now())
                var keys: [APIKey] = []
                while true {
                    let page = try await table.list(org: org, after: keys.last?.id, limit: StoreLimits.page)
                    keys += page
                    if page.count < StoreLimits.page { break }
                }
                if json { return Output.line(JSONValue.array(keys.map { .object($0.row(at: now)) }).jsonText) }
                Output.table(
                    [["ID", "ORG", "PROJECT", "USER", "ROLES", "STATE", "CREATED", "LAST USED", "ALIAS"]]
                        + keys.map {
                            [
                                $0.id, $0.org.text, $0.project, $0.user ?? "-", $0.roles.isEmpty ? "-" : $0.roles.joined(separator: ","),
                                $0.state(at: now).rawValue, $0.createdAt.rfc3339, $0.lastUsedAt?.rfc3339 ?? "never",
                                $0.settings.alias ?? "-",
                            ]
                        })
            }
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Exchange a key: another secret and id with the same rights and budgets. The secret is printed once.")

        @OptionGroup var store: StoreOptions
        @Argument(help: "The key's id.") var id: String
        @Option(help: "How long the old key goes on, such as 1d; without it, it is revoked at once, and what runs by it is cut.")
        var grace: String?
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard let grace else { return }
            guard let span = KeyDuration(grace)?.span, span.rawValue <= AdminKeyRoutes.graceSecondsMax * 1_000 else {
                throw ValidationError("--grace must be a number with s, m, h, d or w, such as 1d; at most 1w")
            }
        }

        func run() async throws {
            try await reportingFailures {
                let (stores, now) = (try store.stores(), WallClock.now())
                let span = grace.flatMap(KeyDuration.init)?.span ?? Milliseconds(0)
                guard let key = try await stores.keys.find(id: id),
                    let made = try await KeyDesk(stores: stores).rotate(key, grace: span, at: now)
                else { throw CommandFailure("there is no active key \(id); see `kdcube keys list`") }
                made.print(asJSON: json, replaces: id)
            }
        }
    }

    struct Block: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Block a key until it is unblocked; what runs by it is cut.")

        @OptionGroup var options: BlockOptions

        func run() async throws { try await options.set(blocked: true) }
    }

    struct Unblock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a blocked key in again.")

        @OptionGroup var options: BlockOptions

        func run() async throws { try await options.set(blocked: false) }
    }

    struct BlockOptions: ParsableArguments {
        @OptionGroup var store: StoreOptions
        @Argument(help: "The key's id.") var id: String
        @Flag(help: "Print JSON.") var json = false

        func set(blocked: Bool) async throws {
            try await reportingFailures {
                let (stores, now) = (try store.stores(), WallClock.now())
                guard let key = try await stores.keys.find(id: id), key.revokedAt == nil else {
                    throw CommandFailure("there is no key \(id) that was not revoked; see `kdcube keys list`")
                }
                guard let changed = try await KeyDesk(stores: stores).change(key.id, at: now, { $0.isBlocked = blocked }) else {
                    throw CommandFailure("there is no key \(id); see `kdcube keys list`")
                }
                if json { return Output.line(JSONValue.object(changed.row(at: now)).jsonText) }
                Output.line("\(blocked ? "blocked" : "unblocked") \(id)")
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a key: it is refused from the next request on, and what runs by it is cut.")

        @OptionGroup var store: StoreOptions
        @Argument(help: "The key's id.") var id: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let revoked = try await store.stores().keys.revoke(id: id, author: "command line", at: WallClock.now())
                if json { Output.line((["id": .string(id), "revoked": .bool(revoked)] as JSONValue).jsonText) }
                guard revoked else { throw CommandFailure("there is no active key \(id); see `kdcube keys list`") }
                if !json { Output.line("revoked \(id)") }
            }
        }
    }
}

extension KeyDesk.Made {
    fileprivate func print(asJSON json: Bool, replaces old: String? = nil) {
        if json {
            var object = JSONObject([("id", .string(key.id)), ("key", .string(secret))])
            object["replaces"] = old.map { .string($0) }
            return Output.line(JSONValue.object(object).jsonText)
        }
        Output.line("id   \(key.id)\nkey  \(secret)\n\nThis is the only time that the key is shown.")
    }
}

extension KeyBudget {
    /// `usd/day=5.00`; nil for other text. Whether it is a budget is found out when it is made.
    init?(text: String) {
        guard let equals = text.lastIndex(of: "="), let slash = text[..<equals].firstIndex(of: "/") else { return nil }
        self.init(
            unit: String(text[..<slash]), window: String(text[text.index(after: slash)..<equals]),
            limit: String(text[text.index(after: equals)...]))
    }
}
