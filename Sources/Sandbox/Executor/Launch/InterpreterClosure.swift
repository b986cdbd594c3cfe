import Glibc

/// All that an interpreter needs of the host, and no more: its program, its standard library, and the shared libraries of the
/// program and of the standard library's modules. This is what a sandbox sees of `/`.
struct InterpreterClosure: Sendable, Hashable {
    struct Bind: Sendable, Hashable {
        /// On the host, without links.
        let source: String
        let destination: String
    }

    /// The path to run, inside and outside.
    let program: String
    let binds: [Bind]
    /// Links at the root as the host has them (`/lib` to `usr/lib`): path and target.
    let links: [Bind]
    /// The standard library's path.
    let library: String

    /// Finds it on this host. Blocks for some milliseconds.
    ///
    /// - Parameter helper: a program that runs inside before the interpreter, and whose libraries must be there too.
    init(python: String, helper: String? = nil) throws(LaunchError) {
        guard let program = SystemFiles.resolved(python) else { throw LaunchError(.interpreter, errno: errno, python) }
        var facts = stat()
        guard stat(program, &facts) == 0, facts.st_mode & 0o022 == 0 else {
            throw LaunchError(.interpreter, "\(program) can be written by others than its owner")
        }
        guard let library = Self.standardLibrary(of: program) else {
            throw LaunchError(.interpreter, "no standard library (lib/python3.*/os.py) belongs to \(program)")
        }
        var search = LibrarySearch()
        guard let binary = ELFFile(path: program) else { throw LaunchError(.interpreter, "\(program) is no 64-bit program of Linux") }
        try search.add(binary, path: program, isProgram: true)
        let modules = library + "/lib-dynload"
        for name in SystemFiles.names(in: modules) where name.hasSuffix(".so") {
            let path = "\(modules)/\(name)"
            if let module = ELFFile(path: path) { try search.add(module, path: path, isProgram: false) }
        }
        if let helper, let file = ELFFile(path: helper) { try search.add(file, path: helper, isProgram: true) }
        self.program = program
        self.library = library
        var binds = search.found.map { Bind(source: $0.value, destination: $0.key) }.sorted { $0.destination < $1.destination }
        binds.append(Bind(source: program, destination: program))
        binds.append(Bind(source: library, destination: library))
        // The zones of zoneinfo; text about the world, not about the host.
        if SystemFiles.isDirectory("/usr/share/zoneinfo"), let zones = SystemFiles.resolved("/usr/share/zoneinfo") {
            binds.append(Bind(source: zones, destination: "/usr/share/zoneinfo"))
        }
        self.binds = binds
        links = ["/lib", "/lib64"].compactMap { path in
            var buffer = [CChar](repeating: 0, count: 256)
            let count = readlink(path, &buffer, buffer.count - 1)
            guard count > 0 else { return nil }
            return Bind(source: String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self), destination: path)
        }
    }

    /// What the interpreter is started with: isolated (-I), without site (-S) and environment (-E), no byte code written (-B),
    /// UTF-8 everywhere.
    func command(_ entry: String) -> [String] { [program, "-I", "-S", "-E", "-B", "-X", "utf8", entry] }

    /// `lib/python3.N` beside the program's `bin`.
    private static func standardLibrary(of program: String) -> String? {
        let parts = program.split(separator: "/")
        guard parts.count >= 2, let name = parts.last else { return nil }
        let prefix = "/" + parts.dropLast(2).joined(separator: "/")
        for folder in ["lib", "lib64"] {
            let base = prefix == "/" ? "/\(folder)" : "\(prefix)/\(folder)"
            let versions = SystemFiles.names(in: base).filter {
                $0.hasPrefix("python3.") && SystemFiles.exists("\(base)/\($0)/os.py")
            }
            let exact = versions.first { $0 == name }
            if let version = exact ?? (versions.count == 1 ? versions[0] : nil) { return SystemFiles.resolved("\(base)/\(version)") }
        }
        return nil
    }
}

/// Finds shared libraries as the loader does, without its cache.
private struct LibrarySearch {
    /// By the path inside: the host's file.
    private(set) var found: [String: String] = [:]
    private var defaults: [String]
    private var configured: [String]
    private var inherited: [String] = []

    init() {
        #if arch(x86_64)
        let triplet = "x86_64-linux-gnu"
        #else
        let triplet = "aarch64-linux-gnu"
        #endif
        let folders = ["/lib/\(triplet)", "/usr/lib/\(triplet)", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        var seen: Set<String> = []
        defaults = folders.compactMap(SystemFiles.resolved).filter { SystemFiles.isDirectory($0) && seen.insert($0).inserted }
        configured = Self.configuration("/etc/ld.so.conf", depth: 0).compactMap(SystemFiles.resolved)
    }

    private static func configuration(_ path: String, depth: Int) -> [String] {
        guard depth < 3, let text = SystemFiles.text(path) else { return [] }
        return text.split(separator: "\n").flatMap { line -> [String] in
            let words = line.prefix { $0 != "#" }.split(separator: " ").map(String.init)
            guard words.first == "include", words.count > 1 else { return words.filter { $0.hasPrefix("/") } }
            guard let end = words[1].lastIndex(of: "/"), words[1].hasSuffix("*.conf") else {
                return configuration(words[1], depth: depth + 1)
            }
            let folder = String(words[1][..<end])
            return SystemFiles.names(in: folder).filter { $0.hasSuffix(".conf") }
                .flatMap { configuration("\(folder)/\($0)", depth: depth + 1) }
        }
    }

    /// Adds what a file needs and what that needs.
    mutating func add(_ file: ELFFile, path: String, isProgram: Bool) throws(LaunchError) {
        let origin = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "/"
        let own = file.searched.map { $0.replacing("$ORIGIN", with: origin).replacing("${ORIGIN}", with: origin) }
            .compactMap(SystemFiles.resolved)
        if isProgram { inherited = own }
        if let loader = file.interpreter {
            guard let source = SystemFiles.resolved(loader), let end = loader.lastIndex(of: "/"),
                let folder = SystemFiles.resolved(String(loader[..<end]))
            else { throw LaunchError(.interpreter, "the loader \(loader) is missing") }
            found["\(folder)/\(loader[loader.index(after: end)...])"] = source
        }
        for name in file.needed {
            guard let (folder, source) = locate(name, in: own + inherited) else {
                if isProgram { throw LaunchError(.interpreter, "\(path) needs \(name), which is nowhere") }
                continue
            }
            // The loader inside has no cache: what only the host's configuration finds goes where it looks by itself.
            let home = configured.contains(folder) && !defaults.contains(folder) ? defaults.first ?? folder : folder
            guard found.updateValue(source, forKey: "\(home)/\(name)") == nil, let library = ELFFile(path: source) else { continue }
            try add(library, path: source, isProgram: false)
        }
    }

    private func locate(_ name: String, in own: [String]) -> (folder: String, source: String)? {
        guard !name.contains("/") else { return nil }
        for folder in own + defaults + configured {
            let path = "\(folder)/\(name)"
            if ELFFile(path: path) != nil, let source = SystemFiles.resolved(path) { return (folder, source) }
        }
        return nil
    }
}
