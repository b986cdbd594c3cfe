public import JSON

/// What a person should know about a LiteLLM price file before a server uses it.
///
/// LiteLLM's format prices more than tokens. What is not charged for here must be seen, not discovered on an invoice.
public struct PriceFileReview: Sendable {
    /// A charge in the file that this server does not make.
    public struct Uncharged: Sendable, Hashable {
        public let model: String
        public let field: String
    }

    public let table: PriceTable
    /// Entries without both an input and an output price: unknown, so refused under a money budget.
    public let unpriced: [String]
    /// Models that cost nothing. Right for one's own machine; anywhere else a typing error.
    public let free: [String]
    public let tiered: [String]
    public let uncharged: [Uncharged]

    /// - Throws: ``PriceTableError``, as for ``PriceTable/init(liteLLM:version:)``.
    public init(liteLLM json: JSONValue, version: String) throws(PriceTableError) {
        let table = try PriceTable(liteLLM: json, version: version)
        self.table = table
        var unpriced: [String] = []
        var uncharged: [Uncharged] = []
        for member in json.objectValue?.members ?? [] where member.key != "sample_spec" {
            guard table.pricing(for: member.key) != nil else {
                unpriced.append(member.key)
                continue
            }
            for field in member.value.objectValue?.members ?? [] where Self.isUncharged(field.key, field.value) {
                uncharged.append(Uncharged(model: member.key, field: field.key))
            }
        }
        self.unpriced = unpriced.sorted()
        self.uncharged = uncharged.sorted { ($0.model, $0.field) < ($1.model, $1.field) }
        free = table.modelNames.filter { table.pricing(for: $0)?.isFree ?? false }
        tiered = table.modelNames.filter { !(table.pricing(for: $0)?.tiers.isEmpty ?? true) }
    }

    /// Costs by request, image, second, character, page or search. Those of service tiers (`_batches`, `_priority`,
    /// `_flex`) are no charge of their own, and audio tokens are not sent here.
    private static func isUncharged(_ field: String, _ value: JSONValue) -> Bool {
        guard let text = value.numberText, (try? DecimalText.scaled(text, places: 12, rounding: .up)) != 0 else {
            return field == "search_context_cost_per_query" && value.objectValue != nil
        }
        let units = [
            "_per_request", "_per_query", "_per_image", "_per_second", "_per_character", "_per_page", "_per_pixel", "_per_session",
        ]
        if field.hasPrefix("cache_creation_input_token_cost_above_1hr") { return true }
        return units.contains { field.hasSuffix($0) } && field.contains("cost")
    }
}
