extension Schema {
    /// Checks that the schema allows the request: its types, and every key of its context.
    ///
    /// The principal and the resource need not exist in a store.
    public func validate(_ request: Request) throws(ConformanceError) {
        _ = try definition(of: request.principal, at: ["principal"])
        _ = try definition(of: request.resource, at: ["resource"])
        guard let action = actionDefinitions[request.action] else {
            throw ConformanceError(.unknownAction, ["action"], "The schema has no action `\(request.action)`.")
        }
        guard action.principals.contains(request.principal.type) else {
            throw ConformanceError(.principalType, ["principal"], "`\(action.uid)` is not done by a `\(request.principal.type)`.")
        }
        guard action.resources.contains(request.resource.type) else {
            throw ConformanceError(.resourceType, ["resource"], "`\(action.uid)` is not done to a `\(request.resource.type)`.")
        }
        try check(request.context, is: action.context, at: ["context"])
    }
}
