#if FUZZING
#if canImport(Glibc)
import Glibc
#endif

/// The target that `FUZZ_TARGET` names, read once.
private let target: FuzzTarget = {
    guard let name = getenv("FUZZ_TARGET"), let target = FuzzTarget(rawValue: String(cString: name)) else {
        fatalError("FUZZ_TARGET names none of: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
    }
    return target
}()

private func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target.run(UnsafeBufferPointer(start: start, count: count))
    return 0
}

/// libFuzzer's entrance for programs with a `main` of their own (LLVM, *libFuzzer – a library for coverage-guided fuzz testing*).
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// What the package manager links as the entry of the target `fuzz`.
@_cdecl("fuzz_main")
public func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    var count = count
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = arguments
    return runDriver(&count, &arguments, testOneInput)
}
#else
/// Without libFuzzer: names the targets, one a line. What runs them is `scripts/fuzz.sh`.
@main
enum Fuzz {
    static func main() {
        for target in FuzzTarget.allCases { print(target.rawValue) }
    }
}
#endif
