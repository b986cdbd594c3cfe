import Glibc

/// What a program or a shared library of 64-bit Linux says it needs: its loader, its libraries, and where it looks for them.
///
/// Source: the ELF specification (System V ABI, chapters 4 and 5). Every offset comes from the file and is checked.
struct ELFFile: Sendable, Hashable {
    var interpreter: String?
    var needed: [String] = []
    /// Of DT_RUNPATH, else DT_RPATH; still with `$ORIGIN`.
    var searched: [String] = []

    private enum Limit {
        /// Program headers; the format's own limit is 65,535, and real files have about ten.
        static let headers = 64
        static let dynamic = 64 << 10
        static let strings = 4 << 20
    }

    private struct Segment {
        let type: UInt32
        let offset: UInt64
        let address: UInt64
        let size: UInt64
    }

    /// Nil when the file is no such thing. Blocks.
    init?(path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        func part(_ offset: UInt64, _ count: Int) -> [UInt8]? {
            guard let offset = Int(exactly: offset), count > 0 else { return nil }
            var bytes = [UInt8](repeating: 0, count: count)
            return pread(descriptor, &bytes, count, offset) == count ? bytes : nil
        }
        self.init(part: part)
    }

    /// Reads through a function of offset and count.
    init?(part: (UInt64, Int) -> [UInt8]?) {
        guard let head = part(0, 64), head.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]) else { return nil }
        let count = Int(Self.number(head, 56, 2)), size = Int(Self.number(head, 54, 2))
        guard count > 0, count <= Limit.headers, size >= 56, size <= 256, let table = part(Self.number(head, 32, 8), count * size) else {
            return nil
        }
        let segments = (0..<count).map { index in
            Segment(
                type: UInt32(Self.number(table, index * size, 4)), offset: Self.number(table, index * size + 8, 8),
                address: Self.number(table, index * size + 16, 8), size: Self.number(table, index * size + 32, 8))
        }
        if let segment = segments.first(where: { $0.type == 3 }), segment.size <= 4_096, let text = part(segment.offset, Int(segment.size))
        {
            interpreter = Self.string(text, 0)
        }
        guard let segment = segments.first(where: { $0.type == 2 }), segment.size <= Limit.dynamic,
            let dynamic = part(segment.offset, Int(segment.size))
        else { return }
        var names: [UInt64] = [], runpath: UInt64?, rpath: UInt64?, address: UInt64 = 0, length: UInt64 = 0
        for at in stride(from: 0, to: dynamic.count - 15, by: 16) {
            let value = Self.number(dynamic, at + 8, 8)
            switch Self.number(dynamic, at, 8) {
            case 1: names.append(value)
            case 5: address = value
            case 10: length = value
            case 15: rpath = value
            case 29: runpath = value
            default: break
            }
        }
        guard length > 0, length <= Limit.strings,
            let home = segments.first(where: { $0.type == 1 && $0.address <= address && address - $0.address < $0.size }),
            let strings = part(home.offset &+ (address - home.address), Int(length))
        else { return }
        needed = names.compactMap { Self.string(strings, $0) }
        if let place = runpath ?? rpath, let text = Self.string(strings, place) {
            searched = text.split(separator: ":").map(String.init)
        }
    }

    private static func number(_ bytes: [UInt8], _ at: Int, _ count: Int) -> UInt64 {
        guard at >= 0, at + count <= bytes.count else { return 0 }
        return (0..<count).reduce(0) { $0 | UInt64(bytes[at + $1]) << (8 * $1) }
    }

    private static func string(_ bytes: [UInt8], _ at: UInt64) -> String? {
        guard let start = Int(exactly: at), start < bytes.count, let end = bytes[start...].firstIndex(of: 0) else { return nil }
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }
}
