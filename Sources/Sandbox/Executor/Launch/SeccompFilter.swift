/// The filter of system calls of every sandbox: an allow-list, written by scripts/seccomp.py.
enum SeccompFilter {
    /// Of the machine this was built for; empty where there is none, and then nothing is launched.
    static var words: [UInt64] {
        #if arch(x86_64)
        x86
        #elseif arch(arm64)
        arm
        #else
        []
        #endif
    }

    /// As the kernel's `struct sock_filter[]`, which bubblewrap reads.
    static var program: [UInt8] {
        words.flatMap { word -> [UInt8] in
            let code = UInt16(truncatingIfNeeded: word >> 48)
            let value = UInt32(truncatingIfNeeded: word)
            return withUnsafeBytes(of: code) { Array($0) } + [UInt8(truncatingIfNeeded: word >> 40), UInt8(truncatingIfNeeded: word >> 32)]
                + withUnsafeBytes(of: value) { Array($0) }
        }
    }
}
