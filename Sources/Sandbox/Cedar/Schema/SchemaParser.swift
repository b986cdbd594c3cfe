extension SchemaDocument {
    /// Reads the text form.
    ///
    /// - Throws: `SchemaError` with the line and column of the first fault.
    public init(text: String) throws(SchemaError) {
        var parser = try SchemaParser(text)
        self = try parser.document()
    }
}

extension Schema {
    /// Reads the text form and looks its names up.
    ///
    /// - Throws: `SchemaError` with the line and column of the first fault.
    public init(text: String) throws(SchemaError) { try self.init(SchemaDocument(text: text)) }
}

/// Reads declarations by recursive descent; only types nest, and those to `SchemaLimits.typeDepth`.
struct SchemaParser {
    private var lexer: Lexer
    var token: Token

    init(_ text: String) throws(SchemaError) {
        do {
            lexer = try Lexer(text)
            token = try lexer.next()
        } catch {
            throw SchemaError(error)
        }
    }

    mutating func document() throws(SchemaError) -> SchemaDocument {
        var unnamed = SchemaNamespace()
        var named: [SchemaNamespace] = []
        while token.kind != .end {
            let annotations = try annotations()
            if token.isWord("namespace") {
                named.append(try namespace(annotations))
            } else {
                try declaration(annotations, into: &unnamed)
            }
        }
        return SchemaDocument(namespaces: [unnamed] + named)
    }

    private mutating func namespace(_ annotations: [SchemaAnnotation]) throws(SchemaError) -> SchemaNamespace {
        try advance()
        let name = try path()
        var namespace = SchemaNamespace(name: name.components, annotations: annotations, place: name.place)
        try expect(.leftBrace)
        while !token.isSymbol(.rightBrace) {
            let annotations = try self.annotations()
            if token.isWord("namespace") { throw fault("A namespace cannot stand inside of another.") }
            try declaration(annotations, into: &namespace)
        }
        try advance()
        return namespace
    }

    private mutating func declaration(
        _ annotations: [SchemaAnnotation], into namespace: inout SchemaNamespace
    ) throws(SchemaError) {
        if token.isWord("entity") {
            namespace.entities += try entities(annotations)
        } else if token.isWord("action") {
            namespace.actions += try actions(annotations)
        } else if token.isWord("type") {
            try advance()
            let place = here
            let name = try identifier("the name of a type")
            try expect(.assign)
            let type = try type()
            namespace.types.append(SchemaCommonType(name: name, type: type, annotations: annotations, place: place))
        } else {
            throw fault("A declaration begins with `entity`, `action`, `type` or `namespace`, and this is \(token.spoken).")
        }
        try expect(.semicolon)
    }

    // MARK: - Entity types

    private mutating func entities(_ annotations: [SchemaAnnotation]) throws(SchemaError) -> [SchemaEntity] {
        try advance()
        var names: [(name: ExactString, place: SchemaPlace)] = []
        repeat {
            let place = here
            names.append((try identifier("the name of an entity type"), place))
        } while try take(.comma)
        let kind = token.isWord("enum") ? try enumeration() : try standard()
        return names.map { SchemaEntity(name: $0.name, kind: kind, annotations: annotations, place: $0.place) }
    }

    private mutating func enumeration() throws(SchemaError) -> SchemaEntity.Kind {
        try advance()
        try expect(.leftBracket)
        var choices: [ExactString] = []
        repeat {
            guard token.kind == .string else { throw fault("An enumeration lists its ids as strings, and this is \(token.spoken).") }
            choices.append(try string())
        } while try take(.comma)
        try expect(.rightBracket)
        return .enumeration(choices)
    }

    private mutating func standard() throws(SchemaError) -> SchemaEntity.Kind {
        var parents: [SchemaName] = []
        var shape: SchemaTypeExpression?
        var tags: SchemaTypeExpression?
        if try take("in") { parents = try paths() }
        if try take(.assign) {
            guard token.isSymbol(.leftBrace) else { throw fault("The attributes of an entity type stand in braces.") }
            shape = try record(level: 0)
        } else if token.isSymbol(.leftBrace) {
            shape = try record(level: 0)
        }
        if try take("tags") { tags = try type() }
        return .standard(parents: parents, shape: shape, tags: tags)
    }

    // MARK: - Actions

    private mutating func actions(_ annotations: [SchemaAnnotation]) throws(SchemaError) -> [SchemaAction] {
        try advance()
        var names: [(name: ExactString, place: SchemaPlace)] = []
        repeat {
            let place = here
            names.append((try name("the name of an action"), place))
        } while try take(.comma)
        var parents: [SchemaAction.Reference] = []
        if try take("in") {
            if try take(.leftBracket) {
                repeat { parents.append(try actionReference()) } while try take(.comma)
                try expect(.rightBracket)
            } else {
                parents.append(try actionReference())
            }
        }
        let application = try take("appliesTo") ? try self.application() : nil
        if try take("attributes") {
            try expect(.leftBrace)
            guard token.isSymbol(.rightBrace) else { throw fault("Actions cannot have attributes.") }
            try advance()
        }
        return names.map {
            SchemaAction(name: $0.name, parents: parents, application: application, annotations: annotations, place: $0.place)
        }
    }

    private mutating func actionReference() throws(SchemaError) -> SchemaAction.Reference {
        let place = here
        if token.kind == .string { return SchemaAction.Reference(type: nil, id: try string(), place: place) }
        var components = [try pathComponent()]
        while try take(.doubleColon) {
            if token.kind == .string {
                let type = SchemaName(components: components, place: place)
                return SchemaAction.Reference(type: type, id: try string(), place: place)
            }
            components.append(try pathComponent())
        }
        guard components.count == 1 else { throw fault("The id of an action must follow here, as a string.") }
        return SchemaAction.Reference(type: nil, id: components[0], place: place)
    }

    private mutating func application() throws(SchemaError) -> SchemaAction.Application {
        let place = here
        try expect(.leftBrace)
        var principals: [SchemaName]?
        var resources: [SchemaName]?
        var context: SchemaTypeExpression?
        repeat {
            // A comma may stand after the last part.
            if principals != nil || resources != nil || context != nil, token.isSymbol(.rightBrace) { break }
            let word = token
            guard word.isWord("principal") || word.isWord("resource") || word.isWord("context") else {
                throw fault("`appliesTo` holds `principal`, `resource` and `context`, and this is \(token.spoken).")
            }
            try advance()
            try expect(.colon)
            if word.isWord("context") {
                guard context == nil else { throw SchemaError(word, "`context` is given twice.") }
                context = token.isSymbol(.leftBrace) ? try record(level: 0) : .named(try path(), .common)
            } else {
                let isPrincipal = word.isWord("principal")
                guard (isPrincipal ? principals : resources) == nil else { throw SchemaError(word, "`\(word.text)` is given twice.") }
                let types = try paths()
                guard !types.isEmpty else {
                    throw SchemaError(word, "`\(word.text)` needs an entity type; leave `appliesTo` away for an action that nobody does.")
                }
                if isPrincipal { principals = types } else { resources = types }
            }
        } while try take(.comma)
        try expect(.rightBrace)
        guard let principals, let resources else {
            throw SchemaError(place, "`appliesTo` needs both `principal` and `resource`.")
        }
        return SchemaAction.Application(principals: principals, resources: resources, context: context)
    }

    // MARK: - Types

    private mutating func type(level: Int = 0) throws(SchemaError) -> SchemaTypeExpression {
        guard level <= SchemaLimits.typeDepth else {
            throw fault("Types are nested more than \(SchemaLimits.typeDepth) levels deep here.")
        }
        if token.isSymbol(.leftBrace) { return try record(level: level) }
        let isSet = token.isWord("Set")
        let name = try path()
        guard isSet, name.components.count == 1, try take(.less) else { return .named(name, .any) }
        let element = try type(level: level + 1)
        try expect(.greater)
        return .set(element)
    }

    private mutating func record(level: Int) throws(SchemaError) -> SchemaTypeExpression {
        let place = here
        try expect(.leftBrace)
        var attributes: [SchemaAttribute] = []
        while !token.isSymbol(.rightBrace) {
            let annotations = try annotations()
            let name = try name("the name of an attribute")
            let isOptional = try take(.question)
            try expect(.colon)
            let type = try type(level: level + 1)
            attributes.append(SchemaAttribute(name: name, type: type, isRequired: !isOptional, annotations: annotations))
            guard try take(.comma) else { break }
        }
        try expect(.rightBrace)
        return .record(attributes, place: place)
    }

    // MARK: - Names

    private mutating func annotations() throws(SchemaError) -> [SchemaAnnotation] {
        var annotations: [SchemaAnnotation] = []
        while try take(.at) {
            guard token.kind == .identifier else { throw fault("The name of an annotation must follow here, and this is \(token.spoken).") }
            let key = token.text
            try advance()
            var value: ExactString = ""
            if try take(.leftParenthesis) {
                guard token.kind == .string else { throw fault("The value of an annotation is a string, and this is \(token.spoken).") }
                value = try string()
                try expect(.rightParenthesis)
            }
            annotations.append(SchemaAnnotation(key: key, value: value))
        }
        return annotations
    }

    private mutating func paths() throws(SchemaError) -> [SchemaName] {
        guard try take(.leftBracket) else { return [try path()] }
        if try take(.rightBracket) { return [] }
        var names: [SchemaName] = []
        repeat { names.append(try path()) } while try take(.comma)
        try expect(.rightBracket)
        return names
    }

    private mutating func path() throws(SchemaError) -> SchemaName {
        let place = here
        var components = [try pathComponent()]
        while try take(.doubleColon) { components.append(try pathComponent()) }
        return SchemaName(components: components, place: place)
    }

    /// A part of a name; `__cedar` is one, for the built-in types have it in front.
    private mutating func pathComponent() throws(SchemaError) -> ExactString {
        token.isWord("__cedar") ? try word() : try identifier("a name")
    }

    private mutating func name(_ what: String) throws(SchemaError) -> ExactString {
        if token.kind == .string { return try string() }
        return token.isWord("__cedar") ? try word() : try identifier(what)
    }

    private mutating func identifier(_ what: String) throws(SchemaError) -> ExactString {
        guard token.kind == .identifier else { throw fault("Here must be \(what), and this is \(token.spoken).") }
        guard !ReservedWord.contains(token.text) else {
            throw fault("`\(token.text)` is a word of the language and cannot be \(what) without quotes.")
        }
        return try word()
    }

    // MARK: - Tokens

    private mutating func word() throws(SchemaError) -> ExactString {
        let text = token.text
        try advance()
        return text
    }

    private mutating func string() throws(SchemaError) -> ExactString {
        let text: ExactString
        do { text = try Unescape.string(token) } catch { throw SchemaError(error) }
        try advance()
        return text
    }

    private mutating func advance() throws(SchemaError) {
        do { token = try lexer.next() } catch { throw SchemaError(error) }
    }

    private mutating func take(_ symbol: Token.Symbol) throws(SchemaError) -> Bool {
        guard token.isSymbol(symbol) else { return false }
        try advance()
        return true
    }

    private mutating func take(_ word: StaticString) throws(SchemaError) -> Bool {
        guard token.isWord(word) else { return false }
        try advance()
        return true
    }

    private mutating func expect(_ symbol: Token.Symbol) throws(SchemaError) {
        guard try take(symbol) else { throw fault("Here must be `\(symbol.rawValue)`, and this is \(token.spoken).") }
    }

    private var here: SchemaPlace { SchemaPlace(token.range.start) }

    private func fault(_ message: String) -> SchemaError { SchemaError(token, message) }
}

extension SchemaPlace {
    fileprivate init(_ position: SourcePosition) { self = .position(line: Int(position.line), column: Int(position.column)) }
}

extension SchemaError {
    fileprivate init(_ token: Token, _ message: String) { self.init(SchemaPlace(token.range.start), message) }

    fileprivate init(_ error: ParseError) { self.init(SchemaPlace(error.range.start), error.message) }
}
