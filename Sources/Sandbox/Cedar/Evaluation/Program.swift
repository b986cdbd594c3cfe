/// An expression made ready to be evaluated: instructions for a machine with a stack.
///
/// It has no recursion and no loop, so an evaluation takes at most as many instructions as the expression has nodes, and no more
/// stack for a deep one. Instructions are plain numbers; what they need besides stands in tables, so that none is copied with
/// its texts.
final class Program: Sendable {
    enum Instruction: Sendable {
        /// A number in `constants`.
        case push(Int)
        case variable(Expr.Variable)
        /// Always an error.
        case slot(Expr.Slot)
        /// A left operand of `&&`: false stays as the result and the rest is left out; true makes room for the next.
        case jumpIfFalse(to: Int)
        /// The same for `||`.
        case jumpIfTrue(to: Int)
        /// The last operand of a chain.
        case requireBool
        case branchIfFalse(to: Int)
        case jump(to: Int)
        case unary(Expr.UnaryOperator)
        case binary(Expr.BinaryOperator)
        /// A number in `types`.
        case isType(Int)
        /// The left side of `is … in`: it stays for the `in` if it has the type, or becomes the result.
        case isTypeOrJump(Int, to: Int)
        /// A number in `names`: those of a path.
        case has(Int)
        /// A number in `names`: a single one.
        case attribute(Int)
        /// A number in `patterns`.
        case like(Int)
        case set(Int)
        /// A number in `names`: those of the keys.
        case record(Int)
        case call(ExtensionFunction, Int)
    }

    let instructions: [Instruction]
    /// The place of each instruction in the text of the policy.
    let ranges: [SourceRange]
    let constants: [Value]
    let names: [[ExactString]]
    let types: [TypeName]
    let patterns: [Pattern]

    /// Compiles an expression whose value must be a bool. Linear in its size.
    convenience init(condition expression: Expr) {
        self.init(expression, mustBeBool: true)
    }

    /// Compiles an expression. Linear in its size.
    init(_ expression: Expr, mustBeBool: Bool = false) {
        var compiler = Compiler()
        compiler.compile(expression)
        if mustBeBool { compiler.emit(.requireBool, expression.range) }
        instructions = compiler.instructions
        ranges = compiler.ranges
        constants = compiler.constants
        names = compiler.names
        types = compiler.types
        patterns = compiler.patterns
    }
}

extension Expr.Literal {
    /// The value that is written.
    var value: Value {
        switch self {
        case .bool(let value): .bool(value)
        case .long(let value): .long(value)
        case .string(let value): .string(value)
        case .entity(let uid): .entity(uid)
        }
    }
}
