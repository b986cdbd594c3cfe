import CLauncher
import Glibc

/// Landlock around an interpreter, as a second wall behind the namespaces: whether this machine has it, and the program that
/// puts it up inside the sandbox (Sources/Sandbox/SandboxInit).
///
/// A machine without it runs code all the same, and the probe `landlock` tells. Where it is there, a step of it that fails ends
/// the sandbox before any code is run.
enum LandlockLayer: Sendable, Hashable {
    /// The bytes of the program, as they were looked at.
    case used(program: [UInt8])
    /// Why not, for an operator.
    case absent(String)

    var isUsed: Bool { if case .used = self { true } else { false } }

    /// The program's name inside.
    static let entry = "/boot/sandbox-init"
    static let name = "sandbox-init"
    /// Version 1 of the kernel's interface refuses every move of a file between folders.
    static let oldest = 2
    /// Of the program, which has about 20 KB; every sandbox gets a copy.
    static let programMax = 1 << 20

    /// Of the kernel's interface; 0 is none.
    static var version: Int { Int(claunch_landlock()) }

    /// Looks for both, and at what the program needs of shared libraries. Blocks.
    static func find(_ settings: SandboxSettings) -> LandlockLayer {
        let version = version
        guard version >= oldest else {
            return .absent(version == 0 ? "the kernel has no Landlock" : "the kernel's Landlock has version \(version)")
        }
        guard let path = path(settings) else { return .absent("no \(name) lies beside the server's program") }
        var facts = stat()
        guard stat(path, &facts) == 0 else { return .absent("\(path): \(describe(errno))") }
        guard facts.st_mode & 0o022 == 0 else { return .absent("\(path) can be written by others than its owner") }
        guard facts.st_size <= programMax, ELFFile(path: path) != nil, let bytes = try? SystemFiles.bytes(path).get() else {
            return .absent("\(path) is no program")
        }
        return .used(program: bytes)
    }

    /// Where the program is: as the settings say, or beside the program that runs.
    static func path(_ settings: SandboxSettings) -> String? {
        if let path = settings.initProgram { return path }
        guard let own = SystemFiles.resolved("/proc/self/exe"), let end = own.lastIndex(of: "/") else { return nil }
        let path = "\(own[..<end])/\(name)"
        return SystemFiles.exists(path) ? path : nil
    }

    /// What an interpreter in namespaces may touch, as the program reads it; it ends with `--`.
    static func rules(_ closure: InterpreterClosure) -> [String] {
        let rules =
            closure.binds.map { ("x", $0.destination) } + [
                ("r", "/boot"), ("w", "/w"), ("w", "/tmp"), ("w", "/dev/shm"), ("d", "/dev/null"), ("d", "/dev/zero"), ("d", "/dev/full"),
                ("r", "/dev/random"), ("r", "/dev/urandom"), ("t", "/dev/pts"), ("t", "/dev/tty"),
            ]
        return rules.flatMap { [$0.0, $0.1] } + ["--"]
    }

    /// What the program's exit says, where it could not do its work; nil for other exits. Only an exit before the interpreter's
    /// first word is the program's.
    static func failure(_ status: SandboxRemains.Status?, _ said: String) -> LaunchError? {
        guard case .exited(let code)? = status, failures.contains(code) else { return nil }
        var line: String?
        for text in said.split(separator: "\n") where line == nil {
            line = text.firstRange(of: "\(name): ").map { String(text[$0.upperBound...].prefix(300)) }
        }
        return LaunchError(.landlock, line ?? "exit \(code)")
    }

    /// EXIT_USAGE to EXIT_FILTER of main.c.
    static let failures: ClosedRange<Int32> = 90...99
}
