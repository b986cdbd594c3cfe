import Testing

@testable import Cedar

@Suite("Random schemas")
struct SchemaPropertyTests {
    @Test(arguments: 0..<50)
    func everyFormMeansTheSame(_ seed: Int) throws {
        var random = RandomSchema(dice: SchemaDice(seed: UInt64(seed)))
        let document = random.document()
        let schema = try Schema(document)
        let text = try document.text()
        #expect(try Schema(text: text) == schema, "seed \(seed)")
        #expect(try SchemaDocument(text: text).text() == text, "seed \(seed)")
        let json = SchemaJSONPrinter.text(document)
        #expect(try Schema(json: json) == schema, "seed \(seed)")
        #expect(try Schema(text: SchemaDocument(json: json).text()) == schema, "seed \(seed)")
    }

    /// Parts of texts in any order: some are schemas, and none is a trap.
    @Test(arguments: 0..<30)
    func randomTextIsReadOrRefused(_ seed: Int) throws {
        var dice = SchemaDice(seed: UInt64(seed))
        let parts = [
            "entity", "action", "type", "namespace", "enum", "in", "tags", "appliesTo", "principal", "resource", "context", "attributes",
            "Set",
            "Long", "U", "T", "__cedar", "::", ":", ";", ",", "{", "}", "[", "]", "<", ">", "?", "=", "@", "(", ")", "\"a\"", "\"", "\\",
            "//", "\n", "\r",
            "\u{0}", "\u{FEFF}", "\u{301}", "1", "-", ".", "if",
        ]
        for _ in 0..<50 {
            let text = (0..<dice.roll(40)).map { _ in dice.pick(parts) }.joined(separator: dice.roll(2) == 0 ? " " : "")
            if let schema = try? Schema(text: text) { _ = schema.description }
            if let document = try? SchemaDocument(text: text) { _ = try? document.text() }
            _ = try? Schema(json: text)
        }
    }

    /// One character is taken away, doubled or replaced: what is still a schema prints as one.
    @Test(arguments: 0..<15)
    func damagedSchemasAreReadOrRefused(_ seed: Int) throws {
        var random = RandomSchema(dice: SchemaDice(seed: UInt64(seed)))
        let document = random.document()
        let forms = [Array(try document.text().unicodeScalars), Array(SchemaJSONPrinter.text(document).unicodeScalars)]
        for (index, form) in forms.enumerated() {
            for _ in 0..<15 {
                var scalars = form
                let place = random.dice.roll(scalars.count)
                switch random.dice.roll(3) {
                case 0: scalars.remove(at: place)
                case 1: scalars.insert(scalars[place], at: place)
                default: scalars[place] = random.dice.pick(form)
                }
                var damaged = String.UnicodeScalarView()
                damaged.append(contentsOf: scalars)
                let text = String(damaged)
                guard let read = index == 0 ? try? SchemaDocument(text: text) : try? SchemaDocument(json: text),
                    let schema = try? Schema(read)
                else { continue }
                if let printed = try? read.text() { #expect(try Schema(text: printed) == schema, "seed \(seed)") }
            }
        }
    }

    @Test(arguments: ["{", "[", "{\"\":", "{\"a\":{\"entityTypes\":{\"U\":{\"shape\":", "[[{\"type\":\"Set\",\"element\":"])
    func deepJSONIsRefused(_ open: String) {
        let text = String(repeating: open, count: 50_000)
        #expect(throws: SchemaError.self) { try Schema(json: text) }
    }
}
