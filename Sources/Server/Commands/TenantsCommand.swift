internal import Accounting
internal import ArgumentParser
internal import JSON

/// `kdcube orgs list | create`.
struct OrgsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orgs", abstract: "List and make organisations.", subcommands: [List.self, Create.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List organisations.")

        @OptionGroup var store: StoreOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws { try await TenantCommands.list(.org, org: nil, project: nil, store, json) }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make an organisation, or name it.")

        @OptionGroup var store: StoreOptions
        @Argument(help: "The organisation.") var org: OrgID
        @Option(help: "A name for people.") var name: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws { try await TenantCommands.create("org:\(org)", name, store, json) }
    }
}

/// `kdcube projects list | create`.
struct ProjectsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "projects", abstract: "List and make projects.", subcommands: [List.self, Create.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List projects.")

        @OptionGroup var store: StoreOptions
        @Option(help: "Only of this organisation.") var org: OrgID?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws { try await TenantCommands.list(.project, org: org, project: nil, store, json) }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a project, or name it; its organisation is made when it is new.")

        @OptionGroup var store: StoreOptions
        @Option(help: "The organisation.") var org: OrgID
        @Argument(help: "The project.") var project: String
        @Option(help: "A name for people.") var name: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws { try await TenantCommands.create("project:\(org)/\(project)", name, store, json) }
    }
}

/// `kdcube users list | create`.
struct UsersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "users", abstract: "List and make users.", subcommands: [List.self, Create.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List users.")

        @OptionGroup var store: StoreOptions
        @Option(help: "Only of this organisation.") var org: OrgID?
        @Option(help: "Only of this project of the organisation.") var project: String?
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard project == nil || org != nil else { throw ValidationError("--project needs --org") }
        }

        func run() async throws { try await TenantCommands.list(.user, org: org, project: project, store, json) }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a user, or name it; what it stands in is made when it is new.")

        @OptionGroup var store: StoreOptions
        @Option(help: "The organisation.") var org: OrgID
        @Option(help: "The project.") var project: String
        @Argument(help: "The user.") var user: String
        @Option(help: "A name for people.") var name: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws { try await TenantCommands.create("user:\(org)/\(project)/\(user)", name, store, json) }
    }
}

/// What the three have in common.
private enum TenantCommands {
    static func list(_ kind: Scope.Kind, org: OrgID?, project: String?, _ store: StoreOptions, _ json: Bool) async throws {
        try await reportingFailures {
            let tenants = try store.stores().tenants
            var found: [TenantRecord] = []
            while true {
                let page = try await tenants.list(kind, org: org, project: project, after: found.last?.scope.id, limit: StoreLimits.page)
                found += page
                if page.count < StoreLimits.page { break }
            }
            if json { return Output.line(JSONValue.array(found.map { .object($0.row) }).jsonText) }
            Output.table(
                [[kind.rawValue.uppercased(), "NAME", "KEYS", "CREATED"]]
                    + found.map { [$0.scope.id, $0.name ?? "-", String($0.keys), $0.createdAt.rfc3339] })
        }
    }

    static func create(_ scope: String, _ name: String?, _ store: StoreOptions, _ json: Bool) async throws {
        try await reportingFailures {
            let parsed: Scope
            do { parsed = try Scope(scope) } catch {
                throw CommandFailure("a name \(TenancyName.rule)")
            }
            guard name.map({ (1...StoreLimits.tenantNameBytes).contains($0.utf8.count) }) ?? true else {
                throw CommandFailure("--name must be 1 to \(StoreLimits.tenantNameBytes) bytes")
            }
            let tenants = try store.stores().tenants
            let isNew = try await tenants.put(parsed, name: name.map { .set($0) } ?? .keep, at: WallClock.now())
            guard let found = try await tenants.find(parsed) else { throw CommandFailure("\(scope) could not be made") }
            if json {
                var row = found.row
                row["created"] = .bool(isNew)
                return Output.line(JSONValue.object(row).jsonText)
            }
            Output.line("\(isNew ? "made" : "was there:") \(scope)")
        }
    }
}
