extension Expr {
    /// Reads one expression, as it may stand in the braces of a `when`.
    ///
    /// - Throws: `ParseError` with the first fault.
    public init(parsing text: String) throws(ParseError) {
        var reader = try TokenReader(text)
        self = try ExprParser.parse(&reader)
        guard reader.token.kind == .end else { throw reader.unexpected("expected the end of the expression") }
    }

    /// The value for a request. Compiles the expression each time: for explanations and tests, not for every decision.
    ///
    /// - Throws: `EvaluationError` where it has none.
    public func evaluate(_ request: Request, _ entities: Entities) throws(EvaluationError) -> Value {
        var evaluator = Evaluator(request, entities)
        return try evaluator.run(Program(self))
    }
}
