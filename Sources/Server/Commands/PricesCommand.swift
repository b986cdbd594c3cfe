internal import Accounting
internal import ArgumentParser
internal import AsyncHTTPClient
internal import Foundation
internal import JSON
internal import NIOCore
internal import NIOHTTP1

/// `kdcube prices list | show | check | version | reload`.
struct PricesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prices", abstract: "List and check prices, and have a server read them again.",
        subcommands: [List.self, Show.self, Check.self, Version.self, Reload.self])

    /// The table as a server with this configuration would load it.
    static func load(_ store: StoreOptions) throws -> (table: PriceTable, configuration: Configuration) {
        let configuration = try store.configuration()
        return (try Prices.load(configuration.priceFile, models: configuration.models), configuration)
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the prices of the configured models.")

        @OptionGroup var store: StoreOptions
        @Flag(help: "Every model of the price file, not only the configured ones.") var all = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let (table, configuration) = try PricesCommand.load(store)
                let names = all ? table.modelNames : configuration.models.map(\.id)
                if json { return Output.line(JSONValue.array(names.map { table.json(of: $0) }).jsonText) }
                Output.line("version \(table.version), US dollars for a million tokens")
                Output.table([PriceRows.header] + names.flatMap { PriceRows.rows($0, table.pricing(for: $0)) })
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the prices of one model. Exits 1 when there are none.")

        @OptionGroup var store: StoreOptions
        @Argument(help: "The model's id.") var model: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let (table, _) = try PricesCommand.load(store)
                if json { Output.line(table.json(of: model).jsonText) }
                guard let pricing = table.pricing(for: model) else {
                    throw CommandFailure("there is no price for \(model); add one to the price file, or it is refused under a money budget")
                }
                if !json { Output.table([PriceRows.header] + PriceRows.rows(model, pricing)) }
            }
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a price file in LiteLLM's format before a server uses it. Exits 1 when it cannot be used.")

        @Argument(help: "The file.") var file: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let review = try Prices.review(file)
                if json { return Output.line(review.json.jsonText) }
                Output.line(
                    "version \(review.table.version): \(review.table.count) models with prices, \(review.tiered.count) of them in tiers")
                for name in review.unpriced { Output.line("no price   \(name): refused under a money budget") }
                for name in review.free { Output.line("free       \(name)") }
                for one in review.uncharged { Output.line("uncharged  \(one.model).\(one.field): this server charges for tokens only") }
            }
        }
    }

    struct Version: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print the version that charges by the configured file carry.")

        @OptionGroup var store: StoreOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                let (table, configuration) = try PricesCommand.load(store)
                guard json else { return Output.line(table.version) }
                let value: JSONValue = [
                    "version": .string(table.version), "file": .string(configuration.priceFile), "models": .integer(Int64(table.count)),
                ]
                Output.line(value.jsonText)
            }
        }
    }

    struct Reload: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have a running server read its price file again. Live runs keep the prices that they began with.")

        @Option(help: "The server, such as http://127.0.0.1:8000.") var url = "http://127.0.0.1:8000"
        @Option(help: "A key with the role admin; without it, the environment's KDCUBE_ADMIN_KEY.") var key: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await reportingFailures {
                guard let key = key ?? ProcessInfo.processInfo.environment["KDCUBE_ADMIN_KEY"] else {
                    throw CommandFailure("name a key with the role admin: --key, or KDCUBE_ADMIN_KEY")
                }
                var request = HTTPClientRequest(url: url.trimmingTrailingSlash + "/api/admin/prices/reload")
                request.method = .POST
                request.headers.add(name: "authorization", value: "Bearer \(key)")
                let answer: JSONValue
                do {
                    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
                    let body = try await response.body.collect(upTo: 1 << 20)
                    answer = try body.withUnsafeReadableBytes { try JSONValue(parsing: $0) }
                } catch {
                    throw CommandFailure("no server answers at \(url); name it with --url")
                }
                if let message = answer["error"]?["message"]?.stringValue { throw CommandFailure(message) }
                if json { return Output.line(answer.jsonText) }
                let version = answer["version"]?.stringValue ?? ""
                Output.line(
                    answer["changed"]?.boolValue == true ? "prices are now version \(version)" : "prices are as before: version \(version)")
            }
        }
    }
}

/// Prices as lines of a table.
enum PriceRows {
    static let header = ["MODEL", "PROMPT ABOVE", "INPUT", "CACHE READ", "CACHE WRITE", "OUTPUT", "REASONING"]

    static func rows(_ model: String, _ pricing: ModelPricing?) -> [[String]] {
        guard let pricing else { return [[model, "-", "unknown", "-", "-", "-", "-"]] }
        return [row(model, "0", pricing.base)] + pricing.tiers.map { row("", String($0.promptAbove), $0.price) }
    }

    private static func row(_ model: String, _ above: String, _ price: ModelPrice) -> [String] {
        [
            model, above, price.inputFresh.perMillion, price.inputCacheRead.perMillion, price.inputCacheWrite.perMillion,
            price.outputVisible.perMillion, price.outputReasoning.perMillion,
        ]
    }
}

extension PriceFileReview {
    var json: JSONValue {
        [
            "version": .string(table.version), "models": .integer(Int64(table.count)), "unpriced": .array(unpriced.map { .string($0) }),
            "free": .array(free.map { .string($0) }), "tiered": .array(tiered.map { .string($0) }),
            "uncharged": .array(uncharged.map { ["model": .string($0.model), "field": .string($0.field)] }),
        ]
    }
}
