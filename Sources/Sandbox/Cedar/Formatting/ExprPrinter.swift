/// Prints one expression, with a stack of its own: however deep it is, no call nests.
struct ExprPrinter {
    private enum Task {
        case expression(Expr, ExprParser.Level, indent: Int, isFlat: Bool)
        case text(String)
        case newLine(indent: Int)
    }

    private let root: Expr
    /// The width of each subtree in one line, by the index of its root.
    private var widths: [Int]
    private var output = ""
    private var column = 0

    init(_ root: Expr) {
        self.root = root
        widths = Array(repeating: 0, count: root.nodes.endIndex)
        // Children stand before their parents, so theirs are known.
        for expression in root.subexpressions { widths[expression.rootIndex] = flatWidth(expression) }
    }

    /// The width of the whole in one line.
    var width: Int { widths[root.rootIndex] }

    private func flatWidth(_ expression: Expr) -> Int {
        let children = expression.writtenChildren
        return expression.pieces.reduce(0) { width, piece in
            switch piece {
            case .text(let text): width + text.unicodeScalars.count
            case .child(let index, let level):
                width + widths[children[index].rootIndex] + (children[index].writtenLevel > level ? 2 : 0)
            case .line: width + 1
            case .softLine, .indent, .dedent: width
            }
        }
    }

    /// The expression as it stands at `column`; its further lines are indented by `indent` blanks.
    mutating func print(indent: Int, column: Int) -> String {
        output = ""
        self.column = column
        var work: [Task] = [.expression(root, .expression, indent: indent, isFlat: false)]
        while let task = work.popLast() {
            switch task {
            case .text(let text): write(text)
            case .newLine(let indent):
                // Not beyond half of the line, or a deep expression would be mostly blanks.
                self.column = min(indent, PolicyFormatter.lineWidth / 2)
                output += "\n" + String(repeating: " ", count: self.column)
            case .expression(let expression, let level, let indent, let isFlat):
                work.append(contentsOf: tasks(expression, level, indent, isFlat).reversed())
            }
        }
        return output
    }

    private mutating func write(_ text: String) {
        output += text
        column += text.unicodeScalars.count
    }

    private func fits(_ width: Int) -> Bool { column + width <= PolicyFormatter.lineWidth }

    private func tasks(_ expression: Expr, _ level: ExprParser.Level, _ indent: Int, _ isFlat: Bool) -> [Task] {
        let width = widths[expression.rootIndex]
        if expression.writtenLevel > level {
            if isFlat || fits(width + 2) {
                return [.text("("), .expression(expression, .expression, indent: indent, isFlat: true), .text(")")]
            }
            let inner = deeper(indent)
            return [
                .text("("), .newLine(indent: inner), .expression(expression, .expression, indent: inner, isFlat: false),
                .newLine(indent: indent), .text(")"),
            ]
        }
        let isFlat = isFlat || fits(width)
        let children = expression.writtenChildren
        var indent = indent
        var tasks: [Task] = []
        for piece in expression.pieces {
            switch piece {
            case .text(let text): tasks.append(.text(text))
            case .child(let index, let level): tasks.append(.expression(children[index], level, indent: indent, isFlat: isFlat))
            case .line: tasks.append(isFlat ? .text(" ") : .newLine(indent: indent))
            case .softLine: if !isFlat { tasks.append(.newLine(indent: indent)) }
            case .indent: indent = deeper(indent)
            case .dedent: indent -= PolicyFormatter.indentation
            }
        }
        return tasks
    }

    private func deeper(_ indent: Int) -> Int { indent + PolicyFormatter.indentation }
}

extension Expr {
    /// Where its root stands in the array of nodes.
    fileprivate var rootIndex: Int { nodes.endIndex - 1 }
}
