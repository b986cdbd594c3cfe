/// An expression of a policy: a tree, kept flat.
///
/// The nodes stand in one array, children before their parent, so that a hostile depth needs no stack to read, compare or free it.
/// A child is another `Expr` over the same array; taking one costs nothing. Two expressions are equal when their trees are,
/// wherever they were written and however they were bracketed.
public struct Expr: Sendable {
    /// A node in the array.
    struct Node: Sendable {
        let kind: Kind
        /// The nodes of this subtree, this one counted.
        let count: Int32
        /// The levels of this subtree.
        let depth: Int32
        let range: SourceRange
    }

    /// The subtree; its root is the last.
    let nodes: ArraySlice<Node>

    private let root: Node

    /// A subtree; the slice must not be empty.
    init(nodes: ArraySlice<Node>) {
        self.nodes = nodes
        root = nodes[nodes.endIndex - 1]
    }

    /// A leaf.
    init(_ kind: Kind, range: SourceRange) {
        self.init(nodes: [Node(kind: kind, count: 1, depth: 1, range: range)])
    }

    /// A node over copies of `children`. Linear in their size.
    init(_ kind: Kind, _ children: [Expr], range: SourceRange) {
        var nodes: [Node] = []
        for child in children { nodes.append(contentsOf: child.nodes) }
        let depth = (children.map(\.root.depth).max() ?? 0) + 1
        nodes.append(Node(kind: kind, count: Int32(nodes.count + 1), depth: depth, range: range))
        self.init(nodes: nodes[...])
    }

    /// What the root is.
    public var kind: Kind { root.kind }

    /// Where it was written; brackets around it are left out.
    public var range: SourceRange { root.range }

    /// The levels of the tree; `SyntaxLimits.depth` at most for what the parser made.
    public var depth: Int { Int(root.depth) }

    /// The nodes of the tree.
    public var nodeCount: Int { nodes.count }

    /// The operands of the root, in the order in which they are evaluated. Linear in their number.
    public var children: [Expr] {
        var result: [Expr] = []
        var end = nodes.endIndex - 1
        while end > nodes.startIndex {
            let start = end - Int(nodes[end - 1].count)
            result.append(Expr(nodes: nodes[start..<end]))
            end = start
        }
        result.reverse()
        return result
    }

    /// Every subtree, children before their parent; the last is the expression itself. For checks that look at all of it.
    public var subexpressions: some Sequence<Expr> {
        nodes.indices.lazy.map { index in Expr(nodes: nodes[(index + 1 - Int(nodes[index].count))...index]) }
    }
}

extension Expr: Hashable {
    public static func == (left: Expr, right: Expr) -> Bool {
        left.nodes.count == right.nodes.count && left.nodes.elementsEqual(right.nodes) { $0.kind == $1.kind }
    }

    public func hash(into hasher: inout Hasher) {
        for node in nodes { hasher.combine(node.kind) }
    }
}

extension Expr {
    /// What a node is. The comment of each case names its children, in order.
    ///
    /// `a != b` is read as `!(a == b)`, `a > b` as `!(a <= b)` and `a >= b` as `!(a < b)`: the language defines them so.
    public enum Kind: Hashable, Sendable {
        /// A written value. No children.
        case literal(Literal)
        /// `principal`, `action`, `resource` or `context`. No children.
        case variable(Variable)
        /// A slot of a template; only in a scope. No children.
        case slot(Slot)
        /// `a && b && c`: two children or more. A left operand that is a conjunction itself is one with this, bracketed or not; a right
        /// one is a child of its own. So it means `((a && b) && c)`.
        case and(Int)
        /// `a || b || c`, in the same way.
        case or(Int)
        /// `if a then b else c`: three children.
        case conditional
        /// One child.
        case unary(UnaryOperator)
        /// Two children.
        case binary(BinaryOperator)
        /// `a is T`: one child.
        case isType(TypeName)
        /// `a is T in b`: two children. It means `a is T && a in b`.
        case isTypeIn(TypeName)
        /// `a has b.c`: one child; never an empty path. It means `a has b && a.b has c`.
        case has([ExactString])
        /// `a.b` and `a["b"]`: one child.
        case attribute(ExactString)
        /// `a like "b*"`: one child.
        case like(Pattern)
        /// `[a, b]`: as many children.
        case set(Int)
        /// `{a: b}`: a child for each key. No key twice.
        case record([ExactString])
        /// A function or method of an extension type, with as many children; the receiver of a method is the first.
        case call(ExtensionFunction, Int)
    }

    /// A value that is written down.
    public enum Literal: Hashable, Sendable {
        /// `true` or `false`.
        case bool(Bool)
        /// An integer; a minus sign before a bare number belongs to it.
        case long(Int64)
        /// A string.
        case string(ExactString)
        /// An entity.
        case entity(EntityUID)
    }

    /// What a request brings.
    public enum Variable: String, Hashable, Sendable, CaseIterable {
        /// Who asks, what for, and about what; the context is a record.
        case principal, action, resource, context
    }

    /// A gap in a template.
    public enum Slot: String, Hashable, Sendable {
        /// Named as the variable whose scope it stands in.
        case principal, resource
    }

    /// An operator with one operand.
    public enum UnaryOperator: Hashable, Sendable {
        /// `!a`.
        case not
        /// `-a`.
        case negate
        /// `a.isEmpty()`.
        case isEmpty
    }

    /// An operator or a method of the core with two operands.
    public enum BinaryOperator: String, Hashable, Sendable, CaseIterable {
        /// An operator; the text is how it is written.
        case equal = "=="
        case less = "<"
        case lessOrEqual = "<="
        case `in`
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        /// A method; the text is its name.
        case contains, containsAll, containsAny, hasTag, getTag

        /// Whether it is written as a method: `a.contains(b)`.
        public var isMethod: Bool {
            switch self {
            case .contains, .containsAll, .containsAny, .hasTag, .getTag: true
            default: false
            }
        }
    }
}
