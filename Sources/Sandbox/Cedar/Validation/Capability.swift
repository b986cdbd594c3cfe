/// Something that a test before this place has shown to be there. Expressions are compared as they are written.
enum Capability: Hashable {
    /// The value of the expression has the attribute.
    case attribute(Expr, ExactString)
    /// The entity has the tag with the key that the second expression gives.
    case tag(Expr, Expr)
}

/// What typing an expression says: its type, and what is known where it was true.
struct Typed {
    /// Nil if the expression has an error, which is reported already.
    var type: CedarType?
    var capabilities: Set<Capability> = []

    static let failed = Typed(type: nil)
}
