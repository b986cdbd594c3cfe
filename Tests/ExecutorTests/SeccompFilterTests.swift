import Testing

@testable import Executor

/// The filter's verdicts, by running its words as the kernel does; so the one for the other processor is tested too.
@Suite struct SeccompFilterTests {
    private enum Verdict: Equatable { case allow, kill, refuse(Int) }

    /// The subset of classic BPF that the generator writes; nil for anything else or a jump out of the program.
    private static func run(_ words: [UInt64], architecture: UInt32, call: UInt32, _ arguments: [UInt64] = []) -> Verdict? {
        func load(_ offset: UInt32) -> UInt32? {
            switch offset {
            case 0: return call
            case 4: return architecture
            case 16...:
                let index = Int(offset - 16) / 8
                return UInt32(truncatingIfNeeded: (index < arguments.count ? arguments[index] : 0) >> (offset % 8 == 0 ? 0 : 32))
            default: return nil
            }
        }
        var register: UInt32 = 0
        var at = 0
        while at < words.count {
            let word = words[at], value = UInt32(truncatingIfNeeded: word)
            let (yes, no) = (Int(word >> 40 & 0xff), Int(word >> 32 & 0xff))
            at += 1
            switch word >> 48 {
            case 0x20:
                guard let loaded = load(value) else { return nil }
                register = loaded
            case 0x15: at += register == value ? yes : no
            case 0x35: at += register >= value ? yes : no
            case 0x25: at += register > value ? yes : no
            case 0x45: at += register & value != 0 ? yes : no
            case 0x06:
                switch value {
                case 0x7fff_0000: return .allow
                case 0x8000_0000: return .kill
                default: return value >> 16 == 5 ? .refuse(Int(value & 0xffff)) : nil
                }
            default: return nil
            }
        }
        return nil
    }

    private static let x86: UInt32 = 0xc000_003e, arm: UInt32 = 0xc000_00b7
    private static let programs = [(SeccompFilter.x86, x86), (SeccompFilter.arm, arm)]

    @Test("calls of another architecture end the process", arguments: 0..<2)
    func architecture(_ which: Int) {
        let (words, own) = Self.programs[which]
        for other: UInt32 in [0x4000_0003, 0x4000_0028, own == Self.x86 ? Self.arm : Self.x86] {
            #expect(Self.run(words, architecture: other, call: 0) == .kill)
        }
        #expect(Self.run(SeccompFilter.x86, architecture: Self.x86, call: 0x4000_0000) == .kill)
        #expect(Self.run(SeccompFilter.x86, architecture: Self.x86, call: .max) == .kill)
    }

    @Test("every number has a verdict; what is newer than the list is ENOSYS", arguments: 0..<2)
    func every(_ which: Int) {
        let (words, own) = Self.programs[which]
        var allowed = 0
        for call in UInt32(0)...600 {
            let verdict = Self.run(words, architecture: own, call: call)
            #expect(verdict != nil && verdict != .kill)
            if call > 452 || call == 435 { #expect(verdict == .refuse(38)) }
            if verdict == .allow { allowed += 1 }
        }
        #expect((120...190).contains(allowed))
        #expect(words.count <= 4_096)
    }

    @Test("named calls: read, write and execve are allowed; sockets, keys, tracing, namespaces are EPERM")
    func named() {
        // read, write, mmap, execve, exit_group, futex, getrandom, the three of Landlock
        for call: UInt32 in [0, 1, 9, 59, 231, 202, 318, 444, 445, 446] {
            #expect(Self.run(SeccompFilter.x86, architecture: Self.x86, call: call) == .allow)
        }
        for call: UInt32 in [63, 64, 222, 221, 94, 98, 278, 444, 445, 446] {
            #expect(Self.run(SeccompFilter.arm, architecture: Self.arm, call: call) == .allow)
        }
        // socket, connect, accept, sendto, sendmsg, recvmsg, socketpair, ptrace, mount, keyctl, unshare, setns, process_vm_readv,
        // seccomp, memfd_create, bpf, userfaultfd, perf_event_open, io_uring_setup
        for call: UInt32 in [41, 42, 43, 44, 46, 47, 53, 101, 165, 250, 272, 308, 310, 317, 319, 321, 323, 298, 425] {
            #expect(Self.run(SeccompFilter.x86, architecture: Self.x86, call: call) == .refuse(1), "\(call)")
        }
        for call: UInt32 in [198, 203, 202, 206, 211, 212, 199, 117, 40, 219, 97, 268, 270, 277, 279, 280, 282, 241, 425] {
            #expect(Self.run(SeccompFilter.arm, architecture: Self.arm, call: call) == .refuse(1), "\(call)")
        }
    }

    @Test("attributes of files are not supported, which programs that copy files take for an answer", arguments: 0..<2)
    func attributes(_ which: Int) {
        let (words, own) = Self.programs[which]
        for call in [UInt32(188)...199, 5...16][which] {
            #expect(Self.run(words, architecture: own, call: call) == .refuse(95), "\(call)")
        }
    }

    @Test("clone without namespaces, and the harmless requests of ioctl", arguments: 0..<2)
    func arguments(_ which: Int) {
        let (words, own) = Self.programs[which]
        let (clone, ioctl): (UInt32, UInt32) = which == 0 ? (56, 16) : (220, 29)
        #expect(Self.run(words, architecture: own, call: clone, [0x11]) == .allow)
        #expect(Self.run(words, architecture: own, call: clone, [0x3d_0f00]) == .allow)
        for flag: UInt64 in [0x80, 0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
            #expect(Self.run(words, architecture: own, call: clone, [flag | 0x11]) == .refuse(1))
        }
        #expect(Self.run(words, architecture: own, call: ioctl, [0, 0x5401]) == .allow)
        #expect(Self.run(words, architecture: own, call: ioctl, [0, 0x5412]) == .refuse(1))
        // The upper half of the request is not the kernel's to read either.
        #expect(Self.run(words, architecture: own, call: ioctl, [0, 0x1_0000_5412]) == .refuse(1))
        #expect(Self.run(words, architecture: own, call: ioctl, [0, 0x541c]) == .refuse(1))
        #expect(Self.run(words, architecture: own, call: ioctl, [0, 0x8933]) == .refuse(25))
    }
}
