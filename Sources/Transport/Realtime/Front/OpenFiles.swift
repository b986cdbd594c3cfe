#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// The limit of open descriptors: one for every connection.
enum OpenFiles {
    /// Raises the soft limit to the hard one. - Returns: the limit that is now in force, if it can be read.
    static func raiseLimit() -> Int? {
        #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
        let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return nil }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            _ = setrlimit(resource, &limit)
            guard getrlimit(resource, &limit) == 0 else { return nil }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
