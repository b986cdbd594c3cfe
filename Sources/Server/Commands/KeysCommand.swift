internal import Accounting
internal import ArgumentParser
internal import JSON

/// `kdcube keys create | list | revoke`.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list and revoke API keys.", subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key. The secret is printed once; org, project and user are made when they are new.")

        @OptionGroup var store: StoreOptions
        @Option(help: "The organisation.") var org: String
        @Option(help: "The project.") var project: String
        @Option(help: "The user that the key is bound to.") var user: String?
        @Option(help: "The person behind the key, where one person has several users: their approvals count once.") var identity: String?
        @Option(help: "A role, such as admin. May be repeated.") var role: [String] = []
        @Option(help: "How a cut stream ends in OpenAI's dialect: error or finish.") var onCut = "error"
        @Option(help: "What becomes of its runs that nobody reads any more: stop or drain. As configured without it.")
        var onDisconnect: String?
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard APIKey.OnCut(rawValue: onCut) != nil else { throw ValidationError("--on-cut must be error or finish") }
            if let onDisconnect, KeySettings.OnDisconnect(rawValue: onDisconnect) == nil {
                throw ValidationError("--on-disconnect must be stop or drain")
            }
        }

        func run() async throws {
            try await reportingFailures {
                let secret = APISecret()
                guard let hash = APISecret.hash(ofCredential: secret.secret) else { throw CommandFailure("no key could be made") }
                var settings = KeySettings()
                settings.onDisconnect = onDisconnect.flatMap(KeySettings.OnDisconnect.init)
                let key: APIKey
                do {
                    key = try APIKey(
                        id: "key_" + RandomText.urlSafe(bytes: 12), org: org, project: project, user: user, roles: role,
                        onCut: APIKey.OnCut(rawValue: onCut) ?? .error, createdAt: WallClock.now(), settings: settings,
                        identity: identity)
                } catch {
                    throw CommandFailure(
                        "names of org, project, user and role must be 1 to \(AccountingLimits.nameBytes) bytes without blanks, / : { }")
                }
                try await store.stores().keys.create(key, hash: hash)
                if json {
                    Output.line((["id": .string(key.id), "key": .string(secret.secret)] as JSONValue).jsonText)
                } else {
                    Output.line("id   \(key.id)\nkey  \(secret.secret)\n\nThis is the only time that the key is shown.")
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List keys, without their secrets.")

        @OptionGroup var store: StoreOptions
        @Option(help: "Only keys of this organisation.") var org: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let table = try store.stores().keys
                var keys: [APIKey] = []
                while true {
                    let page = try await table.list(org: org, after: keys.last?.id, limit: StoreLimits.page)
                    keys += page
                    if page.count < StoreLimits.page { break }
                }
                if json { return Output.line(JSONValue.array(keys.map(\.json)).jsonText) }
                Output.table(
                    [["ID", "ORG", "PROJECT", "USER", "ROLES", "STATE", "CREATED"]]
                        + keys.map {
                            [
                                $0.id, $0.org, $0.project, $0.user ?? "-", $0.roles.isEmpty ? "-" : $0.roles.joined(separator: ","),
                                $0.revokedAt == nil ? "active" : "revoked", $0.createdAt.rfc3339,
                            ]
                        })
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

extension APIKey {
    var json: JSONValue {
        [
            "id": .string(id), "org": .string(org), "project": .string(project), "user": user.map { .string($0) } ?? .null,
            "roles": .array(roles.map { .string($0) }), "on_cut": .string(onCut.rawValue),
            "on_disconnect": settings.onDisconnect.map { .string($0.rawValue) } ?? .null,
            "identity": identity.map { .string($0) } ?? .null, "created_at": .integer(createdAt.rawValue),
            "revoked_at": revokedAt.map { .integer($0.rawValue) } ?? .null,
        ]
    }
}
