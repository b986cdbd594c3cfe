internal import Digest
internal import Foundation

/// Strong validators for files: the start of their SHA-256.
enum EntityTag {
    static func of(_ data: Data) -> String { Digest.hex(Digest.sha256(data).prefix(12)) }
}
