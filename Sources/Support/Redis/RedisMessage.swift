public import NIOCore

/// What a connection may subscribe to.
public enum RedisTopic: Sendable, Hashable {
    /// One channel, by its name.
    case channel(String)
    /// All channels that a glob of Redis matches; see ``matchingNames(beginningWith:)``.
    case pattern(String)

    /// All channels whose names begin with `text`, whatever characters it has.
    public static func matchingNames(beginningWith text: String) -> RedisTopic {
        var glob = ""
        for character in text {
            if "*?[]\\".contains(character) { glob.append("\\") }
            glob.append(character)
        }
        return .pattern(glob + "*")
    }
}

/// Something that was published.
public struct RedisMessage: Sendable, Equatable {
    /// What was subscribed to. A channel that several topics match brings a message for each.
    public let topic: RedisTopic
    public let channel: String
    /// Shares memory with what is read next: to be read at once, or copied.
    public let payload: ByteBuffer

    public init(topic: RedisTopic, channel: String, payload: ByteBuffer) {
        self.topic = topic
        self.channel = channel
        self.payload = payload
    }
}

/// Why a message was left out.
public enum RedisMessageRefusal: Sendable, Equatable {
    /// Longer than ``RedisLimits/messageBytesMax``; it was not kept.
    case tooLong
    /// The channel's name is no UTF-8.
    case channelIsNoText
}

/// What Redis says on a connection that subscribes, in RESP2.
enum RedisPush: Sendable, Equatable {
    case message(RedisMessage)
    case refused(RedisMessageRefusal)
    case subscribed(RedisTopic)
    case unsubscribed(RedisTopic)
    case pong
    /// A command before the subscriptions was carried out.
    case done
    case failed(RedisServerError)
}
