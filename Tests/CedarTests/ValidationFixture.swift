@testable import Cedar

/// The schema that most validation tests share.
enum ValidationFixture {
    static let text = """
        entity G in [H]; entity H; entity E enum ["a","b"];
        entity U in [G] { n: Long, s: String, b: Bool, ip: ipaddr, dt: datetime, du: duration, on?: Long, orec?: {x: Long, y?: Long}, e: E,
            dec: decimal, longs: Set<Long>, rec: {a: Bool, r?: {z?: Long}}, u: U, ou?: U, flags: Set<Bool> } tags String;
        entity V in [G] { n: String }; entity R; action z;
        action x, y in [z] appliesTo { principal: [U], resource: [R], context: { a?: Long } };
        action w appliesTo { principal: [U, V], resource: [R] };
        """

    static func schema() throws -> Schema { try Schema(text: text) }

    static func report(_ policy: String, schema: Schema? = nil) throws -> ValidationReport {
        let schema = try schema ?? self.schema()
        return try schema.validate(PolicySet(parsing: policy).policies)
    }

    /// The report on a policy with this condition, for one kind of request.
    static func report(condition: String) throws -> ValidationReport {
        try report("permit(principal is U, action == Action::\"x\", resource) when { \(condition) };")
    }
}
