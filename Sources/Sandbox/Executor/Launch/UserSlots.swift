import CLauncher
import Glibc
import Synchronization

/// Uids that no other sandbox of this machine has.
///
/// Several servers may share a machine, so a slot is a file whose lock the live process holds: the kernel lets go of it when
/// the process ends, however it ends. State: a mutex over the descriptors that hold the locks.
final class UserSlots: Sendable {
    private let directory: String
    private let base: UInt32
    private let count: UInt32
    private let held = Mutex<[UInt32: Int32]>([:])

    init(directory: String, base: UInt32, count: UInt32) {
        self.directory = directory
        self.base = base
        self.count = count
    }

    /// Makes the directory. Blocks.
    func prepare() throws(LaunchError) {
        var path = ""
        for part in directory.split(separator: "/") {
            path += "/\(part)"
            if SystemFiles.isDirectory(path) { continue }
            if let code = SystemFiles.makeDirectory(path, mode: 0o700) { throw LaunchError(.slot, errno: code.code, path) }
        }
    }

    /// Takes a free uid. Blocks.
    func take() throws(LaunchError) -> UInt32 {
        let result = held.withLock { held -> Result<UInt32, LaunchError> in
            for uid in base..<(base + count) where held[uid] == nil {
                let path = "\(directory)/\(uid)"
                let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
                guard descriptor >= 0 else { return .failure(LaunchError(.slot, errno: errno, path)) }
                let code = claunch_lock(descriptor)
                if code == 0 {
                    // What a killed server left may still run, or wait to be reaped and count against the uid's limit.
                    guard ProcessTable.processes(of: uid).isEmpty else {
                        _ = claunch_unlock(descriptor)
                        close(descriptor)
                        continue
                    }
                    held[uid] = descriptor
                    return .success(uid)
                }
                close(descriptor)
                guard code == EWOULDBLOCK else { return .failure(LaunchError(.slot, errno: code, path)) }
            }
            return .failure(LaunchError(.slot, "all \(count) uids from \(base) are taken"))
        }
        return try result.get()
    }

    /// Kills what runs with a uid that no live server holds. Blocks.
    func killLeft(of uid: UInt32) {
        guard uid >= base, uid - base < count else { return }
        let descriptor = open("\(directory)/\(uid)", O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return }
        if claunch_lock(descriptor) == 0 {
            _ = claunch_kill_user(uid)
            _ = claunch_unlock(descriptor)
        }
        close(descriptor)
    }

    func free(_ uid: UInt32) {
        let descriptor = held.withLock { $0.removeValue(forKey: uid) }
        guard let descriptor else { return }
        _ = claunch_unlock(descriptor)
        close(descriptor)
    }
}
