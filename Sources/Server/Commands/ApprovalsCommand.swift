internal import Accounting
internal import ArgumentParser
internal import Foundation
internal import JSON
internal import Logging
internal import Supervisor
internal import Telemetry

/// `kdcube approvals`: what waits for people, and their answers, without a browser.
struct ApprovalsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approvals", abstract: "List approvals and decide them.", subcommands: [List.self, Approve.self, Deny.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List approvals of an organisation, the newest first.")

        @OptionGroup var store: StoreOptions
        @Option(help: "The organisation.") var org: OrgID
        @Option(help: "pending, approved, denied, expired, cancelled, superseded or all.") var state = "pending"
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard state == "all" || Approval.State(rawValue: state) != nil else { throw ValidationError("--state is none of the states") }
        }

        func run() async throws {
            try await reportingFailures {
                let stores = try store.stores()
                let binding = ApprovalBinding(rows: stores.approvals, logger: .silent)
                let filter = Supervisor.ApprovalFilter(state: Approval.State(rawValue: state))
                guard let found = await binding.approvals(of: org, filter, before: nil, limit: PolicyStoreLimits.approvalPage) else {
                    throw CommandFailure("the store cannot be asked for approvals")
                }
                await stores.close()
                if json { return Output.line(JSONValue.array(found.map { $0.json(for: nil) }).jsonText) }
                Output.table(
                    [["ID", "STATE", "TOOL", "ASKED BY", "FROM", "AGREED", "UNTIL", "ARGUMENTS"]]
                        + found.map { approval in
                            [
                                approval.id, approval.state.rawValue, approval.tool, approval.user.isEmpty ? "-" : approval.user,
                                approval.demand.fromText, "\(approval.agreed)/\(approval.demand.quorum)",
                                Milliseconds(approval.expiresAt).rfc3339, approval.arguments,
                            ]
                        })
            }
        }
    }

    struct Approve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Agree to a call, as the person that an API key belongs to.")

        @OptionGroup var answer: AnswerOptions
        @Option(help: "Why.") var reason = ""

        func run() async throws { try await answer.give(.approve, reason) }
    }

    struct Deny: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Refuse a call, as the person that an API key belongs to.")

        @OptionGroup var answer: AnswerOptions
        @Option(help: "Why; the model is told.") var reason: String

        func run() async throws { try await answer.give(.deny, reason) }
    }
}

/// Who answers what.
struct AnswerOptions: ParsableArguments {
    @OptionGroup var store: StoreOptions
    @Argument(help: "The approval's id.") var id: String
    @Option(help: "The API key of who decides; without it, the environment variable KDCUBE_KEY.") var key: String?
    @Flag(help: "Print JSON.") var json = false

    func give(_ answer: Approval.Answer, _ reason: String) async throws {
        try await reportingFailures {
            guard let secret = key ?? ProcessInfo.processInfo.environment["KDCUBE_KEY"] else {
                throw CommandFailure("say who decides: --key or KDCUBE_KEY with an API key of that person")
            }
            let stores = try store.stores()
            guard let hash = APISecret.hash(ofCredential: secret),
                let principal = try await KeyDirectory(keys: stores.keys).principal(forKeyHash: hash)
            else { throw CommandFailure("this is no active API key") }
            let trail = AuditTrail(DecisionWriter(stores.decisions), logger: .silent) {}
            // Calls that wait are at servers: they look into the store twice a second.
            let desk = ApprovalDesk(
                store: ApprovalBinding(rows: stores.approvals, logger: .silent),
                observers: [ApprovalBroadcast(trail: trail, webhook: nil, listeners: ApprovalListeners())])
            let result = await desk.decide(id, by: Approver(principal), answer, reason: reason)
            await stores.close()
            switch result {
            case .failure(let refusal): throw CommandFailure("\(refusal.message) (\(refusal.code.rawValue))")
            case .success(let approval):
                if json { return Output.line(approval.json(for: nil).jsonText) }
                let missing = approval.state == .pending ? ", \(approval.demand.quorum - approval.agreed) more needed" : ""
                Output.line("\(approval.id) is \(approval.state.rawValue)\(missing)")
            }
        }
    }
}
