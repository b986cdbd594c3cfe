internal import CMalloc
internal import NIOPosix

/// Decides when the memory that connections left behind is given back to the kernel.
///
/// glibc returns only what is free at the end of its heap, and one allocation that lives on there keeps all before it: after 5,000
/// connections have left, a server without this stays as large as it was with them (`Benchmarks/README.md`, storms).
/// Pure; its owner looks at intervals of ``interval``.
struct FreedMemory {
    /// How often the number of connections is looked at: as long as closing one takes at most.
    static let interval = Duration.seconds(5)
    /// Fewer that left have not left enough to look for: some MiB.
    static let leftMin = 256

    private var most = 0
    private var last = 0

    /// Whether the memory is to be given back now: more than half of the connections have left since it last was, and no more are leaving.
    ///
    /// - Parameter most: the most connections since the last look.
    mutating func look(now: Int, most seen: Int) -> Bool {
        defer { last = now }
        most = max(most, seen)
        guard now >= last, most - now >= Self.leftMin, now < most / 2 else { return false }
        most = now
        return true
    }

    /// Gives it back. It takes a millisecond for some ten MiB, and holds up who allocates meanwhile: so on a thread of its own, and seldom.
    static func giveBack() async {
        _ = try? await NIOThreadPool.singleton.runIfActive { kdcube_release_free_pages() }
    }
}
